/** An application that runs workflows until it is told to stop, and does what the test asks for. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Client, Engine } from "perdure"
import { counters } from "../../counters.ts"
import { exitText } from "../harness/exitText.ts"
import { Gate, layer as gated } from "../harness/gate.ts"
import { type Place, storeLayer } from "../harness/Place.ts"
import { obey, say } from "../harness/voice.ts"
import * as Jobs from "../workflows/jobs.ts"
import * as Stubborn from "../workflows/stubborn.ts"
import * as World from "../workflows/World.ts"
import type { Role } from "./Role.ts"

export interface Config {
  readonly place: Place
  readonly log: string
  readonly engine?: Engine.Options
  readonly mended?: boolean
  /** Whether its writes wait on their way from the beginning, until it is told to `open`. */
  readonly shut?: boolean
  /** Whether side effects wait for the disk. Default: true. */
  readonly sync?: boolean
}

const definitions: { readonly [name: string]: any } = { ...Jobs, ...Stubborn, ...Stubborn.stubborn }

export const play: Role = (config: Config) => {
  const gate = new Gate(config.shut !== true)
  const store = Layer.provideMerge(gated(gate), storeLayer(config.place))
  const engine = Engine.layer({
    executorId: String(process.pid),
    // Not one that a slow machine loses unasked: where a lapse is what is tested, its test says how long it is.
    lease: "10 seconds",
    heartbeat: "300 millis",
    poll: "100 millis",
    ...config.engine
  })
  const workflows = Layer.provide(
    Layer.mergeAll(Jobs.live({ mended: config.mended === true }), Stubborn.live),
    World.layer(config.log, undefined, config.sync)
  )
  return serve(gate).pipe(Effect.provide(workflows), Effect.provide(engine), Effect.provide(store))
}

interface Asked {
  readonly name: string
  readonly payload?: unknown
  readonly workflowId: string
  readonly timeout?: string
}

const serve = Effect.fnUntraced(function*(gate: Gate) {
  const context = yield* Effect.context<Engine.Engine | SqlClient>()
  let loading = 0
  let stopped = false
  /** Starts one, and when that is acknowledged says so and waits for its end. */
  const load = (prefix: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const workflowId = `${prefix}-${loading++}`
      return definitions["Entry"].start({ amount: 1 }, { workflowId }).pipe(
        Effect.tap(() => say("accepted", { workflowId })),
        Effect.flatMap((handle: any) => handle.result),
        Effect.catchCause((cause: unknown) => say("refused", { workflowId, cause: String(cause) })),
        Effect.provide(context)
      )
    })
  const commands = {
    counters: () => counters,
    open: () => Effect.sync(() => void gate.latch.openUnsafe()),
    waiting: () => Effect.sync(() => ({ writes: gate.waiting })),
    start: ({ name, payload, timeout, workflowId }: Asked) =>
      Effect.asVoid(definitions[name].start(payload, { workflowId, ...(timeout === undefined ? {} : { timeout }) })),
    execute: ({ name, payload, times = 1, workflowId }: Asked & { readonly times?: number }) =>
      Effect.map(
        Effect.forEach(
          Array.from({ length: times }),
          () => Effect.exit(definitions[name].execute(payload, { workflowId })),
          { concurrency: "unbounded" }
        ),
        (exits) => ({ outcomes: exits.map(exitText) })
      ),
    cancel: ({ workflowId }: Asked) => Client.cancel(workflowId),
    sql: ({ text }: { readonly text: string }) =>
      Effect.flatMap(SqlClient, (sql) => Effect.map(sql.unsafe(text), (rows) => ({ rows }))),
    load: ({ lanes, prefix }: { readonly prefix: string; readonly lanes: number }) =>
      Effect.forEach(
        Array.from({ length: lanes }),
        () => Effect.repeat(load(prefix), { until: () => stopped }),
        { concurrency: "unbounded", discard: true }
      ),
    unload: () => Effect.sync(() => void (stopped = true))
  }
  yield* obey(
    Object.fromEntries(
      Object.entries(commands).map(([name, command]) => [
        name,
        (asked: any) => Effect.provide(command(asked) as Effect.Effect<object | void, unknown>, context)
      ])
    )
  )
  yield* say("ready")
  return yield* Effect.never
})
