/**
 * Processes in surroundings that nobody has tried: without a home, in another language, in time zones that are none, in a
 * folder that may not be written (row I52 of the table of bad input). Hunts for what is taken from them unnoticed.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client } from "perdure"
import * as Lab from "./harness/Lab.ts"

/** Given to `env`: it becomes the program. */
const surroundings = {
  "no home, no path, Turkish, Kathmandu": [
    "-u",
    "HOME",
    "-u",
    "PATH",
    "-C",
    "/",
    "TZ=Asia/Kathmandu",
    "LANG=tr_TR.UTF-8",
    "LC_ALL=tr_TR.UTF-8"
  ],
  "a time zone that is none, and a locale that is none": ["HOME=/nowhere", "TZ=Mars/Base", "LC_ALL=xx_YY.nonsense"]
}

Lab.onBothStores("a process", (kind) => {
  it.live("works in odd surroundings, beside others", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const programs = yield* Effect.forEach(Object.values(surroundings), (words) =>
          lab.run("executor", {}, ["/usr/bin/env", ...words]))
        for (const [index, program] of programs.entries()) {
          yield* program.hear("ready")
          const payload = { steps: 3, workMs: 0 }
          const command = { do: "execute", name: "Job", payload, workflowId: `İIıi-${index}` }
          assert.match((yield* program.ask(command))["outcomes"][0], /^success/)
        }
        const { workflows } = yield* Client.list({ idPrefix: "İIıi-" })
        const ages = workflows.map(({ completedAt, createdAt }) =>
          completedAt!.getTime() - createdAt.getTime()
        )
        assert.lengthOf(workflows, 2)
        for (const age of ages) assert.isAtLeast(age, 0)
        // Whose zone it is changes no time.
        for (const { createdAt } of workflows) assert.isBelow(Math.abs(createdAt.getTime() - Date.now()), 3_600_000)
      }).pipe(Effect.provide(lab.client))
    }))
})
