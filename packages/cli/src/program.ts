/** What `main` runs. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { run } from "./Cli.ts"
import { interrupted } from "./ExitCode.ts"

/** Runs the command line of this process, and ends it with the exit code. */
export const start = (): void => {
  // Whoever reads may stop reading: `perdure workflow list | head -1`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0)
  })
  NodeRuntime.runMain(Effect.provide(run(process.argv.slice(2)), NodeServices.layer), {
    disableErrorReporting: true,
    // The answer is the exit code.
    teardown: (exit, onExit) =>
      onExit(Exit.isSuccess(exit) && typeof exit.value === "number" ? exit.value : interrupted)
  })
}
