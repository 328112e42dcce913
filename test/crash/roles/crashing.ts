/**
 * Ends the workflow that its predecessor was killed in and reports it, then runs the next one, to be killed in it.
 * One process for each crash: the recovery of one is the start of the next.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import { SqlClient } from "effect/sql/SqlClient"
import { Client, Engine } from "perdure"
import { Store } from "perdure/Store"
import { counters } from "../../counters.ts"
import { exitText } from "../harness/exitText.ts"
import { Fault, layer as faulty, type When } from "../harness/faults.ts"
import { type Place, storeLayer } from "../harness/Place.ts"
import * as SideEffects from "../harness/sideEffects.ts"
import { say } from "../harness/voice.ts"
import { live, type Variant, variants } from "../workflows/reference.ts"
import * as World from "../workflows/World.ts"
import type { Role } from "./Role.ts"

export interface Config {
  readonly place: Place
  readonly log: string
  readonly variant: Variant
  /** The workflow that is to be ended, and where that kills this process once more; 0: nowhere. */
  readonly finish: Killed | null
  /** The workflow that is to be run, and where it kills this process; 0: nowhere. */
  readonly next: Killed | null
}

export interface Killed {
  readonly workflowId: string
  readonly at: number
  readonly when: When
}

export const play: Role = (config: Config) => {
  const fault = new Fault()
  const store = Layer.provideMerge(faulty(fault), storeLayer(config.place))
  return Effect.provide(playOn(config, fault), store)
}

const playOn = Effect.fnUntraced(function*(config: Config, fault: Fault) {
  yield* Effect.flatMap(SqlClient, (sql) => sql`CREATE TABLE IF NOT EXISTS ledger (workflow_id TEXT, amount INTEGER)`)
  // Before the engine is there, so that nothing can have been recovered yet.
  if (config.finish !== null) {
    const happened = SideEffects.read(config.log).length
    yield* say("found", { ...(yield* stateOf(config.finish.workflowId)), happened })
  }
  const holding = yield* Queue.unbounded<void>()
  const engine = Engine.layer({
    // Who comes next is on the same machine and waits for its end only where rollbacks follow a cancel.
    lease: "6 seconds",
    heartbeat: "200 millis",
    poll: "100 millis",
    suspendAfter: "100 millis"
  })
  const world = World.layer(config.log, () => Effect.asVoid(Queue.offer(holding, undefined)))
  const layers = Layer.provideMerge(Layer.provide(live, world), engine)
  const body = Effect.gen(function*() {
    if (config.finish !== null) {
      fault.arm(config.finish.at, config.finish.when)
      yield* runToEnd(config.variant, config.finish.workflowId, Queue.take(holding), "recovered")
    }
    if (config.next === null) return
    fault.arm(config.next.at, config.next.when)
    yield* runToEnd(config.variant, config.next.workflowId, Queue.take(holding), "undisturbed")
    yield* say("unreached", { calls: fault.calls })
  })
  yield* Effect.provide(body, layers)
})

/** Starts it, or attaches to it, as a caller does that does not know what became of its first call. */
const runToEnd = Effect.fnUntraced(function*(
  variant: Variant,
  workflowId: string,
  holding: Effect.Effect<void>,
  tag: string
) {
  // Where it holds, it is cancelled: once in each process, since a killed one may not have come to it.
  if (variant === "Holding") yield* Effect.forkScoped(Effect.andThen(holding, Client.cancel(workflowId)))
  const exit = yield* Effect.exit(variants[variant].execute(undefined, { workflowId }))
  const store = yield* Store
  const children = yield* store.list({ parentId: workflowId, order: "asc", limit: 100 })
  yield* Effect.forEach(children, (child) => Effect.exit(Client.result(child.workflowId)))
  yield* say(tag, { workflowId, outcome: exitText(exit), ...(yield* stateOf(workflowId)), counters: yield* counters })
}, Effect.scoped)

const stateOf = Effect.fnUntraced(function*(workflowId: string) {
  const store = yield* Store
  const sql = yield* SqlClient
  const children = yield* store.list({ parentId: workflowId, order: "asc", limit: 100 })
  const row = yield* store.get(workflowId)
  return {
    status: row?.status ?? null,
    phase: row?.phase ?? null,
    steps: yield* store.steps(workflowId),
    children: yield* Effect.forEach(children, (child) =>
      Effect.map(store.steps(child.workflowId), (steps) => ({
        workflowId: child.workflowId,
        status: child.status,
        steps
      }))),
    ledger: yield* sql`SELECT * FROM ledger WHERE workflow_id = ${workflowId}`
  }
})
