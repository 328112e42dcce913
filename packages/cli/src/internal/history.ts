/** `perdure history`: whole workflows as files of JSON lines, to be looked at, and tried, in another store. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Client from "perdure/Client"
import * as ExitCode from "../ExitCode.ts"
import { onStore } from "./command.ts"
import { CliFailure, Silent } from "./failing.ts"
import { historiesIn, linesOf } from "./historyFile.ts"
import { note, progress, show } from "./output.ts"
import { stdin } from "./payload.ts"
import { line } from "./printable.ts"

/** A file that cannot be read or written. */
const fileFailure = (error: PlatformError): CliFailure =>
  new CliFailure({ exitCode: ExitCode.misconfigured, message: `${error.message}. Check the path, and the rights.` })

const exporting = Command.make(
  "export",
  {
    ids: Argument.String("id").pipe(Argument.withDescription("Workflow ids"), Argument.atLeast(1)),
    output: Flag.String("output").pipe(
      Flag.withAlias("o"),
      Flag.withMetavar("<file>"),
      Flag.withDescription("A file that does not exist yet; default: stdout"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ ids, output }) {
    const told = yield* progress
    const lines: Array<string> = []
    for (const [index, id] of ids.entries()) {
      yield* told(`Exporting ${index + 1} of ${ids.length}`)
      lines.push(...linesOf(yield* Client.exportHistory(id)))
    }
    yield* told("")
    if (Option.isNone(output)) return yield* Console.log(lines.join("\n"))
    const files = yield* FileSystem.FileSystem
    // Made, never overwritten.
    yield* Effect.mapError(
      files.writeFileString(output.value, `${lines.join("\n")}\n`, { flag: "wx", mode: 0o600 }),
      fileFailure
    )
    yield* show({ file: output.value, ids }, () => `Exported ${ids.map(line).join(", ")} to ${line(output.value)}.`)
  }, onStore)
).pipe(
  Command.withDescription("Write whole workflows as JSON lines: state, steps, messages, events, streams"),
  Command.withExamples([{ command: "perdure history export order-42 --output order-42.jsonl" }])
)

const importing = Command.make(
  "import",
  { file: Argument.String("file").pipe(Argument.withDescription("What history export wrote; - reads it from stdin")) },
  Effect.fnUntraced(function*({ file }) {
    const files = yield* FileSystem.FileSystem
    const text = yield* file === "-" ? stdin : Effect.mapError(files.readFileString(file), fileFailure)
    // All of it is understood before any of it is written.
    const histories = yield* historiesIn(text)
    const told = yield* progress
    const imported: Array<string> = []
    const taken: Array<string> = []
    for (const [index, history] of histories.entries()) {
      yield* told(`Importing ${index + 1} of ${histories.length}`)
      const { workflowId } = history.workflow
      yield* Client.importHistory(history).pipe(
        Effect.andThen(Effect.sync(() => imported.push(workflowId))),
        Effect.catchReason("WorkflowError", "WorkflowConflict", () => Effect.sync(() => taken.push(workflowId)))
      )
    }
    yield* told("")
    yield* show({ imported, taken }, () => imported.length === 0 ? "" : `Imported ${imported.map(line).join(", ")}.`)
    if (taken.length > 0) {
      yield* note(`perdure: These ids are taken, and nothing of them was overwritten: ${taken.map(line).join(", ")}.`)
      return yield* new Silent({ exitCode: ExitCode.refused })
    }
  }, onStore)
).pipe(
  Command.withDescription(
    "Write exported workflows into this store; one that was not done arrives blocked, and runs only when it is resumed"
  )
)

export const history = Command.make("history").pipe(
  Command.withDescription("Carry whole workflows from one store to another"),
  Command.withSubcommands([exporting, importing])
)
