/** What a command says: tables and texts for people, or JSON. */
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import { Json } from "./globals.ts"
import { json } from "./printable.ts"
import type { Style } from "./table.ts"

/** How to write for people. */
export interface Reader extends Style {
  readonly now: number
}

const reader = Effect.gen(function*() {
  const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  const width = (yield* stdio.stdoutIsTerminal) ? yield* terminal.columns : undefined
  return { colors: canColor, width: width === 0 ? undefined : width, now: Date.now() } satisfies Reader
})

/** Prints a document: `value` as JSON where that is wanted, else what `people` makes of it. */
export const show = <A>(value: A, people: (reader: Reader) => string) =>
  Effect.gen(function*() {
    if (yield* Json) return yield* Console.log(json(value))
    const text = people(yield* reader)
    if (text !== "") yield* Console.log(text)
  })

/** Says something beside the answer, so that what reads the answer is not disturbed. */
export const note = (text: string) => Console.error(text)

/** Tells how far long work is: in place at a terminal, else a line now and then. The empty text ends it. */
export const progress = Effect.gen(function*() {
  const stdio = yield* Stdio.Stdio
  const inPlace = yield* stdio.stderrIsTerminal
  let told = Date.now()
  let shown = false
  return (text: string): Effect.Effect<void> => {
    if (inPlace) {
      const write = `\r\u001b[K${text}`
      if (text === "" && !shown) return Effect.void
      shown = true
      return Effect.sync(() => void process.stderr.write(write))
    }
    if (text === "" || Date.now() - told < 5_000) return Effect.void
    told = Date.now()
    return note(text)
  }
})
