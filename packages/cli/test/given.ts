/** The command line on both stores: in this process, or as the program that users run; and an engine beside it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import * as Console from "effect/Console"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import type { Store } from "perdure/Store"
import { afterAll, beforeAll, describe } from "vitest"
import { freshDatabase } from "../../../test/postgres/database.ts"
import { programOf } from "../../../test/programs.ts"
import * as Cli from "../src/Cli.ts"

export type Kind = "sqlite" | "postgres"

/** What a command line came to. */
export interface Answer {
  readonly exitCode: number
  readonly out: string
  readonly err: string
}

/** Without what the machine's own settings would say. */
const environment = (more: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(?:PERDURE_|NO_COLOR|FORCE_COLOR)/.test(name))
  ),
  ...more
})

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: string
}

/** Runs the program, in a process of its own. */
export const runProgram = (args: ReadonlyArray<string>, { env = {}, stdin = "" }: ProgramOptions = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const child = spawn(process.execPath, [programOf("packages/cli/src/main.ts"), ...args], { env: environment(env) })
    let out = ""
    let err = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => void (out += text))
    child.stderr.setEncoding("utf8").on("data", (text: string) => void (err += text))
    child.once("error", reject)
    child.once(
      "close",
      (code, signal) =>
        code === null ? reject(new Error(`ended by ${signal}: ${err}`)) : resolve({ exitCode: code, out, err })
    )
    child.stdin.on("error", () => {})
    child.stdin.end(stdin)
  })

/** Runs the same command line in this process. */
export const run = async (args: ReadonlyArray<string>): Promise<Answer> => {
  let out = ""
  let err = ""
  const say = (...parts: ReadonlyArray<unknown>) => void (out += `${parts.join(" ")}\n`)
  const complain = (...parts: ReadonlyArray<unknown>) => void (err += `${parts.join(" ")}\n`)
  const console: Console.Console = Object.assign(Object.create(globalThis.console), { log: say, error: complain })
  const exitCode = await Cli.run(args).pipe(
    Effect.provideService(Console.Console, console),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )
  return { exitCode, out, err }
}

/** A store with its schema, the command line on it, and effects beside. */
export interface Given {
  readonly kind: Kind
  readonly address: string
  readonly answer: (...args: ReadonlyArray<string>) => Promise<Answer>
  /** What it printed. Fails when the exit code is not 0. */
  readonly cli: (...args: ReadonlyArray<string>) => Promise<string>
  /** The same with `--json`, parsed. */
  readonly json: (...args: ReadonlyArray<string>) => Promise<any>
  /** As a program. */
  readonly program: (args: ReadonlyArray<string>, options?: ProgramOptions) => Promise<Answer>
  readonly effect: <A, E>(effect: Effect.Effect<A, E, Store | SqlClient | Engine.Engine>) => Promise<A>
}

export const storeLayer = (kind: Kind, address: string) =>
  kind === "sqlite"
    ? SqliteStore.layer({ filename: address.slice("sqlite:".length) })
    : PostgresStore.layer({ url: Redacted.make(address) })

/** An address without a schema, gone with the scope. */
export const emptyPlace = (kind: Kind): Effect.Effect<string, never, Scope.Scope> =>
  kind === "postgres" ? freshDatabase : Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-cli-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
    ),
    (folder) => `sqlite:${join(folder, "perdure.db")}`
  )

const given = Effect.fnUntraced(function*<E>(kind: Kind, live: Layer.Layer<never, E, Engine.Engine>) {
  const address = yield* emptyPlace(kind)
  const layer = live.pipe(
    Layer.provideMerge(
      Engine.layer({ executorId: "shop-1", version: "v1", poll: "50 millis", suspendAfter: "100 millis" })
    ),
    Layer.provideMerge(Layer.orDie(storeLayer(kind, address)))
  )
  const context = yield* Layer.build(Layer.fresh(layer))
  const answer = (...args: ReadonlyArray<string>) => run([...args, "--store", address])
  const cli = async (...args: ReadonlyArray<string>) => {
    const { err, exitCode, out } = await answer(...args)
    if (exitCode !== 0) throw new Error(`perdure ${args.join(" ")} ended with ${exitCode}: ${err}${out}`)
    return out
  }
  return {
    kind,
    address,
    answer,
    cli,
    json: async (...args) => JSON.parse(await cli(...args, "--json")),
    program: (args, options = {}) => runProgram(args, { ...options, env: { PERDURE_STORE: address, ...options.env } }),
    effect: (effect) => Effect.runPromise(Effect.provide(effect, context as Context.Context<any>))
  } satisfies Given
})

/** Makes the claims on both stores, each with a database and an executor of `live`'s workflows for the whole file. */
export const onBothStores = <E>(
  live: Layer.Layer<never, E, Engine.Engine>,
  claims: (given: () => Given) => void
): void => {
  for (const kind of ["sqlite", "postgres"] as const) {
    describe(`on ${kind}`, () => {
      const scope = Scope.makeUnsafe()
      let made: Given | undefined
      beforeAll(async () => {
        made = await Effect.runPromise(Effect.provideService(given(kind, live), Scope.Scope, scope))
      })
      afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
      claims(() => made!)
    })
  }
}

/** Looks again until it is as wanted; fails with what it saw last when that takes too long. */
export const eventually = async <A>(look: () => Promise<A>, wanted: (value: A) => boolean): Promise<A> => {
  const deadline = Date.now() + 120_000
  for (;;) {
    const value = await look()
    if (wanted(value)) return value
    if (Date.now() > deadline) throw new Error(`it stays ${JSON.stringify(value)}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Until an executor has told what it runs, which it does with its next beat, the doctor rightly misses it. */
export const untilServed = ({ effect }: Given) =>
  eventually(
    () => effect(Client.executors),
    (executors) => executors.some(({ served, state }) => state === "alive" && served.length > 0)
  )
