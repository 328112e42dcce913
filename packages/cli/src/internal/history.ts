/** `perdure history`: whole workflows as files of JSON lines, to be looked at, and tried, in another store. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as ExitCode from "../ExitCode.ts"
import { onStore } from "./command.ts"
import { CliFailure, Silent } from "./failing.ts"
import { endOf, historiesIn, linesOf } from "./historyFile.ts"
import { note, progress, show } from "./output.ts"
import { stdin } from "./payload.ts"
import { line } from "./printable.ts"
import { sentence } from "./sentence.ts"

/** A file that cannot be read or written. */
const fileFailure = (error: PlatformError): CliFailure =>
  new CliFailure({
    exitCode: ExitCode.misconfigured,
    message: `${sentence(error.message)} Check the path, and the rights.`
  })

type Write = (lines: ReadonlyArray<string>) => Effect.Effect<void, CliFailure>

/** Page by page: a history may be larger than the memory. */
const exported = (id: string, write: Write, told: (lines: number) => Effect.Effect<void>) =>
  Effect.gen(function*() {
    let count = 0
    yield* Stream.runForEach(Client.streamHistory(id), (part) => {
      const lines = linesOf(part)
      count += lines.length
      return lines.length === 0 ? Effect.void : Effect.andThen(write(lines), told(count))
    })
    yield* write([endOf(id, count)])
  })

/** Made, never overwritten; gone when it does not become whole. */
const intoFile = <E, R>(path: string, all: (write: Write) => Effect.Effect<void, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const files = yield* FileSystem.FileSystem
    const file = yield* Effect.mapError(files.open(path, { flag: "wx", mode: 0o600 }), fileFailure)
    const encoder = new TextEncoder()
    const write: Write = (lines) => Effect.mapError(file.writeAll(encoder.encode(`${lines.join("\n")}\n`)), fileFailure)
    yield* Effect.onError(all(write), () => Effect.ignore(files.remove(path)))
  }))

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
    // Whether they are there is known before anything is written.
    yield* Effect.forEach(ids, (id) => Client.get(id), { discard: true })
    const told = yield* progress
    const all = (write: Write) =>
      Effect.forEach(
        ids,
        (id, index) => exported(id, write, (lines) => told(`Exporting ${index + 1} of ${ids.length}: ${lines} lines`)),
        {
          discard: true
        }
      )
    if (Option.isNone(output)) {
      yield* all((lines) => Console.log(lines.join("\n")))
      return yield* told("")
    }
    yield* intoFile(output.value, all)
    yield* told("")
    yield* show({ file: output.value, ids }, () => `Exported ${ids.map(line).join(", ")} to ${line(output.value)}.`)
  }, onStore)
).pipe(
  Command.withDescription("Write whole workflows as JSON lines: state, steps, messages, events, streams"),
  Command.withExamples([{ command: "perdure history export order-42 --output order-42.jsonl" }])
)

/** They can be read twice: a file is, what comes in on stdin is kept. */
const linesIn = (file: string) =>
  file === "-"
    ? Effect.map(stdin, (text): Stream.Stream<string, CliFailure> => Stream.fromIterable(text.split("\n")))
    : Effect.map(FileSystem.FileSystem, (files) =>
      files.stream(file).pipe(Stream.decodeText, Stream.splitLines, Stream.mapError(fileFailure)))

const importing = Command.make(
  "import",
  { file: Argument.String("file").pipe(Argument.withDescription("What history export wrote; - reads it from stdin")) },
  Effect.fnUntraced(function*({ file }) {
    const lines = yield* linesIn(file)
    // All of it is understood before any of it is written.
    const count = yield* Stream.runCount(historiesIn(lines))
    const told = yield* progress
    const imported: Array<string> = []
    const taken: Array<string> = []
    yield* Stream.runForEach(historiesIn(lines), (history) => {
      const { workflowId } = history.workflow
      return told(`Importing ${imported.length + taken.length + 1} of ${count}`).pipe(
        Effect.andThen(Client.importHistory(history)),
        Effect.andThen(Effect.sync(() => void imported.push(workflowId))),
        Effect.catchReason("WorkflowError", "WorkflowConflict", () => Effect.sync(() => void taken.push(workflowId)))
      )
    })
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
