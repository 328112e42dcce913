/** The contract's methods, each one transaction over the statements of its concept. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { StoreService } from "perdure/Store"
import { archive } from "./archive.ts"
import { cancel } from "./cancel.ts"
import * as Claim from "./claim.ts"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import * as Executor from "./executor.ts"
import * as Hints from "./hints.ts"
import * as History from "./history.ts"
import { inspection } from "./inspection.ts"
import { management } from "./management.ts"
import { messages } from "./messages.ts"
import { observation } from "./observation.ts"
import * as Ownership from "./ownership.ts"
import { queues } from "./queues.ts"
import { renew } from "./renew.ts"
import { resumeOne } from "./resume.ts"
import { schedules } from "./schedules.ts"
import type { Settings } from "./settings.ts"
import * as Sweep from "./sweep.ts"
import { transaction } from "./transaction.ts"
import { within } from "./within.ts"
import * as Workflow from "./workflow.ts"
import { write } from "./write.ts"

export const make = (connections: Connections, client: SqlClient, settings: Settings): StoreService => ({
  name: "sqlite",
  ...queues(connections),
  ...messages(connections),
  ...schedules(connections),
  ...management(connections),
  ...inspection(connections),
  ...archive(connections),
  ...observation(connections),

  now: connections.read("read the clock", Clock.now),
  adjustClock: (byMs) => connections.write("adjust the clock", (database) => Clock.adjust(database, byMs)),

  write: (batch) => batch.length === 0 ? Effect.succeed([]) : write(connections, batch),
  renew: (life) => connections.write("begin a workflow anew", (database) => renew(database, life, Clock.now(database))),

  join: (executor, leaseMs) =>
    connections.write("register the executor", (database) => Executor.join(database, executor, leaseMs)),
  heartbeat: (incarnation, leaseMs, ended) =>
    connections.write("renew the lease", (database) => Executor.heartbeat(database, incarnation, leaseMs, ended)),
  lapse: (incarnations) => connections.write("end leases", (database) => Executor.lapse(database, incarnations)),
  leave: (incarnation) =>
    connections.write("give the workflows back", (database) => Executor.leave(database, incarnation)),

  claim: (options) =>
    connections.read("look for due workflows", (database) => Claim.look(database, options)).pipe(
      Effect.flatMap(({ isDue, nextDueAt, now, waiting }) =>
        isDue && options.limit > 0
          ? connections.write("claim workflows", (database) => Claim.claim(database, options))
          : Effect.succeed({ now, claimed: [], nextDueAt, contended: false, waiting })
      )
    ),
  owned: (incarnation) =>
    connections.read("look for what is owned", (database) => Ownership.ownedBy(database, incarnation)),
  history: (workflowId, after) =>
    connections.read("read the history", (database) => History.page(database, workflowId, after)),
  sweep: (limit) =>
    connections.read("look for lost workflows", Sweep.look).pipe(
      Effect.flatMap((found) =>
        found
          ? connections.write("recover workflows", (database) => Sweep.sweep(database, limit))
          : Effect.succeed(Sweep.nothing)
      )
    ),

  cancel: (workflowIds, options) =>
    connections.write("cancel workflows", (database) => cancel(database, workflowIds, options, Clock.now(database))),
  resume: (workflowIds) =>
    connections.write("resume workflows", (database) => {
      const now = Clock.now(database)
      return workflowIds.map((workflowId) => resumeOne(database, workflowId, now))
    }),

  get: (workflowId) => connections.read("read a workflow", (database) => Workflow.get(database, workflowId)),
  list: (filter) => connections.read("list workflows", (database) => Workflow.list(database, filter)),
  steps: (workflowId, page) => connections.read("list steps", (database) => History.steps(database, workflowId, page)),
  outcomes: (workflowIds) => connections.read("read outcomes", (database) => Workflow.outcomes(database, workflowIds)),

  transaction: (workflowId, epoch, body, record, options) =>
    transaction(connections, client, workflowId, epoch, body, record, options),
  within: (starts, sends) => within(connections, client, starts, sends),

  ...Hints.make(connections.writer, settings.hintIntervalMs)
})
