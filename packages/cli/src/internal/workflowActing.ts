/** `perdure workflow cancel`, `resume`, `delete`: what is done to workflows, by their ids or to all that fit. */
import * as Arr from "effect/Array"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import type { WorkflowError } from "perdure/WorkflowError"
import { onStore } from "./command.ts"
import { confirm } from "./confirming.ts"
import { usage } from "./failing.ts"
import * as Filters from "./filters.ts"
import { given } from "./options.ts"
import { progress, show } from "./output.ts"
import { line } from "./printable.ts"
import { tableOf } from "./workflowLooking.ts"

// -----------------------------------------------------------------------------
// what the three have in common
// -----------------------------------------------------------------------------

const targets = {
  ids: Argument.String("id").pipe(Argument.withDescription("Ids; or filters instead"), Argument.variadic()),
  dryRun: Flag.Boolean("dry-run").pipe(
    Flag.withoutNegation,
    Flag.withDescription("With filters: only count"),
    Flag.withDefault(false)
  ),
  ...Filters.flags
}

interface Act {
  /** As in "to cancel 3 workflows". */
  readonly verb: string
  /** As in "Cancelled 3 workflows". */
  readonly done: string
  /** Whether few that are named need no confirmation. */
  readonly harmless: boolean
  readonly one: (ids: ReadonlyArray<string>) => Effect.Effect<void, WorkflowError, Engine>
  readonly all: (
    filter: Client.Filter,
    options: Client.BulkOptions
  ) => Effect.Effect<Client.BulkResult, WorkflowError, Engine>
}

/** What a list takes at the most; an act takes any number. */
const pageSize = 1000

const workflows = (n: number): string => `${n.toLocaleString("en")} ${n === 1 ? "workflow" : "workflows"}`

/** By ids, or by filters; never both, never neither. */
const carryOut = Effect.fnUntraced(function*(
  { dryRun, ids, ...flags }: { readonly ids: ReadonlyArray<string>; readonly dryRun: boolean } & Filters.Given,
  act: Act
) {
  const filter = yield* Filters.filterOf(flags)
  if (ids.length > 0) {
    if (Object.keys(filter).length === 0) return yield* byIds(ids, dryRun, act)
    return yield* usage("Ids and filters are given", `Give either. Filters can name ids by --id-prefix.`)
  }
  // A filter may be given that fits everything, as where a variable of a script is empty.
  if (yield* Client.restricts(filter)) return yield* byFilter(filter, dryRun, act)
  yield* usage(`It is not said what to ${act.verb}`, "Give ids, or filters as for workflow list.")
})

const byIds = Effect.fnUntraced(function*(ids: ReadonlyArray<string>, dryRun: boolean, act: Act) {
  if (dryRun) return yield* usage("--dry-run counts what filters fit", "Leave it out, or give filters.")
  if (!act.harmless) yield* confirm(`${act.verb} ${ids.length > 3 ? workflows(ids.length) : ids.join(", ")}`)
  yield* act.one(ids)
  const pages = yield* Effect.forEach(Arr.chunksOf(ids, pageSize), (ids) => Client.list({ ids, limit: pageSize }))
  const after = pages.flatMap(({ workflows }) => workflows)
  yield* show(
    { ids, workflows: after },
    (reader) => after.length === 0 ? `${act.done} ${ids.map(line).join(", ")}.` : tableOf(after, reader)
  )
})

const byFilter = Effect.fnUntraced(function*(filter: Client.Filter, dryRun: boolean, act: Act) {
  const counted = yield* act.all(filter, { dryRun: true })
  if (dryRun) return yield* show(counted, () => `${workflows(counted.matched)} would be looked at; nothing was done.`)
  if (counted.matched > 0) yield* confirm(`${act.verb} whatever can be of ${workflows(counted.matched)}`)
  const told = yield* progress
  const result = yield* act.all(filter, {
    onProgress: ({ changed, matched }) =>
      told(`${matched.toLocaleString("en")} of ${counted.matched.toLocaleString("en")}: ${act.done} ${changed}`)
  })
  yield* told("")
  yield* show(result, () => `${act.done} ${result.changed.toLocaleString("en")} of ${workflows(result.matched)}.`)
})

// -----------------------------------------------------------------------------
// cancel, resume, delete
// -----------------------------------------------------------------------------

const cancel = Command.make(
  "cancel",
  {
    ...targets,
    children: Flag.Boolean("children").pipe(
      Flag.withDescription("Also the children that are not detached (the default)"),
      Flag.withDefault(true)
    ),
    detail: Flag.String("detail").pipe(Flag.withDescription("Why; stored with the workflow"), Flag.optional)
  },
  Effect.fnUntraced(function*({ children, detail, ...target }) {
    const options = { children, ...given({ detail }) }
    yield* carryOut(target, {
      verb: "cancel",
      done: "Cancelled",
      harmless: false,
      one: (ids) => Client.cancel(ids, options),
      all: (filter, bulk) => Client.cancelAll(filter, { ...options, ...bulk })
    })
  }, onStore)
).pipe(
  Command.withDescription("Cancel workflows: their steps are interrupted, their rollbacks run"),
  Command.withExamples([
    { command: "perdure workflow cancel order-42 --detail \"ordered twice\"" },
    {
      command: "perdure workflow cancel --name Import --status ENQUEUED --dry-run",
      description: "How many would it be"
    }
  ])
)

const resume = Command.make(
  "resume",
  targets,
  Effect.fnUntraced(function*(target) {
    yield* carryOut(target, {
      verb: "resume",
      done: "Resumed",
      harmless: true,
      one: Client.resume,
      all: Client.resumeAll
    })
  }, onStore)
).pipe(
  Command.withDescription(
    "Make cancelled, dead-lettered and blocked workflows due again; recorded steps do not run again"
  )
)

const delete_ = Command.make(
  "delete",
  {
    ...targets,
    children: Flag.Boolean("children").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Also their children, however deep"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function*({ children, ...target }) {
    yield* carryOut(target, {
      verb: "delete",
      done: "Deleted",
      harmless: false,
      one: (ids) => Client.delete(ids, { children }),
      all: (filter, bulk) => Client.deleteAll(filter, { children, ...bulk })
    })
  }, onStore)
).pipe(Command.withDescription("Delete workflows that are done, with everything that is stored of them"))

export const commands = [cancel, resume, delete_] as const
