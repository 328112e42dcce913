/**
 * The command line of Perdure as a value: parsed by `effect/cli`, run on whatever platform is provided.
 *
 * Nothing is made in a database by looking at it: a store without a schema is refused, with the command that makes one.
 */
import * as Cause from "effect/Cause"
import * as CliConfig from "effect/cli/CliConfig"
import * as CliError from "effect/cli/CliError"
import * as CliOutput from "effect/cli/CliOutput"
import * as Command from "effect/cli/Command"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as TerminalCapabilities from "effect/cli/TerminalCapabilities"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { StoreError } from "perdure/Store"
import { WorkflowError } from "perdure/WorkflowError"
import * as ExitCode from "./ExitCode.ts"
import { dashboard } from "./internal/dashboard.ts"
import { doctor } from "./internal/doctor.ts"
import { CliFailure, Silent } from "./internal/failing.ts"
import * as Fleet from "./internal/fleet.ts"
import * as Globals from "./internal/globals.ts"
import { history } from "./internal/history.ts"
import { migrate } from "./internal/migrate.ts"
import { json, line, lines } from "./internal/printable.ts"
import { queue } from "./internal/queue.ts"
import { schedule } from "./internal/schedule.ts"
import { sentence } from "./internal/sentence.ts"
import * as Telling from "./internal/telling.ts"
import * as WorkflowActing from "./internal/workflowActing.ts"
import * as WorkflowLooking from "./internal/workflowLooking.ts"
import * as WorkflowStarting from "./internal/workflowStarting.ts"

// -----------------------------------------------------------------------------
// the command
// -----------------------------------------------------------------------------

const workflow = Command.make("workflow").pipe(
  Command.withDescription("Look at workflows, and act on them"),
  Command.withSubcommands([
    ...WorkflowLooking.commands,
    ...WorkflowActing.commands,
    ...WorkflowStarting.commands
  ])
)

/** `perdure`, with all of its subcommands. */
export const command = Command.make("perdure").pipe(
  Command.withDescription("Durable workflows: see them, steer them, keep their store"),
  Command.withSubcommands([
    workflow,
    Telling.message,
    Telling.event,
    Telling.stream,
    queue,
    schedule,
    Fleet.executor,
    Fleet.version,
    migrate,
    doctor,
    history,
    dashboard
  ]),
  Command.withGlobalFlags(Globals.all)
)

// -----------------------------------------------------------------------------
// running
// -----------------------------------------------------------------------------

/** Nothing is logged, and a wizard for what is typed once is slower than its help. */
const builtIns = [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions]

/** What `perdure --version` says. */
export const version = "0.1.0"

/** Runs the command line. Never fails: succeeds with the exit code, having said on stderr what went wrong. */
export const run = (args: ReadonlyArray<string>): Effect.Effect<number, never, Command.Environment> => {
  const asJson = args.includes("--json")
  return Command.runWith(command, { version })(args).pipe(
    Effect.as(ExitCode.done),
    Effect.catchCause((cause) => report(problemOf(cause), asJson)),
    Effect.provideServiceEffect(CliOutput.Presenter, presenterOf(asJson)),
    Effect.provideService(CliConfig.CliConfig, CliConfig.make({ builtIns }))
  )
}

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

interface Problem {
  readonly exitCode: number
  /** Undefined: all is said. */
  readonly message?: string
  readonly tag?: string
}

const problemOf = (cause: Cause.Cause<unknown>): Problem => {
  if (Cause.hasInterruptsOnly(cause)) return { exitCode: ExitCode.interrupted }
  const error = Cause.squash(cause)
  if (error instanceof WorkflowError) {
    return { exitCode: ExitCode.ofReason(error.reason), message: error.message, tag: error.reason._tag }
  }
  if (error instanceof StoreError) {
    const { reason } = error
    // What a person has to do may end in a command, which is copied without a full stop.
    const message = reason._tag === "StoreUnavailable"
      ? `${sentence(reason.message)} Check the address, and that the database runs there; then try again.`
      : reason.message
    return { exitCode: ExitCode.ofStore(error), message, tag: reason._tag }
  }
  if (error instanceof Silent) return { exitCode: error.exitCode }
  if (error instanceof CliFailure) return { exitCode: error.exitCode, message: error.message, tag: "Refused" }
  // The presenter has said it.
  if (CliError.isCliError(error)) return { exitCode: ExitCode.usage }
  return { exitCode: ExitCode.internal, message: `A mistake in this program: ${wordsOf(error)}`, tag: "Internal" }
}

const wordsOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const report = ({ exitCode, message, tag }: Problem, asJson: boolean): Effect.Effect<number> =>
  message === undefined ? Effect.succeed(exitCode) : Effect.as(
    Console.error(asJson ? json({ error: { reason: tag, message } }) : `perdure: ${line(message)}`),
    exitCode
  )

/** A mistake on the line is told in a line or two; the whole help is for who asks for it. */
const presenterOf = (asJson: boolean) =>
  Effect.map(TerminalCapabilities.TerminalCapabilities, ({ canColor }): CliOutput.Presenter => {
    const formatter = CliOutput.defaultFormatter({
      colors: canColor,
      globalFlags: "summary",
      inheritedFlags: "summary"
    })
    return {
      present: (event) => {
        switch (event._tag) {
          case "Help":
            return Console.log(formatter.formatHelpDoc(event.helpDoc))
          case "Version":
            return Console.log(formatter.formatVersion(event.name, event.version))
          case "InvalidInvocation": {
            const messages = event.errors.map(({ message }) => message)
            return Console.error(
              asJson ? json({ error: { reason: event._tag, message: messages.join("; ") } }) : [
                ...messages.map((message) => `perdure: ${lines(message)}`),
                `Its flags and arguments: ${event.commandPath.join(" ")} --help`
              ].join("\n")
            )
          }
        }
      }
    }
  })
