/** The contract's methods for whoever watches. */
import type { ObservationStore } from "perdure/Store"
import type { Connections } from "./connections.ts"
import * as Observe from "./observe.ts"
import * as Workflow from "./workflow.ts"

export const observation = (connections: Connections): ObservationStore => ({
  listWithin: (filter, look) =>
    connections.read("list workflows", (database) => Workflow.listWithin(database, filter, look)),
  countWithin: (filter, look) =>
    connections.read("count workflows", (database) => Workflow.countWithin(database, filter, look)),
  progress: (workflowIds) =>
    connections.read("read how far workflows are", (database) => Observe.progress(database, workflowIds)),
  queueHead: (queue) =>
    connections.read("look at the head of a queue", (database) => Observe.queueHead(database, queue)),
  activity: (span, bucketMs) =>
    connections.read("count what was created", (database) => Observe.activity(database, span, bucketMs)),
  names: (span) => connections.read("measure by name", (database) => Observe.names(database, span))
})
