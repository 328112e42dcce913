/** The contract's methods for operators. */
import type { ManagementStore } from "perdure/Store"
import * as Attribute from "./attribute.ts"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import { erasing } from "./erasing.ts"
import * as Executor from "./executor.ts"
import { fence } from "./fence.ts"
import { fork } from "./fork.ts"
import * as Place from "./place.ts"
import { retaining } from "./retaining.ts"
import * as Version from "./version.ts"
import * as Waiter from "./waiter.ts"
import * as Workflow from "./workflow.ts"

export const management = (connections: Connections): ManagementStore => ({
  fork: (op) => connections.write("fork a workflow", (database) => fork(database, op, Clock.now(database))),
  ...erasing(connections),
  ...retaining(connections),
  count: (filter) => connections.read("count workflows", (database) => Workflow.count(database, filter)),
  setAttributes: (workflowId, attributes) =>
    connections.write("set attributes", (database) => Attribute.set(database, workflowId, attributes)),
  versions: connections.read("list versions", Version.versions),
  setLatestVersion: (version) =>
    connections.write(
      "set the latest version",
      (database) => Version.setLatest(database, version, Clock.now(database))
    ),
  executors: connections.read("list executors", (database) => Executor.list(database, Clock.now(database))),
  fence: connections.write("fence executors", (database) => fence(database, Clock.now(database))),
  serve: (incarnation, served, queues) =>
    connections.write("say what is served", (database) => Executor.serve(database, incarnation, served, queues)),
  position: (workflowId, limit) =>
    connections.read("read a position", (database) => Place.position(database, workflowId, limit)),
  awaited: (workflowId) =>
    connections.read("read what is awaited", (database) => Waiter.awaitedBy(database, workflowId))
})
