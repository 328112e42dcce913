/** SIGTERM: what runs may end, the rest is handed over at once, nothing is counted against a workflow. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client } from "perdure"
import { eventually } from "./harness/eventually.ts"
import * as Lab from "./harness/Lab.ts"
import { Leaving, Patient, Stuck } from "./workflows/jobs.ts"

// So long that nobody lives to see it lapse: what is taken over was given back.
const engine = { lease: "10 minutes", heartbeat: "200 millis", poll: "100 millis", shutdown: "10 seconds" }

Lab.onBothStores("a process that is asked to end", (kind) => {
  it.live("lets running steps end up to its limit, gives the rest back at once, and exits clean", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      const ran = (workflowId: string, step: string) =>
        lab.sideEffects().filter((effect) => effect.workflowId === workflowId && effect.step === step)
          .map((effect) => effect.pid)
      yield* Effect.gen(function*() {
        const leaving = yield* lab.run("executor", { engine })
        const staying = yield* lab.run("executor", { engine })
        yield* leaving.hear("ready")
        yield* staying.hear("ready")
        const started = yield* Effect.forEach([
          { do: "start", name: "Leaving", workflowId: "leaving" },
          { do: "start", name: "Stuck", workflowId: "stuck" }
        ], (command) => leaving.ask(command))
        assert.isTrue(started.every((answer) => answer["failed"] === undefined), JSON.stringify(started))
        yield* eventually(
          "the steps to run",
          Effect.sync(() =>
            ran("leaving", "first").length > 0 && ran("stuck", "slow").length > 0 && ran("stuck", "hold").length > 0
          )
        )
        leaving.signal("SIGTERM")
        const ended = yield* leaving.exit()
        // What Effect's runMain says when it was interrupted and everything was finalized.
        assert.deepStrictEqual(ended, { code: 130, signal: null }, leaving.tail)

        assert.deepStrictEqual(yield* Leaving.handle("leaving").result, [leaving.pid, staying.pid])
        yield* eventually(
          "the other to go on with what never ends",
          Effect.sync(() => ran("stuck", "hold").includes(staying.pid)),
          { state: () => [lab.sideEffects(), staying.state] }
        )
        // Ended within the limit, and recorded: not run again.
        assert.deepStrictEqual(ran("stuck", "slow"), [leaving.pid])
        assert.deepStrictEqual(ran("leaving", "first"), [leaving.pid])
        // One that counted would be a dead letter now: it allows none.
        assert.strictEqual(yield* Stuck.handle("stuck").status, "PENDING")
        for (const id of ["leaving", "stuck"]) assert.strictEqual((yield* Client.get(id)).recoveryAttempts, 0)
      }).pipe(Effect.provide(lab.client))
    }))

  it.live("is not hurried by being asked again", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const leaving = yield* lab.run("executor", { engine: { ...engine, shutdown: "10 minutes" } })
        yield* leaving.hear("ready")
        const ran = (step: string) => lab.sideEffects().filter((effect) => effect.step === step).length
        assert.isUndefined((yield* leaving.ask({ do: "start", name: "Patient", workflowId: "w" }))["failed"])
        yield* eventually("the step to run", Effect.sync(() => ran("begin") === 1))
        // The step ends when all of them have come.
        for (const [count, signal] of (["SIGTERM", "SIGINT", "SIGTERM"] as const).entries()) {
          leaving.signal(signal)
          yield* eventually(`signal ${count + 1} to come`, Effect.sync(() => ran(`signal ${count + 1}`) === 1), {
            state: () => leaving.state
          })
        }
        assert.deepStrictEqual(yield* leaving.exit(), { code: 130, signal: null }, leaving.tail)
        // It was recorded, and the workflow was given back: what comes next is for another, and counts for nothing.
        assert.deepStrictEqual((yield* Client.steps("w")).map(({ name, outcome }) => [name, outcome]), [
          ["patient", "success"]
        ])
        assert.strictEqual(ran("after"), 0)
        const staying = yield* lab.run("executor", { engine })
        assert.strictEqual(yield* Patient.handle("w").result, "ended")
        assert.deepStrictEqual([ran("begin"), ran("after")], [1, 1])
        assert.strictEqual((yield* Client.get("w")).recoveryAttempts, 0)
        yield* staying.kill
      }).pipe(Effect.provide(lab.client))
    }))
})
