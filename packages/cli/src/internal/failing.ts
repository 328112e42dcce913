/** What a command fails with when it is not the engine or the store that fails. */
import * as Schema from "effect/Schema"
import * as ExitCode from "../ExitCode.ts"
import { sentence } from "./sentence.ts"

export class CliFailure extends Schema.TaggedError<CliFailure>()("CliFailure", {
  exitCode: Schema.Number,
  message: Schema.String
}) {}

/** The command line makes no sense; `remedy` is what to type instead. */
export const usage = (problem: string, remedy: string): CliFailure =>
  new CliFailure({ exitCode: ExitCode.usage, message: `${sentence(problem)} ${remedy}` })

/** It is not to be done. */
export const refused = (problem: string, remedy: string): CliFailure =>
  new CliFailure({ exitCode: ExitCode.refused, message: `${sentence(problem)} ${remedy}` })

/** What was to be shown has been shown; only the exit code is left to say. */
export class Silent extends Schema.TaggedError<Silent>()("Silent", { exitCode: Schema.Number }) {}
