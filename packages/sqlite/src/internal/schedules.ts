/** The contract's methods of schedules. */
import * as Effect from "effect/Effect"
import type { ScheduleStore, ScheduleWrite } from "perdure/Store"
import * as Clock from "./clock.ts"
import type { Connections } from "./connections.ts"
import * as Schedule from "./schedule.ts"

export const schedules = (connections: Connections): ScheduleStore => ({
  writeSchedule: (mode, definition, nextFireAt) =>
    connections.read(
      "read a schedule",
      (database) => mode === "declare" && Schedule.isDeclared(database, definition)
    ).pipe(
      Effect.flatMap((same): ReturnType<ScheduleStore["writeSchedule"]> =>
        same
          ? Effect.succeed<ScheduleWrite>("same")
          : connections.write(
            "write a schedule",
            (database) => Schedule.write(database, mode, definition, nextFireAt, Clock.now(database))
          )
      )
    ),
  applySchedules: (all) =>
    connections.write("apply schedules", (database) => {
      const now = Clock.now(database)
      return all.map(({ definition, nextFireAt }) => Schedule.write(database, "apply", definition, nextFireAt, now))
    }),
  schedules: (filter) => connections.read("list schedules", (database) => Schedule.list(database, filter)),
  pauseSchedule: (name, change) =>
    connections.write("pause a schedule", (database) => Schedule.pause(database, name, change, Clock.now(database))),
  deleteSchedule: (name) => connections.write("delete a schedule", (database) => Schedule.remove(database, name)),
  dueSchedules: (limit, after) =>
    connections.read("look for due schedules", (database) => Schedule.due(database, limit, after, Clock.now(database))),
  fire: (fire) =>
    connections.write(
      `fire the schedule ${fire.name}`,
      (database) => Schedule.fire(database, fire, Clock.now(database))
    )
})
