/** A runbook that is tried: its commands are run as they stand there, and must say what it shows. */
import * as Effect from "effect/Effect"
import { execFile } from "node:child_process"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import type { Program } from "../crash/harness/Program.ts"
import { findPrograms } from "../postgres/programs.ts"
import { programOf } from "../programs.ts"
import { waitFor } from "../waitFor.ts"

const page = readFileSync(join(import.meta.dirname, "../../docs/operating/runbook.md"), "utf8")

/** What was typed, or who is heard, and what is shown of it. */
interface Shown {
  readonly kind: "sh" | "log"
  readonly lines: ReadonlyArray<string>
  readonly says: ReadonlyArray<string>
}

/** The headings of the entries. */
export const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, heading]) => heading!)

/** Blocks opened by ```sh tried, each with the ```text after it, and by ```log, of one entry. */
const shownIn = (heading: string): ReadonlyArray<Shown> => {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? ""
  const blocks = [...section.matchAll(/^```(sh tried|text|log)\n([^]*?)^```$/gm)].map(([, kind, text]) => ({
    kind: kind!,
    lines: text!.trimEnd().split("\n")
  }))
  return blocks.flatMap(({ kind, lines }, index): ReadonlyArray<Shown> => {
    if (kind === "text") return []
    if (kind === "log") return [{ kind, lines: [], says: lines }]
    const after = blocks[index + 1]
    return [{ kind: "sh", lines, says: after?.kind === "text" ? after.lines : [] }]
  })
}

/** Without what is another one each time: times, lengths of time, addresses, widths of columns. */
const plain = (text: string): string =>
  text
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME")
    .replaceAll(/\b\d\d:\d\d:\d\d\.\d{3}\b/g, "TIME")
    .replaceAll(/^(?:\[(?:[\d:.]+|TIME)\] )?([A-Z]+) \(#\d+\)/gm, "$1")
    .replaceAll(/\b(?:now|(?:\d+(?:\.\d+)?(?:ms|[dhms]))+ ago)\b/g, "AGO")
    .replaceAll(/\b(?:\d+(?:\.\d+)?(?:ms|[dhms]))+\b/g, "LONG")
    .replaceAll(/127\.0\.0\.1:\d+/g, "ADDRESS")
    .replaceAll(/[ \t]+/g, " ")

const missing = (says: ReadonlyArray<string>, output: string): ReadonlyArray<string> => {
  const seen = plain(output)
  return says.filter((line) =>
    line !== "..." && line.trim() !== "" && !seen.includes(plain(line).replace(/ ?\.\.\.$/, "").trim())
  )
}

const looks =
  /^perdure (?:doctor|migrate status|\w+ (?:list|explain|get|steps|next)|workflow (?:list|steps|get|explain)\b.*)/

export interface Entry {
  /** Runs the next block, again and again where it only looks, until it says what is shown. */
  readonly types: Effect.Effect<string>
  /** Waits until this program has said what the next block shows. */
  readonly hears: (program: Program) => Effect.Effect<void>
  /** Nothing is left that was not tried. */
  readonly ends: Effect.Effect<void>
}

export const openEntry = (heading: string, folder: string, store: string): Entry => {
  const left = [...shownIn(heading)]
  const script = join(folder, "perdure")
  writeFileSync(script, `#!/bin/sh\nexec "${process.execPath}" "${programOf("packages/cli/src/main.ts")}" "$@"\n`)
  chmodSync(script, 0o700)
  const bins = findPrograms().map(({ bin }) => bin)
  const env = {
    PATH: [folder, dirname(process.execPath), ...bins, process.env["PATH"]].join(":"),
    HOME: folder,
    PERDURE_STORE: store
  }
  const run = (line: string) =>
    new Promise<string>((resolve) =>
      execFile("/bin/sh", ["-c", line], { cwd: folder, env }, (_, out, err) => resolve(out + err))
    )
  const next = (kind: Shown["kind"]): Shown => {
    const shown = left.shift()
    if (shown?.kind !== kind) throw new Error(`the next block of "${heading}" is no ${kind}: ${JSON.stringify(shown)}`)
    return shown
  }
  return {
    types: Effect.promise(async () => {
      const { lines, says } = next("sh")
      const text = lines.join("\n")
      let output = await run(text)
      const again = text.startsWith("psql ") || lines.every((line) => looks.test(line))
      if (process.env["RUNBOOK"]) console.log(`$ ${text}\n${output}`)
      if (!again && missing(says, output).length > 0) {
        throw new Error(`${text}\nsays\n${output}\nand not\n${missing(says, output).join("\n")}`)
      }
      return waitFor(`what the runbook shows of: ${text}`, async () => {
        if (missing(says, output).length === 0) return output || " "
        output = await run(text)
        return undefined
      }, { state: () => ({ output, missing: missing(says, output) }) })
    }),
    hears: (program) =>
      Effect.promise(async () => {
        const { says } = next("log")
        if (process.env["RUNBOOK"]) console.log(program.tail)
        await waitFor(`what the runbook shows of a log`, () => missing(says, program.tail).length === 0, {
          state: () => ({ missing: missing(says, program.tail), log: program.tail })
        })
      }),
    ends: Effect.sync(() => {
      if (left.length > 0) throw new Error(`not tried of "${heading}": ${JSON.stringify(left)}`)
    })
  }
}
