/** The program's side of the conversation: lines of JSON on standard output and input. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { createInterface } from "node:readline"
import { now } from "./sideEffects.ts"

/** Written before it returns. */
export const sayNow = (tag: string, fields: object = {}): void =>
  void process.stdout.write(`${JSON.stringify({ tag, ...fields })}\n`)

export const say = (tag: string, fields: object = {}): Effect.Effect<void> => Effect.sync(() => sayNow(tag, fields))

export type Commands = { readonly [name: string]: (command: any) => Effect.Effect<object | void, unknown> }

/** Stops by itself, and says when: within nothing that another fiber does at once. */
const freeze = Effect.sync(() => {
  sayNow("freezing", { at: now() })
  process.kill(process.pid, "SIGSTOP")
})

/** Obeys commands as they come, in parallel; each answer carries the command's name as its tag. */
export const obey = (own: Commands): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const commands: Commands = { freeze: () => freeze, ...own }
    const scope = yield* Effect.scope
    const context = yield* Effect.context<never>()
    const lines = createInterface(process.stdin)
    // The test has gone: so does its program.
    lines.on("close", () => process.exit(75))
    lines.on("line", (line) => {
      const command = JSON.parse(line) as { readonly do: string }
      const answer = Effect.flatMap(
        Effect.exit(commands[command.do]!(command)),
        (exit) => say(command.do, exit._tag === "Success" ? exit.value ?? {} : { failed: String(exit.cause) })
      )
      Effect.runForkWith(context)(Effect.forkIn(answer, scope))
    })
    process.stdin.unref()
  })
