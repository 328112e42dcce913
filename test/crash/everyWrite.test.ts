/**
 * A crash at every durable write: for each n, a process is killed at its n-th durable call, before it or after it, and
 * the next process ends the workflow. Hunts for a step run again after its record, a record that changes, a transaction
 * that commits twice, a child or a rollback that is lost or doubled, and an outcome that depends on the crash.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { When } from "./harness/faults.ts"
import * as Lab from "./harness/Lab.ts"
import type { Message, Program } from "./harness/Program.ts"
import { assertRecovered, type FoundBy, type Report } from "./harness/recovered.ts"
import type { Variant } from "./workflows/reference.ts"

const hearFound = (program: Program) => Effect.map(program.hear("found"), (found) => found as FoundBy & Message)
const hearReport = (program: Program, tag: "recovered" | "undisturbed") =>
  Effect.map(program.hear(tag), (report) => report as Report & Message)

const idOf = (at: number): string => `w${at}`

/** Crashes it at every call until there is none left. */
const crashEverywhere = Effect.fnUntraced(function*(lab: Lab.Lab, variant: Variant, when: When) {
  const cases: Array<{ readonly at: number; readonly found: FoundBy; readonly recovered: Report }> = []
  for (let at = 1;; at++) {
    const program = yield* lab.run("crashing", {
      variant,
      finish: at === 1 ? null : { workflowId: idOf(at - 1), at: 0, when },
      next: { workflowId: idOf(at), at, when }
    })
    if (at > 1) {
      cases.push({ at: at - 1, found: yield* hearFound(program), recovered: yield* hearReport(program, "recovered") })
    }
    const { signal } = yield* program.exit()
    if (signal === "SIGKILL") continue
    const undisturbed = yield* hearReport(program, "undisturbed")
    const { calls } = yield* program.hear("unreached")
    return { cases, undisturbed, calls: calls as ReadonlyArray<string> }
  }
}, Effect.scoped)

/** Enough to be killed in the recovery of a recovery, few enough to come to an end. */
const mostKills = 6

/** Crashes one workflow again and again, in recovery too, at calls given by the seed; some get away. */
const crashAgain = Effect.fnUntraced(function*(lab: Lab.Lab, variant: Variant, seed: number) {
  const random = randomFrom(seed)
  const undisturbedProgram = yield* lab.run("crashing", {
    variant,
    finish: null,
    next: { workflowId: "undisturbed", at: 0, when: "before" }
  })
  const undisturbed = yield* hearReport(undisturbedProgram, "undisturbed")
  yield* undisturbedProgram.exit()
  const found: Array<FoundBy> = []
  while (true) {
    const program = yield* lab.run("crashing", {
      variant,
      finish: {
        workflowId: "again",
        at: found.length < mostKills ? 1 + random(5) : 0,
        when: random(2) === 0 ? "before" : "after"
      },
      next: null
    })
    found.push(yield* hearFound(program))
    const { signal } = yield* program.exit()
    if (signal === "SIGKILL") continue
    return { found, undisturbed, recovered: yield* hearReport(program, "recovered") }
  }
}, Effect.scoped)

const seedOfRun = Number(process.env["PERDURE_SEED"] ?? Math.floor(Math.random() * 2 ** 31))

/** Whole numbers below a limit (mulberry32). */
const randomFrom = (seed: number): (below: number) => number => {
  let state = seed | 0
  return (below) => {
    state = state + 0x6d2b79f5 | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) % below
  }
}

/** A limit against hanging only. */
const limitMs = 900_000

const recovering = ["Succeeding", "Failing", "Holding"] as const
type Recovering = (typeof recovering)[number]

const expected: { readonly [V in Recovering]: string } = {
  Succeeding: "success: \"reserve done, saved, 42, attempt 2, 1,4,9, true\"",
  Failing: "failure: Refused",
  Holding: "failure: WorkflowCancelled"
}

const claims: { readonly [V in Recovering]: string } = {
  Succeeding: "ends in the same success wherever it was killed",
  Failing: "ends in the same failure, rolled back, wherever it was killed",
  Holding: "ends cancelled, rolled back, wherever it was killed"
}

Lab.onBothStores("a workflow", (kind) => {
  describe.concurrent("killed at every durable write", () => {
    for (const when of ["before", "after"] as const) {
      it.live(`has each of its lives once wherever it was killed (${when} the write)`, () =>
        Effect.gen(function*() {
          const lab = yield* Lab.make(kind)
          const { calls, cases } = yield* crashEverywhere(lab, "Continuing", when)
          assert.include(calls, "renew")
          assert.isAtLeast(cases.length, 8, `only ${cases.length} crashes`)
          for (const { at, recovered } of cases) {
            const what = `${when} call ${at} (${calls[at - 1]})`
            assert.strictEqual(recovered.outcome, "success: \"second, done, saved\"", what)
            assert.deepStrictEqual(recovered.steps.map(({ name, stepId }) => [name, stepId]), [["step", 2], [
              "save",
              3
            ]], what)
            assert.strictEqual(recovered.ledger.length, 2, `${what}: a transaction of each life`)
            const ran = lab.sideEffects().filter(({ workflowId }) => workflowId === recovered.workflowId)
            const lives = ran.map(({ step }) => step).filter((step) => step !== "save")
            assert.includeMembers(lives, ["first step", "second step"], what)
            assert.deepStrictEqual(lives, lives.toSorted(), `${what}: no step of the first life after the second began`)
            const lost = recovered.counters["perdure_leases_lost"] ?? 0
            assert.isAtMost(lives.length, 3 + lost, `${what}: one step ran again at most`)
          }
        }), limitMs)
    }
    for (const variant of recovering) {
      for (const when of ["before", "after"] as const) {
        it.live(`${claims[variant]} (${when} the write)`, () =>
          Effect.gen(function*() {
            const lab = yield* Lab.make(kind)
            const { calls, cases, undisturbed } = yield* crashEverywhere(lab, variant, when)
            assert.strictEqual(undisturbed.outcome, expected[variant])
            assert.isAtLeast(cases.length, 10, `only ${cases.length} crashes`)
            for (const { at, found, recovered } of cases) {
              assertRecovered(`${when} call ${at} (${calls[at - 1]})`, {
                found: [found],
                recovered,
                undisturbed,
                sideEffects: lab.sideEffects()
              })
            }
          }), limitMs)
      }
      it.live(`${claims[variant]}, however often`, () =>
        Effect.gen(function*() {
          console.log(`${kind}, ${variant}: PERDURE_SEED=${seedOfRun}`)
          const lab = yield* Lab.make(kind)
          const recovery = yield* crashAgain(lab, variant, seedOfRun)
          assert.strictEqual(recovery.undisturbed.outcome, expected[variant])
          assertRecovered(`seed ${seedOfRun}`, { ...recovery, sideEffects: lab.sideEffects() })
        }), limitMs)
    }
  })
})
