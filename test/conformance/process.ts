/**
 * One of several processes on the same tables: starts workflows, claims whatever is due, and runs each from its history
 * to its end in three steps, until all of them are done. Prints what it ran.
 */
import * as Effect from "effect/Effect"
import type { Target } from "./Backend.ts"
import { advance, record, start, succeed } from "./builders.ts"
import { claim, join, submit, write } from "./verbs.ts"

const [, , target, me, count, total] = process.argv as [string, string, string, string, string, string]
const where = JSON.parse(target) as Target

const program = Effect.gen(function*() {
  const { connect } = yield* Effect.promise(() =>
    where.kind === "sqlite" ? import("./sqlite.ts") : import("./postgres.ts")
  )
  const { store } = yield* connect(where)
  yield* join(store, me)
  const ids = Array.from({ length: Number(count) }, (_, index) => `${me}-${index}`)
  for (const workflowId of ids) yield* submit(store, start({ workflowId }))
  const ran: Array<string> = []
  const deadline = Date.now() + 240_000
  while (Date.now() < deadline) {
    const { claimed } = yield* claim(store, me, { limit: 5 })
    for (const step of [0, 1, 2]) {
      const end = step === 2 ? succeed : null
      const records = [record(step, { value: `"${me}"` })]
      const batch = claimed.filter((one) => one.records.length <= step)
        .map(({ row }) => advance(row.workflowId, row.epoch, { records, end }))
      for (const { _tag } of yield* write(store, batch)) {
        if (_tag !== "Recorded") return yield* Effect.die(new Error(_tag))
      }
    }
    ran.push(...claimed.map(({ row }) => row.workflowId))
    const done = yield* store.list({ status: ["SUCCESS"], order: "asc", limit: 10_000 })
    if (done.length === Number(total)) return ran
    if (claimed.length === 0) {
      // A killed process's last claim may be committed after anybody has swept: so it is done again and again.
      yield* store.sweep(100)
      yield* Effect.sleep(5)
    }
  }
  return yield* Effect.die(new Error("the workflows do not end"))
})

console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(program))))
