/**
 * Cancel and timeout, by the process that runs the workflow and by another. Hunts for a step that goes on, a body that
 * goes on, a rollback that does not run, and a deadline that dies with its process.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client } from "perdure"
import { Store } from "perdure/Store"
import { eventually } from "./harness/eventually.ts"
import * as Lab from "./harness/Lab.ts"
import type { Program } from "./harness/Program.ts"
import { Kin, Parent, stubborn } from "./workflows/stubborn.ts"

const names = Object.keys(stubborn) as ReadonlyArray<keyof typeof stubborn>

const did = (lab: Lab.Lab, workflowId: string): ReadonlyArray<string> =>
  lab.sideEffects().filter((effect) => effect.workflowId === workflowId).map((effect) => effect.step)

const until = (lab: Lab.Lab, workflowId: string, step: string, programs: ReadonlyArray<Program>) =>
  eventually(`${step} in ${workflowId}`, Effect.sync(() => did(lab, workflowId).includes(step)), {
    state: () => [lab.sideEffects(), programs.map((program) => program.state)]
  })

/** Cancelled by whom, however it was awaited. */
const cancelledBy = (workflowId: string) =>
  Effect.map(
    Effect.flip(Client.result(workflowId, { timeout: "2 minutes" })),
    ({ reason }) => reason._tag === "WorkflowCancelled" ? reason.by : reason._tag
  )

const started = Effect.fnUntraced(function*(program: Program, name: string, workflowId: string, timeout?: string) {
  const answer = yield* program.ask({ do: "start", name, workflowId, ...(timeout === undefined ? {} : { timeout }) })
  assert.isUndefined(answer["failed"])
})

/** Something else that this process runs from start to end: whatever a body does at once has been done by then. */
const goneOn = Effect.fnUntraced(function*(program: Program, workflowId: string) {
  const payload = { steps: 5, workMs: 20 }
  const { outcomes } = yield* program.ask({ do: "execute", name: "Job", workflowId, payload })
  assert.match(outcomes[0], /^success/)
})

const hourMs = 3_600_000

Lab.onBothStores("cancel and timeout", (kind) => {
  const ways: { readonly [how: string]: (program: Program, id: string) => Effect.Effect<unknown, unknown, any> } = {
    "a cancel by its own process": (program, workflowId) => program.ask({ do: "cancel", workflowId }),
    "a cancel by another process": (_, workflowId) => Client.cancel(workflowId),
    "its deadline": () => Effect.void
  }
  for (const [how, end] of Object.entries(ways)) {
    it.live(`${how} interrupts its running step, and no body can go on after it`, () =>
      Effect.gen(function*() {
        const lab = yield* Lab.make(kind)
        // It outlives the leap of the clock.
        const program = yield* lab.run("executor", { engine: { lease: "1 day" } })
        yield* program.hear("ready")
        yield* Effect.gen(function*() {
          for (const name of names) {
            yield* started(program, name, name, how === "its deadline" ? "1 hour" : undefined)
          }
          for (const name of names) {
            yield* until(lab, name, "hold", [program])
            yield* end(program, name)
          }
          if (how === "its deadline") yield* (yield* Store).adjustClock(hourMs)
          for (const name of names) {
            assert.strictEqual(yield* cancelledBy(name), how === "its deadline" ? "timeout" : "user", name)
            yield* until(lab, name, "interrupted", [program])
          }
          yield* goneOn(program, "after")
          for (const name of names) {
            assert.deepStrictEqual(did(lab, name), ["hold", "interrupted"], name)
            const steps = yield* Client.steps(name)
            assert.deepStrictEqual(steps.map((step) => step.name), [], "an interruption is not an outcome")
          }
        }).pipe(Effect.provide(lab.client))
      }))
  }

  it.live("one that is resumed as soon as it is cancelled never runs beside itself", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      const programs = yield* Effect.all([lab.run("executor"), lab.run("executor")])
      for (const program of programs) yield* program.hear("ready")
      const rounds = 20
      const held = (times: number) =>
        eventually(
          `its step to run for the ${times}. time`,
          Effect.sync(() => did(lab, "w").filter((step) => step === "hold").length >= times),
          { state: () => [lab.sideEffects(), programs.map((program) => program.state)] }
        )
      yield* Effect.gen(function*() {
        yield* started(programs[0], "Catching", "w")
        for (let round = 1; round <= rounds; round++) {
          yield* held(round)
          yield* Client.cancel("w")
          yield* Client.resume("w")
        }
        yield* held(rounds + 1)
      }).pipe(Effect.provide(lab.client))
      const before = Array.from({ length: rounds }, () => ["hold", "interrupted"])
      assert.deepStrictEqual(did(lab, "w"), [...before.flat(), "hold"])
    }))

  const rolledBack = (lab: Lab.Lab) => did(lab, "parent").filter((step) => step.startsWith("rollback"))
  const bothUndone = ["rollback charge", "rollback reserve"]

  describe("of a workflow with children and rollbacks", () => {
    it.live("a cancel takes the children along, but not a detached one, and undoes what was done", () =>
      Effect.gen(function*() {
        const lab = yield* Lab.make(kind)
        const programs = yield* Effect.all([lab.run("executor"), lab.run("executor")])
        for (const program of programs) yield* program.hear("ready")
        yield* Effect.gen(function*() {
          yield* started(programs[0], "Parent", "parent")
          for (const child of ["attached", "detached"]) yield* until(lab, child, "hold", programs)
          yield* Client.cancel("parent")
          assert.strictEqual(yield* cancelledBy("parent"), "user")
          assert.strictEqual(yield* cancelledBy("attached"), "parent")
          yield* until(lab, "attached", "interrupted", programs)
          assert.deepStrictEqual(rolledBack(lab), bothUndone)
          assert.deepStrictEqual(did(lab, "attached"), ["kin", "hold", "interrupted", "rollback kin"])
          for (const program of programs) yield* goneOn(program, `after-${program.pid}`)
          assert.deepStrictEqual(did(lab, "detached"), ["kin", "hold"])
          assert.strictEqual(yield* Kin.handle("detached").status, "PENDING")
        }).pipe(Effect.provide(lab.client))
      }))

    it.live("the deadline of a dead process's workflow is kept by another, which undoes what was done", () =>
      Effect.gen(function*() {
        const lab = yield* Lab.make(kind)
        // Longer than the deadline: the workflow is out of time before its process is known to be dead.
        const victim = yield* lab.run("executor", { machine: "another", engine: { lease: "1 hour" } })
        yield* victim.hear("ready")
        yield* Effect.gen(function*() {
          yield* started(victim, "Parent", "parent", "50 minutes")
          for (const child of ["attached", "detached"]) yield* until(lab, child, "hold", [victim])
          yield* victim.kill
          const other = yield* lab.run("executor", { engine: { lease: "1 day" } })
          yield* other.hear("ready")
          const store = yield* Store
          yield* store.adjustClock(hourMs * 5 / 6)
          yield* eventually(
            "the parent to be cancelled",
            Effect.map(Parent.handle("parent").status, (status) => status === "CANCELLED"),
            { state: () => other.state }
          )
          // Now it is known.
          yield* store.adjustClock(hourMs / 6)
          assert.strictEqual(yield* cancelledBy("parent"), "timeout")
          yield* cancelledBy("attached")
          assert.deepStrictEqual(rolledBack(lab), bothUndone)
          const undone = lab.sideEffects().filter((effect) => effect.step.startsWith("rollback"))
          assert.deepStrictEqual([...new Set(undone.map((effect) => effect.pid))], [other.pid])
          assert.strictEqual(undone.length, 3)
        }).pipe(Effect.provide(lab.client))
      }))

    it.live("a deadline in two years comes in two years", () =>
      Effect.gen(function*() {
        const lab = yield* Lab.make(kind)
        const program = yield* lab.run("executor")
        yield* program.hear("ready")
        yield* Effect.gen(function*() {
          const store = yield* Store
          yield* started(program, "Parent", "parent", "730 days")
          yield* until(lab, "attached", "hold", [program])
          const almost = 729 * 86_400_000
          yield* store.adjustClock(almost)
          yield* eventually(
            "the workflow to be taken up again after a leap of the clock",
            Effect.sync(() => did(lab, "attached").filter((step) => step === "hold").length > 1),
            { state: () => [lab.sideEffects(), program.state] }
          )
          assert.strictEqual(yield* Parent.handle("parent").status, "PENDING")
          assert.deepStrictEqual(rolledBack(lab), [])
          yield* store.adjustClock(730 * 86_400_000 - almost)
          assert.strictEqual(yield* cancelledBy("parent"), "timeout")
          assert.deepStrictEqual(rolledBack(lab), bothUndone)
        }).pipe(Effect.provide(lab.client))
      }))
  })
})
