/** `perdure migrate`: the schema of a store. The only command that makes one. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { SchemaState } from "perdure/Store"
import * as ExitCode from "../ExitCode.ts"
import { Silent } from "./failing.ts"
import { Json } from "./globals.ts"
import { note, show } from "./output.ts"
import { json } from "./printable.ts"
import * as Store from "./store.ts"

const sentenceOf = ({ installed, known }: SchemaState): string => {
  if (installed === null) return `There is no schema. This release would make version ${known}: perdure migrate up`
  if (installed === known) return `The schema is at version ${installed}, as this release needs it.`
  return installed < known
    ? `The schema is at version ${installed}, and this release needs ${known}: perdure migrate up`
    : `The schema is at version ${installed}, and this release knows ${known}: upgrade this program.`
}

const status = Command.make(
  "status",
  {},
  Effect.fnUntraced(function*() {
    const state = yield* (yield* Store.place).schemaState
    yield* show({ ...state, current: state.installed === state.known }, () => sentenceOf(state))
    if (state.installed !== state.known) return yield* new Silent({ exitCode: ExitCode.negative })
  })
).pipe(Command.withDescription("Say which schema the store has; exit code 1 when it is not this release's"))

const up = Command.make(
  "up",
  {},
  Effect.fnUntraced(function*() {
    const place = yield* Store.place
    const before = yield* place.schemaState
    yield* Effect.scoped(Layer.build(place.layer(true)))
    const { installed: to } = yield* place.schemaState
    const from = before.installed
    yield* show({ from, to }, () =>
      from === to
        ? `The schema is at version ${to}; there was nothing to do.`
        : `Migrated the schema ${from === null ? "" : `from version ${from} `}to version ${to}.`)
  })
).pipe(Command.withDescription("Make the schema, or bring it to this release's version, in one transaction"))

const print = Command.make(
  "print",
  {
    from: Flag.Int("from").pipe(
      Flag.withDescription("The version that is there; default: what the store has"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function*({ from }) {
    const place = yield* Store.place
    const { installed, known } = Option.isSome(from)
      ? { installed: from.value === 0 ? null : from.value, known: undefined }
      : yield* place.schemaState
    // A transaction of nothing would look as if something were to be done.
    const sql = installed === known ? "" : place.sql(installed)
    if (yield* Json) return yield* Console.log(json({ sql }))
    if (sql === "") return yield* note(`The schema is at version ${installed}; there is nothing to do.`)
    yield* Console.log(sql.trimEnd())
  })
).pipe(
  Command.withDescription("Print the SQL that migrate up would run, for who runs it by hand"),
  Command.withExamples([
    {
      command: "perdure migrate print --from 0 > schema.sql",
      description: "The whole schema, without asking a database"
    }
  ])
)

export const migrate = Command.make("migrate").pipe(
  Command.withDescription("See, make and upgrade the schema of the store"),
  Command.withSubcommands([status, up, print])
)
