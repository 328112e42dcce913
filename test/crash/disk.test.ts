/**
 * What may befall the file of a SQLite store under load: no room, a disk that refuses, a lock that somebody holds. Hunts
 * for a process that ends or hangs, a start that was acknowledged and is gone, a transaction that was committed twice.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { SqlClient } from "effect/sql/SqlClient"
import { DatabaseSync } from "node:sqlite"
import { setTimeout } from "node:timers/promises"
import { Client } from "perdure"
import { eventually } from "./harness/eventually.ts"
import * as Lab from "./harness/Lab.ts"
import * as Load from "./harness/load.ts"
import type { Program } from "./harness/Program.ts"

/** In all, and from when on somebody waits who is refused after 10 seconds. */
const heldMs = process.env["PERDURE_LONG"] === "1" ? 30_000 : 10_000
const awaitedMs = 1_000

/** Of a process, in blocks of 512 bytes: what it writes beyond that in any file is refused by the system. */
const limitedTo = (blocks: number) => ["sh", "-c", `ulimit -S -f ${blocks} && exec "$0" "$@"`]

const failures = (program: Program) =>
  Effect.map(program.ask({ do: "counters" }), (counters) => (counters["perdure_journal_failures"] ?? 0) as number)

/** It says what is wrong, and goes on to ask. */
const isHeldUp = Effect.fnUntraced(function*(program: Program, message: string) {
  const before = yield* failures(program)
  yield* eventually(
    message,
    Effect.map(failures(program), (now) => now >= before + 2 && program.tail.includes(message)),
    { state: () => program.state }
  )
})

const assertIntact = Effect.gen(function*() {
  const sql = yield* SqlClient
  assert.deepStrictEqual(yield* sql`PRAGMA integrity_check`, [{ integrity_check: "ok" }])
})

describe("a SQLite store under load", () => {
  it.live("waits when there is no room, says so, and goes on when there is", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make("sqlite")
      yield* Effect.gen(function*() {
        yield* Load.createLedger
        const program = yield* lab.run("executor", { sync: false })
        yield* Load.begin([program], 10)
        for (let round = 0; round < 3; round++) {
          yield* Load.goOn([program], 20)
          const { rows: [{ page_count }] } = yield* program.ask({ do: "sql", text: "PRAGMA page_count" })
          yield* program.ask({ do: "sql", text: `PRAGMA max_page_count = ${page_count + 20}` })
          yield* isHeldUp(program, "database or disk is full. Free some space on the disk.")
          // What is there is to be seen.
          yield* Client.list({ name: "Entry", limit: 10 })
          yield* program.ask({ do: "sql", text: "PRAGMA max_page_count = 1000000" })
        }
        yield* Load.goOn([program], 20)
        yield* Load.end([program])
        console.log(`sqlite: ${yield* Load.assertKept([program])} workflows through 3 times without room`)
        yield* assertIntact
      }).pipe(Effect.provide(lab.client))
    }))

  it.live.skipIf(process.platform === "win32")(
    "waits while the system refuses its writes, and goes on afterwards",
    () =>
      Effect.gen(function*() {
        const lab = yield* Lab.make("sqlite")
        yield* Effect.gen(function*() {
          yield* Load.createLedger
          const program = yield* lab.run("executor", { sync: false }, limitedTo(4096))
          yield* Load.begin([program], 10)
          for (let round = 0; round < 3; round++) {
            yield* isHeldUp(program, "disk I/O error. Check that the disk has space")
            yield* emptyLog(lab)
            yield* Load.goOn([program], 20)
          }
          program.tell({ do: "unload" })
          yield* eventually(
            "all to end, with room for the log now and then",
            Effect.andThen(emptyLog(lab), Effect.sync(() => program.said.some((message) => message.tag === "load"))),
            { state: () => program.state }
          )
          console.log(`sqlite: ${yield* Load.assertKept([program])} workflows through writes that were refused`)
          yield* assertIntact
        }).pipe(Effect.provide(lab.client))
      })
  )

  it.live("waits while another process holds the file for long, and nobody is refused", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make("sqlite")
      yield* Effect.gen(function*() {
        yield* Load.createLedger
        const short = { sync: false, engine: { lease: "1500 millis" } }
        const programs = yield* Effect.all([lab.run("executor", short), lab.run("executor", short)])
        yield* Load.begin(programs, 5)
        yield* Load.goOn(programs, 20)
        yield* programs[0].ask({ do: "start", name: "Job", workflowId: "long", payload: { steps: 1000, workMs: 1000 } })
        const holder = yield* lab.run("holder")
        yield* holder.hear("held")
        // The lock is what is tested, not a wait for something. It outlasts the leases.
        yield* Effect.promise(() => setTimeout(heldMs - awaitedMs))
        const asked = [...programs.keys()].map((index) => `asked-${index}`)
        for (const [index, program] of programs.entries()) {
          program.tell({ do: "execute", name: "Entry", payload: { amount: 1 }, workflowId: asked[index] })
        }
        const cancel = yield* Effect.forkChild(Client.cancel("long"), { startImmediately: true })
        yield* Effect.promise(() => setTimeout(awaitedMs))
        assert.isUndefined(cancel.pollUnsafe())
        for (const program of programs) assert.isFalse(program.said.some((message) => message.tag === "execute"))
        yield* holder.kill
        yield* Fiber.join(cancel)
        assert.strictEqual((yield* Client.get("long")).status, "CANCELLED")
        for (const program of programs) {
          assert.deepStrictEqual((yield* program.hear("execute"))["outcomes"], ["success: 3"])
        }
        for (const program of programs) {
          yield* eventually(
            "a lease to be lost, and another to be had",
            Effect.map(program.ask({ do: "counters" }), (counters) => counters["perdure_leases_lost"] > 0),
            { state: () => program.state }
          )
        }
        yield* Load.goOn(programs, 20)
        yield* Load.end(programs)
        console.log(`sqlite: ${yield* Load.assertKept(programs)} workflows through a lock of ${heldMs / 1000} s`)
        yield* assertIntact
      }).pipe(Effect.provide(lab.client))
    }))
})

/** Copies the log into the file and cuts it, unless somebody reads it. */
const emptyLog = (lab: Lab.Lab) =>
  eventually(
    "the log to be emptied",
    Effect.sync(() => {
      if (lab.place.kind !== "sqlite") return true
      const database = new DatabaseSync(lab.place.filename)
      try {
        return database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()!["busy"] === 0
      } finally {
        database.close()
      }
    })
  )
