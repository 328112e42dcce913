/** Values that are given on the command line, as JSON. */
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Stream from "effect/Stream"
import type { Json } from "perdure/Json"
import * as ExitCode from "../ExitCode.ts"
import { CliFailure, usage } from "./failing.ts"
import { sentence } from "./sentence.ts"

/** Parses JSON text; `-` is what comes in on stdin. */
export const jsonOf = (what: string, given: string) =>
  Effect.flatMap(given === "-" ? stdin : Effect.succeed(given), (text) =>
    Effect.try({
      // `as`: what JSON.parse gives is that.
      try: () => JSON.parse(text) as Json,
      catch: (error) =>
        usage(
          `The ${what} is not JSON: ${(error as Error).message}`,
          "Give a JSON value, a string with its quotes, as in '\"text\"'."
        )
    }))

/** All that comes in. */
export const stdin = Effect.flatMap(Stdio.Stdio, ({ stdin }) => Stream.mkString(Stream.decodeText(stdin))).pipe(
  Effect.mapError((error) => new CliFailure({ exitCode: ExitCode.misconfigured, message: sentence(error.message) }))
)
