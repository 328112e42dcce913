/** A workflow that kills whoever runs it. Hunts for one that takes all others down with it, for ever. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client } from "perdure"
import { eventually } from "./harness/eventually.ts"
import * as Lab from "./harness/Lab.ts"
import { Job, Poison } from "./workflows/jobs.ts"

// Nobody waits for the end of a lease: who comes next is on the same machine.
const engine = { lease: "10 minutes", heartbeat: "200 millis", poll: "100 millis" }
const neighbours = Array.from({ length: 10 }, (_, index) => `neighbour-${index}`)

Lab.onBothStores("a workflow that kills its process", (kind) => {
  it.live("is given up after its recovery attempts, its neighbours finish, and mended code ends it", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      const deaths = () => lab.sideEffects().filter((effect) => effect.step === "deadly").length
      yield* Effect.gen(function*() {
        for (const workflowId of neighbours) yield* Job.start({ steps: 3, workMs: 300 }, { workflowId })
        yield* Poison.start(undefined, { workflowId: "poison" })
        // As a supervisor does: whenever it has died, it is started again.
        while (true) {
          const program = yield* lab.run("executor", { engine })
          const over = yield* eventually(
            "the process to die, or the workflow to be given up",
            Effect.map(
              Poison.handle("poison").status,
              (status) => program.ended !== undefined ? "died" : status === "DEAD_LETTER" ? "given up" : undefined
            ),
            { state: () => program.state }
          )
          if (over === "given up") break
          assert.strictEqual(program.ended?.signal, "SIGKILL", program.tail)
          assert.isAtMost(deaths(), 3)
        }
        // Once, and two recoveries.
        assert.strictEqual(deaths(), 3)
        for (const workflowId of neighbours) assert.strictEqual((yield* Job.handle(workflowId).result).length, 3)
        const error = yield* Effect.flip(Poison.handle("poison").result)
        assert.strictEqual(error.reason._tag, "WorkflowDeadLettered")

        const mended = yield* lab.run("executor", { engine, mended: true })
        yield* mended.hear("ready")
        yield* Client.resume("poison")
        assert.strictEqual(yield* Poison.handle("poison").result, "survived")
        const harmless = lab.sideEffects().filter((effect) => effect.step === "harmless")
        assert.strictEqual(harmless.length, 1, "what was recorded before is not run again")
      }).pipe(Effect.provide(lab.client))
    }))
})
