/** Schedules: one workflow per tick, none left out where the policy says so, none beside another where it says so. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Client, Step, Workflow, WorkflowContext, WorkflowSchedule } from "perdure"
import { did } from "../../crash/workflows/World.ts"
import { atMost, exactly, upTo } from "../checks.ts"
import { worst } from "../figures.ts"
import type { Theme } from "./Theme.ts"

const Ticked = Workflow.make("Ticked", { success: Schema.String, maxRecoveryAttempts: 1000 })

const TickedLive = Ticked.toLayer(() =>
  Effect.gen(function*() {
    const { schedule } = yield* WorkflowContext.current
    yield* Step.run("tick", Effect.andThen(did("tick"), Effect.sleep("300 millis")))
    return schedule?.scheduledAt.toISOString() ?? "none"
  })
)

const everySecond = { interval: "1 second" } as const
const complete = WorkflowSchedule.make("complete", { workflow: Ticked, ...everySecond, missed: { all: 1000 } })
const cron = WorkflowSchedule.make("cron", { workflow: Ticked, cron: "* * * * * *", missed: { all: 1000 } })
const alone = WorkflowSchedule.make("alone", { workflow: Ticked, ...everySecond, overlap: "skip" })

const startedBy = (schedule: string) =>
  Effect.map(
    Client.list({ schedule, order: "asc", limit: 1000 }),
    ({ workflows }) => [...workflows].sort((a, b) => a.scheduledAt!.getTime() - b.scheduledAt!.getTime())
  )

const tickOf = (schedule: string) =>
  Effect.map(startedBy(schedule), (workflows) => workflows.map(({ scheduledAt }) => scheduledAt!.getTime()))

export const schedules = (): Theme => ({
  name: "schedules",
  live: TickedLive,
  prepare: Effect.all([complete, cron, alone].map((schedule) => Effect.void.pipe(Effect.provide(schedule.layer)))),
  // They act by themselves.
  act: () => Effect.void,
  check: () =>
    Effect.gen(function*() {
      const wrong: Array<string> = []
      for (const schedule of [complete.name, cron.name]) {
        const ticks = yield* tickOf(schedule)
        wrong.push(
          ...exactly(`ticks of ${schedule}`, ticks, upTo(ticks.length).map((number) => ticks[0]! + number * 1000))
        )
        if (ticks.length < 5) wrong.push(`ticks of ${schedule}: only ${ticks.length}`)
      }
      for (const { success, scheduledAt, workflowId } of yield* startedBy(complete.name)) {
        wrong.push(...exactly(`time of ${workflowId}`, [success], [scheduledAt!.toISOString()]))
      }
      const held = (yield* startedBy(alone.name)).map(({ completedAt, createdAt, workflowId }) => ({
        id: workflowId,
        from: createdAt.getTime(),
        to: completedAt!.getTime()
      }))
      // One that is lost again and again keeps the next from coming.
      if (held.length === 0) wrong.push("ticks of alone: none")
      wrong.push(...atMost("workflows of the schedule that does not overlap", 1, held))
      return wrong
    }),
  figures: () =>
    Effect.map(Effect.forEach([complete, cron, alone], ({ name }) => startedBy(name)), (workflows) => ({
      "lateness of a tick": worst(
        workflows.flat().map(({ scheduledAt, startedAt }) => startedAt!.getTime() - scheduledAt!.getTime())
      )
    }))
})
