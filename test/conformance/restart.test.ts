import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { StoreError } from "perdure/Store"
import { startPostgres } from "../postgres/server.ts"
import { waitFor } from "../waitFor.ts"
import { advance, record, start } from "./builders.ts"
import { connect } from "./postgres.ts"
import { historyOf, join, startOwned, write } from "./verbs.ts"

const server = Effect.acquireRelease(
  Effect.promise(() => startPostgres({ fsync: true })),
  (server) => Effect.promise(() => server.close())
)

const targetOf = (url: string) => ({ kind: "postgres", url, schema: "perdure" }) as const

describe("the Store on a PostgreSQL that is restarted", () => {
  it.live("is unavailable while the server is down, says so at once, and works again after it", () =>
    Effect.gen(function*() {
      const postgres = yield* server
      const { store } = yield* connect(targetOf(postgres.url))
      yield* join(store, "i")
      yield* startOwned(store, "w", "i")
      yield* Effect.promise(() => postgres.stop())
      const operation = advance("w", 1, { records: [record(0)] })
      for (
        const failing of [
          store.write([operation]),
          store.now,
          store.heartbeat("i", 60_000, []),
          store.get("w"),
          store.sweep(10)
        ] as ReadonlyArray<Effect.Effect<unknown, StoreError>>
      ) {
        const error = yield* Effect.flip(failing)
        assert.deepStrictEqual([error._tag, error.reason._tag], ["StoreError", "StoreUnavailable"])
      }
      const scope = yield* Scope.make()
      const building = yield* Effect.exit(Effect.provideService(connect(targetOf(postgres.url)), Scope.Scope, scope))
      assert.isTrue(Exit.isFailure(building))
      yield* Effect.promise(() => postgres.start())
      const answers = yield* Effect.retry(write(store, [operation]), {
        while: (error) => error.isRetryable,
        times: 100
      })
      assert.deepStrictEqual(answers, [{ _tag: "Recorded", children: [] }])
      assert.isTrue((yield* Effect.retry(store.heartbeat("i", 60_000, []), { times: 100 })).alive)
      assert.deepStrictEqual(yield* historyOf(store, "w"), [record(0)])
    }))

  it.live("keeps what it acknowledged, once, through crashes of the server under load", () =>
    Effect.gen(function*() {
      const postgres = yield* server
      const { store } = yield* connect(targetOf(postgres.url))
      yield* join(store, "i")
      const persist = (batch: Parameters<typeof write>[1]) =>
        Effect.retry(Effect.andThen(Effect.yieldNow, write(store, batch)), {
          while: (error) => error.isRetryable,
          times: 100_000
        })
      let crashing = true
      let acknowledgements = 0
      const lanes = Array.from({ length: 8 }, (_, lane) => lane)
      const work = (lane: number) =>
        Effect.gen(function*() {
          const acknowledged: Array<string> = []
          for (let count = 0; crashing || count < 20; count++) {
            const workflowId = `${lane}-${count}`
            const [started] = yield* persist([start({ workflowId, owner: "i" })])
            assert.deepStrictEqual(started, { _tag: "Started" })
            const [written] = yield* persist([advance(workflowId, 1, { records: [record(0)] })])
            assert.deepStrictEqual(written, { _tag: "Recorded", children: [] })
            acknowledged.push(workflowId)
            acknowledgements++
          }
          return acknowledged
        })
      const crash = Effect.promise(async () => {
        for (const how of ["restart", "kill", "restart", "kill"]) {
          const enough = acknowledgements + 50
          await waitFor("the writers to be at work", () => acknowledgements >= enough)
          await (how === "kill" ? postgres.kill().then(postgres.start) : postgres.restart("immediate"))
        }
        crashing = false
      })
      const [ids] = yield* Effect.all([Effect.forEach(lanes, work, { concurrency: "unbounded" }), crash], {
        concurrency: "unbounded"
      })
      assert.isAtLeast(ids.flat().length, 8 * 20)
      for (const id of ids.flat()) assert.deepStrictEqual(yield* historyOf(store, id), [record(0)])
    }))
})
