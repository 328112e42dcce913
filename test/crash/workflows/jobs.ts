/** Ordinary work: some steps that take a while, each telling which process ran it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Step, Transaction, Workflow, WorkflowContext } from "perdure"
import { append } from "../harness/sideEffects.ts"
import { did, hold, World } from "./World.ts"

/** Runs `steps` steps of `workMs` each, one after another. Its result names the processes whose runs were recorded. */
export const Job = Workflow.make("Job", {
  payload: { steps: Schema.Int, workMs: Schema.Int },
  success: Schema.Array(Schema.Int),
  maxRecoveryAttempts: 100
})

const JobLive = Job.toLayer(({ steps, workMs }) =>
  Effect.forEach(Array.from({ length: steps }, (_, index) => `step ${index}`), (name) =>
    Step.run(
      name,
      did(name).pipe(Effect.andThen(workMs === 0 ? Effect.void : Effect.sleep(workMs)), Effect.as(process.pid))
    ))
)

/** A step, a row in the application's table, a step. */
export const Entry = Workflow.make("Entry", {
  payload: { amount: Schema.Int },
  success: Schema.Int,
  maxRecoveryAttempts: 1000
})

const EntryLive = Entry.toLayer(Effect.fnUntraced(function*({ amount }) {
  const before = yield* Step.run("before", Effect.as(did("before"), amount + 1))
  yield* Transaction.run(
    "enter",
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const { workflowId } = yield* WorkflowContext.current
      yield* sql`INSERT INTO ledger (workflow_id, amount) VALUES (${workflowId ?? ""}, ${amount})`
    })
  )
  return yield* Step.run("after", Effect.as(did("after"), before + 1))
}))

/** Until this process has been asked to end, and a moment more: by then its engine ends. */
const askedToEnd = Effect.callback<void>((resume) => {
  process.once("SIGTERM", () => setTimeout(() => resume(Effect.void), 300))
})

/** A step that ends when its process has been asked to, and another. Its result names the processes that ran them. */
export const Leaving = Workflow.make("Leaving", { success: Schema.Array(Schema.Int), maxRecoveryAttempts: 0 })

const LeavingLive = Leaving.toLayer(() =>
  Effect.all([
    Step.run("first", did("first").pipe(Effect.andThen(askedToEnd), Effect.as(process.pid))),
    Step.run("second", Effect.as(did("second"), process.pid))
  ])
)

/** A step that ends when its process has been asked to, and one that never does. */
export const Stuck = Workflow.make("Stuck", { maxRecoveryAttempts: 0 })

const StuckLive = Stuck.toLayer(() =>
  Workflow.all([
    Step.run("slow", did("slow").pipe(Effect.andThen(askedToEnd), Effect.as(process.pid))),
    Step.run("hold", hold("hold"))
  ], { concurrency: "unbounded" })
)

/** A step that ends when its process has been asked to end three times, of which each is told, and another. */
export const Patient = Workflow.make("Patient", { success: Schema.String, maxRecoveryAttempts: 0 })

const PatientLive = Patient.toLayer(() =>
  Effect.gen(function*() {
    const { log } = yield* World
    const { workflowId } = yield* WorkflowContext.current
    const asked = Effect.callback<void>((resume) => {
      let count = 0
      const come = () => {
        append(log, workflowId!, `signal ${++count}`, false)
        // A moment more, so that whatever the last one does is done.
        if (count === 3) setTimeout(() => resume(Effect.void), 300)
      }
      for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, come)
      append(log, workflowId!, "begin", false)
    })
    yield* Step.run("patient", asked)
    yield* Step.run("after", did("after"))
    return "ended"
  })
)

/** Tries again, several times a second, and always fails. */
export const Insisting = Workflow.make("Insisting", { maxRecoveryAttempts: 100 })

const InsistingLive = Insisting.toLayer(() =>
  Step.run("insist", Effect.andThen(did("insist"), Effect.fail("no")), {
    retry: { maxAttempts: 10_000, interval: "300 millis", factor: 1 }
  })
)

/** Kills its process, unless the code has been mended. */
export const Poison = Workflow.make("Poison", { success: Schema.String, maxRecoveryAttempts: 2 })

const poisonLive = (mended: boolean) =>
  Poison.toLayer(() =>
    Effect.gen(function*() {
      yield* Step.run("harmless", did("harmless"))
      return yield* Step.run(
        "deadly",
        Effect.andThen(
          did("deadly"),
          Effect.sync(() => {
            if (!mended) process.kill(process.pid, "SIGKILL")
            return "survived"
          })
        )
      )
    })
  )

export const live = (options: { readonly mended?: boolean }) =>
  Layer.mergeAll(
    JobLive,
    EntryLive,
    LeavingLive,
    StuckLive,
    PatientLive,
    InsistingLive,
    poisonLive(options.mended === true)
  )
