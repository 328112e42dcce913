/**
 * PostgreSQL that crashes under load, and is away for long. Hunts for a process that ends or hangs, a start that was
 * acknowledged and is gone, a transaction that was committed twice because the answer to the first was lost.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { setTimeout } from "node:timers/promises"
import { startPostgres } from "../postgres/server.ts"
import * as Lab from "./harness/Lab.ts"
import * as Load from "./harness/load.ts"

const awayMs = process.env["PERDURE_LONG"] === "1" ? 30_000 : 10_000
const server = Effect.acquireRelease(
  Effect.promise(() => startPostgres({ fsync: true })),
  (server) => Effect.promise(() => server.close())
)

it.live("processes survive crashes and a long absence of PostgreSQL, and lose nothing", () =>
  Effect.gen(function*() {
    const postgres = yield* server
    const lab = yield* Lab.onDatabase(postgres.url)
    yield* Effect.gen(function*() {
      yield* Load.createLedger
      // The absence outlasts their leases.
      const short = { sync: false, engine: { lease: "1500 millis" } }
      const programs = yield* Effect.all([lab.run("executor", short), lab.run("executor", short)])
      yield* Load.begin(programs, 20)
      for (let crash = 0; crash < 3; crash++) {
        yield* Load.goOn(programs, 50)
        yield* Effect.promise(() => postgres.restart("immediate"))
      }
      yield* Load.goOn(programs, 50)
      yield* Effect.promise(() => postgres.stop("immediate"))
      // The absence is what is tested, not a wait for something.
      yield* Effect.promise(() => setTimeout(awayMs))
      yield* Effect.promise(() => postgres.start())
      const backAt = Date.now()
      for (const program of programs) {
        const command = { do: "execute", name: "Entry", payload: { amount: 1 }, workflowId: `back-${program.pid}` }
        assert.deepStrictEqual((yield* program.ask(command))["outcomes"], ["success: 3"])
      }
      const tookMs = Date.now() - backAt
      console.log(`postgres: full service ${tookMs} ms after it was back from ${awayMs / 1000} s of absence`)
      yield* Load.goOn(programs, 50)
      yield* Load.end(programs)
      console.log(`postgres: ${yield* Load.assertKept(programs)} workflows through 3 crashes and an absence`)
    }).pipe(Effect.provide(lab.client))
  }))
