/** What a workflow costs the database, counted: reads, writes, statements. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Client, Engine, Step, Workflow } from "perdure"
import { Store, type StoreService } from "perdure/Store"
import { startPostgres } from "../postgres/server.ts"
import { eventually } from "./harness/eventually.ts"
import { type Place, storeLayer } from "./harness/Place.ts"

const Counted = Workflow.make("Counted", {
  payload: { steps: Schema.Int, thenWait: Schema.Boolean },
  success: Schema.Int
})

const CountedLive = Counted.toLayer(Effect.fnUntraced(function*({ steps, thenWait }) {
  for (let step = 0; step < steps; step++) yield* Step.run(`step ${step}`, Effect.succeed(step))
  if (thenWait) yield* Effect.sleep("2 days")
  return steps
}))

/** Calls of the store's verbs, and what they carried. */
class Counts {
  readonly calls = new Map<string, number>()
  operations = 0
  readonly histories: Array<number> = []
  call(verb: string): void {
    this.calls.set(verb, (this.calls.get(verb) ?? 0) + 1)
  }
  of(...verbs: ReadonlyArray<string>): number {
    return verbs.reduce((sum, verb) => sum + (this.calls.get(verb) ?? 0), 0)
  }
}

const reads = ["history", "get", "list", "steps", "outcomes", "claim", "now"]

const counting = (counts: Counts): Layer.Layer<Store, never, Store> =>
  Layer.effect(
    Store,
    Effect.map(Store, (store): StoreService => {
      // Hints are a stream.
      const count = (verb: string, answer: unknown) =>
        Effect.isEffect(answer) ? Effect.andThen(Effect.sync(() => counts.call(verb)), answer) : answer
      const counted = (verb: string, member: unknown) =>
        typeof member === "function"
          ? (...args: ReadonlyArray<unknown>) => count(verb, member(...args))
          : count(verb, member)
      const all = Object.fromEntries(Object.entries(store).map(([verb, member]) => [verb, counted(verb, member)]))
      return {
        ...all as unknown as StoreService,
        write: (batch) =>
          Effect.suspend(() => {
            counts.call("write")
            counts.operations += batch.length
            return store.write(batch)
          }),
        claim: (options) =>
          Effect.tap(store.claim(options), ({ claimed }) =>
            Effect.sync(() => {
              counts.call("claim")
              for (const { more, records } of claimed) counts.histories.push(more ? -1 : records.length)
            }))
      }
    })
  )

/** An engine whose loops do nothing unless they are asked to. */
const engineOn = (place: Place, counts: Counts) =>
  CountedLive.pipe(
    Layer.provideMerge(Engine.layer({
      lease: "3 hours",
      heartbeat: "1 hour",
      poll: "1 hour",
      suspendAfter: "50 millis"
    })),
    Layer.provideMerge(counting(counts)),
    Layer.provideMerge(storeLayer(place))
  )

const server = Effect.acquireRelease(
  Effect.promise(() => startPostgres({ settings: { log_statement: "all" } })),
  (server) => Effect.promise(() => server.close())
)

it.live("a workflow of n steps makes n + 1 writes and no read per step", () =>
  Effect.gen(function*() {
    const postgres = yield* server
    const counts = new Counts()
    yield* Effect.gen(function*() {
      const costOf = Effect.fnUntraced(function*(steps: number) {
        const statements = () => postgres.log().split("\n").filter((line) => /LOG: {2}(statement|execute)/.test(line))
        const before = { writes: counts.of("write"), reads: counts.of(...reads), statements: statements().length }
        yield* Counted.execute({ steps, thenWait: false })
        return {
          writes: counts.of("write") - before.writes,
          reads: counts.of(...reads) - before.reads,
          statements: statements().slice(before.statements)
        }
      })
      // When it has begun to listen it looks at everything once, and beats.
      yield* eventually("it to listen", Effect.sync(() => counts.of("heartbeat") >= 2))
      yield* costOf(1)
      const ten = yield* costOf(10)
      const twenty = yield* costOf(20)
      assert.strictEqual(ten.writes, 11)
      assert.strictEqual(twenty.writes, 21)
      assert.isAtMost(ten.reads, 3)
      assert.isAtMost(twenty.reads, 3)
      const perStep = (twenty.statements.length - ten.statements.length) / 10
      console.log(`postgres: ${perStep} statements per step, ${ten.reads} reads per workflow`)
      assert.isAtMost(perStep, 3.5, ten.statements.join("\n"))
    }).pipe(Effect.provide(engineOn({ kind: "postgres", url: postgres.url }, counts)))
  }))

it.live("the claim of a workflow of 100 recorded steps brings its history along", () =>
  Effect.gen(function*() {
    const postgres = yield* server
    const place = { kind: "postgres", url: postgres.url } as const
    yield* Effect.gen(function*() {
      yield* Counted.start({ steps: 100, thenWait: true }, { workflowId: "long" })
      yield* eventually(
        "the workflow to leave memory",
        Effect.map(Client.get("long"), (info) => info.waits.length > 0)
      )
    }).pipe(Effect.provide(engineOn(place, new Counts())))
    yield* Effect.provide(Effect.flatMap(Store, (store) => store.adjustClock(3 * 86_400_000)), storeLayer(place))
    const counts = new Counts()
    yield* Effect.gen(function*() {
      assert.strictEqual(yield* Counted.handle("long").result, 100)
      assert.deepStrictEqual(counts.histories, [100])
      assert.strictEqual(counts.of("history", "get", "steps", "list"), 0)
      assert.strictEqual(counts.of("write"), 1)
    }).pipe(Effect.provide(engineOn(place, counts)))
  }))

it.live("with 200 workflows of 10 steps under way a write carries more than 10 operations", () =>
  Effect.gen(function*() {
    const postgres = yield* server
    const counts = new Counts()
    yield* Effect.gen(function*() {
      const results = yield* Effect.forEach(
        Array.from({ length: 200 }),
        () => Counted.execute({ steps: 10, thenWait: false }),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(new Set(results), new Set([10]))
      const average = counts.operations / counts.of("write")
      console.log(`postgres: ${average.toFixed(1)} operations per write, ${counts.of("write")} writes`)
      assert.isAbove(average, 10)
    }).pipe(Effect.provide(engineOn({ kind: "postgres", url: postgres.url }, counts)))
  }))
