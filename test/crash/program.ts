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

const [, , role, config] = process.argv as [string, string, string, string]
const { play } = await import(`./roles/${role}.ts`) as { readonly play: Role }
// For the next one: a killed process cannot do it at its end.
flushCompileCache()
NodeRuntime.runMain(
  play(JSON.parse(config)).pipe(Effect.scoped, Effect.provideService(Logger.LogToStderr, true))
)
