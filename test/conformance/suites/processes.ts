import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { spawn } from "node:child_process"
import { programOf } from "../../programs.ts"
import type { Suite, Target } from "../Backend.ts"
import { historyOf, lapse, sweep } from "../verbs.ts"

/** Runs one process to its end; what it printed. */
const run = (target: Target, ...args: ReadonlyArray<string>) =>
  Effect.callback<string>((resume) => {
    const script = programOf("test/conformance/process.ts")
    const child = spawn(process.execPath, [script, JSON.stringify(target), ...args], {
      stdio: ["ignore", "pipe", "pipe"]
    })
    let out = ""
    let errors = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => out += text)
    child.stderr.setEncoding("utf8").on("data", (text: string) => errors += text)
    child.once("close", (code) => {
      resume(code === 0 ? Effect.succeed(out) : Effect.die(new Error(`exit code ${code}: ${errors}`)))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })

export const processes: Suite = (claim) => {
  claim(
    "three processes share the tables: each workflow is run once, by one of them, to its end",
    (given) =>
      Effect.gen(function*() {
        const names = ["one", "two", "three"]
        const count = 60
        const total = String(count * names.length)
        const printed = yield* Effect.forEach(names, (name) => run(given.target, name, String(count), total), {
          concurrency: "unbounded"
        })
        const ran = printed.map((text) => JSON.parse(text) as ReadonlyArray<string>)
        const ids = names.flatMap((name) => Array.from({ length: count }, (_, index) => `${name}-${index}`))
        assert.deepStrictEqual(ran.flat().sort(), ids.sort())
        for (const [index, mine] of ran.entries()) {
          for (const id of mine) {
            const history = yield* historyOf(given.store, id)
            assert.deepStrictEqual(
              history.map(({ value }) => value),
              Array.from({ length: 3 }, () => `"${names[index]}"`)
            )
          }
        }
      })
  )

  claim(
    "what a killed process has left is run to its end by the next, and no record is lost or doubled",
    (given) =>
      Effect.gen(function*() {
        const { store, target } = given
        const total = 60
        const doneIds = Effect.map(
          store.list({ status: ["SUCCESS"], order: "asc", limit: 1_000 }),
          (rows) => rows.map(({ workflowId }) => workflowId)
        )
        for (const round of [1, 2, 3]) {
          const first = yield* Effect.forkChild(run(target, `killed ${round}`, String(total), "1000"))
          let before: ReadonlyArray<string> = []
          while (before.length < total * (round - 1) + 10) before = yield* doneIds
          yield* Fiber.interrupt(first)
          yield* lapse(store)
          yield* sweep(store)
          yield* run(target, `next ${round}`, "0", String(total * round))
          const after = yield* doneIds
          assert.includeMembers(after, [...before])
          for (const id of after) assert.lengthOf(yield* historyOf(store, id), 3)
        }
      })
  )

  claim("clients that open empty tables at the same time all find them made", (given) =>
    Effect.gen(function*() {
      const target = yield* given.elsewhere
      const clients = yield* Effect.all(Array.from({ length: 10 }, () => given.connect(target)), {
        concurrency: "unbounded"
      })
      for (const { store } of clients) assert.isNull(yield* store.get("nobody"))
    }))
}
