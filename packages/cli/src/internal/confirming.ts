/** Nothing is destroyed that nobody has confirmed: by an answer at a terminal, or by `--yes`. */
import * as Prompt from "effect/cli/Prompt"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Effect from "effect/Effect"
import { refused } from "./failing.ts"
import { Json, Yes } from "./globals.ts"
import { line } from "./printable.ts"

/** Goes on only when it is confirmed. `what` completes "Is it right to ...?". */
export const confirm = (what: string) =>
  Effect.gen(function*() {
    if (yield* Yes) return
    const { canPrompt } = yield* TerminalCapabilities.TerminalCapabilities
    if (!canPrompt || (yield* Json)) {
      return yield* refused(
        `To ${what} needs a confirmation, and nobody is here to give it`,
        "Nothing was done. Add --yes."
      )
    }
    if (!(yield* Prompt.run(Prompt.Confirm({ message: line(`Is it right to ${what}?`) })))) {
      return yield* refused("Not confirmed", "Nothing was done.")
    }
  })
