/** One process of a test: plays the role that it is told to, as an application would. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { flushCompileCache } from "node:module"
import { sayNow } from "./harness/voice.ts"
import type { Role } from "./roles/Role.ts"

for (const event of ["unhandledRejection", "uncaughtException"] as const) {
  process.on(event, (error: unknown) => {
    sayNow("unhandled", { event, error: error instanceof Error ? error.stack : String(error) })
    process.exit(70)
  })
}

const roles: Readonly<Record<string, () => Promise<{ readonly play: Role }>>> = {
  chaos: () => import("./roles/chaos.ts"),
  crashing: () => import("./roles/crashing.ts"),
  executor: () => import("./roles/executor.ts"),
  holder: () => import("./roles/holder.ts"),
  shop: () => import("./roles/shop.ts"),
  soak: () => import("./roles/soak.ts")
}

const [, , role, config] = process.argv as [string, string, string, string]
const { play } = await roles[role]!()
// For the next one: a killed process cannot do it at its end.
flushCompileCache()
NodeRuntime.runMain(
  play(JSON.parse(config)).pipe(Effect.scoped, Effect.provideService(Logger.LogToStderr, true))
)
