/** The contract's methods of queues. */
import * as Effect from "effect/Effect"
import type { QueueStore } from "perdure/Store"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import * as Delay from "./delay.ts"
import * as Place from "./place.ts"
import * as Queue from "./queue.ts"

export const queues = (connections: Connections): QueueStore => ({
  registerQueue: (name, limits) =>
    connections.read("read a queue", (database) => Queue.isDeclared(database, name, limits)).pipe(
      Effect.flatMap((same) =>
        same
          ? Effect.void
          : connections.write("register a queue", (database) =>
            Queue.register(database, name, limits, Clock.now(database)))
      )
    ),
  setQueue: (name, change) =>
    connections.write("change a queue", (database) => Queue.set(database, name, change, Clock.now(database))),
  queues: (names) => connections.read("list queues", (database) => Queue.list(database, names)),
  rateFreeAt: (name) =>
    connections.read("read a rate", (database) => Queue.rateFreeAt(database, name, Clock.now(database))),
  deleteQueue: (name) => connections.write("delete a queue", (database) => Queue.remove(database, name)),
  setPriority: (workflowId, priority) =>
    connections.write(
      "set a priority",
      (database) => Place.setPriority(database, workflowId, priority, Clock.now(database))
    ),
  setDelay: (workflowId, delayMs) =>
    connections.write("set a delay", (database) => Delay.set(database, workflowId, delayMs, Clock.now(database)))
})
