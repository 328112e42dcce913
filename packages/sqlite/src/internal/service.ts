/** The contract's methods, each one transaction over the statements of its concept. */
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { StoreService } from "perdure/Store"
import { cancel } from "./cancel.ts"
import * as Claim from "./claim.ts"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import * as Delay from "./delay.ts"
import * as Entry from "./entry.ts"
import * as Event from "./event.ts"
import * as Executor from "./executor.ts"
import { hints } from "./hints.ts"
import * as History from "./history.ts"
import * as Mailbox from "./mailbox.ts"
import * as Message from "./message.ts"
import * as Ownership from "./ownership.ts"
import * as Place from "./place.ts"
import * as Queue from "./queue.ts"
import { resumeOne } from "./resume.ts"
import type { Settings } from "./settings.ts"
import * as Sweep from "./sweep.ts"
import { transaction } from "./transaction.ts"
import * as Waiter from "./waiter.ts"
import * as Workflow from "./workflow.ts"
import { write } from "./write.ts"

export const make = (connections: Connections, client: SqlClient, settings: Settings): StoreService => (({
  name: "sqlite",

  now: connections.read("read the clock", Clock.now),
  adjustClock: (byMs: number) => connections.write("adjust the clock", (database) => Clock.adjust(database, byMs)),

  write: (batch: Parameters<StoreService["write"]>[0]) =>
    batch.length === 0 ? Effect.succeed([]) : write(connections, batch),

  join: (executor: Parameters<StoreService["join"]>[0], leaseMs: number) =>
    connections.write("register the executor", (database) => Executor.join(database, executor, leaseMs)),
  heartbeat: (incarnation: string, leaseMs: number) =>
    connections.write("renew the lease", (database) => Executor.heartbeat(database, incarnation, leaseMs)),
  leave: (incarnation: string) =>
    connections.write("give the workflows back", (database) => Executor.leave(database, incarnation)),

  claim: (options: Parameters<StoreService["claim"]>[0]) =>
    connections.read("look for due workflows", (database) => Claim.look(database, options)).pipe(
      Effect.flatMap(({ isDue, nextDueAt, now }) =>
        isDue && options.limit > 0
          ? connections.write("claim workflows", (database) => Claim.claim(database, options))
          : Effect.succeed({ now, claimed: [], nextDueAt, contended: false })
      )
    ),
  owned: (incarnation: string) =>
    connections.read("look for what is owned", (database) => Ownership.ownedBy(database, incarnation)),
  history: (workflowId: string, after: number) =>
    connections.read("read the history", (database) => History.page(database, workflowId, after)),
  sweep: (limit: number) =>
    connections.read("look for lost workflows", Sweep.look).pipe(
      Effect.flatMap((found) =>
        found
          ? connections.write("recover workflows", (database) => Sweep.sweep(database, limit))
          : Effect.succeed(Sweep.nothing)
      )
    ),

  cancel: (workflowIds: ReadonlyArray<string>, options: Parameters<StoreService["cancel"]>[1]) =>
    connections.write("cancel workflows", (database) => cancel(database, workflowIds, options, Clock.now(database))),
  resume: (workflowIds: ReadonlyArray<string>) =>
    connections.write("resume workflows", (database) => {
      const now = Clock.now(database)
      return workflowIds.map((workflowId) => resumeOne(database, workflowId, now))
    }),

  inboxes: (workflowIds: ReadonlyArray<string>) =>
    connections.read("read inboxes", (database) => Mailbox.inboxes(database, workflowIds)),
  messages: (workflowId: string, options: Parameters<StoreService["messages"]>[1]) =>
    connections.read("read messages", (database) => Message.messages(database, workflowId, options)),
  events: (workflowId: string) => connections.read("read events", (database) => Event.events(database, workflowId)),
  eventValues: (asked: Parameters<StoreService["eventValues"]>[0]) =>
    connections.read("read events", (database) => asked.map((one) => Event.answer(database, one.workflowId, one.key))),
  streams: (workflowId: string) => connections.read("list streams", (database) => Entry.streams(database, workflowId)),
  readStreams: (reads: Parameters<StoreService["readStreams"]>[0]) =>
    connections.read("read streams", (database) => reads.map((one) => Entry.read(database, one))),
  awaited: (workflowId: string) =>
    connections.read("read what is awaited", (database) => Waiter.awaitedBy(database, workflowId)),

  registerQueue: (name: string, limits: Parameters<StoreService["registerQueue"]>[1]) =>
    connections.read("read a queue", (database) => Queue.isDeclared(database, name, limits)).pipe(
      Effect.flatMap((same) =>
        same ?
          Effect.void :
          connections.write(
            "register a queue",
            (database) => Queue.register(database, name, limits, Clock.now(database))
          )
      )
    ),
  setQueue: (name: string, change: Parameters<StoreService["setQueue"]>[1]) =>
    connections.write("change a queue", (database) => Queue.set(database, name, change, Clock.now(database))),
  queues: (names: ReadonlyArray<string> | null) =>
    connections.read("list queues", (database) => Queue.list(database, names)),
  deleteQueue: (name: string) => connections.write("delete a queue", (database) => Queue.remove(database, name)),
  setPriority: (workflowId: string, priority: number) =>
    connections.write(
      "set a priority",
      (database) => Place.setPriority(database, workflowId, priority, Clock.now(database))
    ),
  setDelay: (workflowId: string, delayMs: number) =>
    connections.write("set a delay", (database) => Delay.set(database, workflowId, delayMs, Clock.now(database))),
  position: (workflowId: string, limit: number) =>
    connections.read("read a position", (database) => Place.position(database, workflowId, limit)),

  get: (workflowId: string) => connections.read("read a workflow", (database) => Workflow.get(database, workflowId)),
  list: (filter: Parameters<StoreService["list"]>[0]) =>
    connections.read("list workflows", (database) => Workflow.list(database, filter)),
  steps: (workflowId: string) => connections.read("list steps", (database) => History.steps(database, workflowId)),
  outcomes: (workflowIds: ReadonlyArray<string>) =>
    connections.read("read outcomes", (database) => Workflow.outcomes(database, workflowIds)),

  transaction: (workflowId: string, epoch: number, body: any, record: any, options: any) =>
    transaction(connections, client, workflowId, epoch, body, record, options),

  // Other processes see the commit itself: see `hints.ts`.
  hint: () => Effect.void,
  hints: hints(connections.writer, settings.hintIntervalMs)
}) as any) // WIP
