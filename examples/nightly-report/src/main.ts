/** A report at half past two every night, once, whatever number of processes has this code. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schema } from "effect"
import { Client, Engine, Step, Workflow, WorkflowContext, WorkflowSchedule } from "perdure"

const Report = Workflow.make("Report", { payload: { kind: Schema.String }, success: Schema.String })

const ReportLive = Report.toLayer(Effect.fn(function*({ kind }) {
  const { schedule } = yield* WorkflowContext.current
  const day = schedule?.scheduledAt.toISOString().slice(0, 10)
  return yield* Step.run(
    "write report",
    Effect.as(Console.log(`writing the ${kind} report of ${day}`), `${kind} ${day}`)
  )
}))

const nightly = WorkflowSchedule.make("nightly report", {
  workflow: Report,
  payload: { kind: "sales" },
  cron: "30 2 * * *",
  timeZone: "Europe/Berlin",
  // After an outage of days: one report, not one for each night.
  missed: "latest"
})

const program = Effect.gen(function*() {
  // Summer time begins on 29 March: that night has no half past two, and the tick comes when the clock is put forward.
  for (const tick of nightly.next(new Date("2026-03-27T12:00:00Z"), 3)) yield* Console.log(tick.toISOString())

  // Those of the last nights, each under the id of its tick: a second time they attach to what is there.
  const { workflowIds } = yield* Client.schedules.backfill("nightly report", {
    from: new Date("2026-03-01T00:00:00Z"),
    to: new Date("2026-03-04T00:00:00Z")
  })
  for (const workflowId of workflowIds) yield* Console.log(`${workflowId}: ${yield* Report.handle(workflowId).result}`)
})

program.pipe(
  Effect.provide([ReportLive, nightly.layer]),
  Effect.provide(Engine.layer()),
  Effect.provide(SqliteStore.layer({ filename: ":memory:" })),
  NodeRuntime.runMain
)
