/** The contract's methods for operators. */
import * as Effect from "effect/Effect"
import type { DeleteAnswer, ManagementStore, StoreError } from "perdure/Store"
import * as Attribute from "./attribute.ts"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import * as Erase from "./erase.ts"
import * as Executor from "./executor.ts"
import { fence } from "./fence.ts"
import { fork } from "./fork.ts"
import * as Place from "./place.ts"
import { retaining } from "./retaining.ts"
import * as Version from "./version.ts"
import * as Waiter from "./waiter.ts"
import * as Workflow from "./workflow.ts"

/** So many in one transaction: everybody else who writes waits for it. */
const batch = 1_000

export const management = (connections: Connections): ManagementStore => ({
  fork: (op) => connections.write("fork a workflow", (database) => fork(database, op, Clock.now(database))),
  delete: (workflowIds, { children }) =>
    Effect.gen(function*(): Effect.fn.Return<ReadonlyArray<DeleteAnswer>, StoreError> {
      const answers = new Map<string, DeleteAnswer>()
      const distinct = [...new Set(workflowIds)]
      for (let from = 0; from < distinct.length; from += batch) {
        const some = distinct.slice(from, from + batch)
        const deleted = yield* connections.write(
          "delete workflows",
          (database) => Erase.removeAll(database, some, children)
        )
        for (const answer of deleted) answers.set(answer.workflowId, answer)
      }
      return workflowIds.map((workflowId) => answers.get(workflowId)!)
    }),
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
