/** What stands in the way: each is one clear message, an exit code, no password, and nothing done. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { existsSync, writeFileSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { emptyPlace, run, runProgram } from "./given.ts"

const scope = Scope.makeUnsafe()
let sqlite = ""
let postgres = ""
beforeAll(async () => {
  const places = Effect.all([emptyPlace("sqlite"), emptyPlace("postgres")])
  ;[sqlite, postgres] = await Effect.runPromise(Effect.provideService(places, Scope.Scope, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const onServer = (statement: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe(statement)).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(postgres), maxConnections: 1 })),
    Effect.runPromise
  )

describe("addresses", () => {
  it("that mean nothing are refused, and never repeated", async () => {
    for (
      const address of [
        "",
        "nothing",
        "mysql://u:hunter2@h/d",
        "postgres://",
        "postgres://u:hunter2%zz@h/d",
        "sqlite:",
        "sqlite::memory:",
        "postgres:hunter2"
      ]
    ) {
      const { err, exitCode, out } = await run(["queue", "list", "--store", address])
      expect([address, exitCode, out]).toEqual([address, 2, ""])
      expect(err).toMatch(/^perdure: .*\n$/)
      expect(err).not.toContain("hunter2")
    }
    expect(await run(["queue", "list"])).toMatchObject({ exitCode: 2, err: expect.stringContaining("PERDURE_STORE") })
  })

  it("of a server that is not there are told apart from wrong ones", async () => {
    const { err, exitCode, out } = await run(["queue", "list", "--store", "postgres://u:hunter2@127.0.0.1:1/db"])
    expect([exitCode, out]).toEqual([5, ""])
    expect(err).toMatch(/^perdure: PostgreSQL: .*ECONNREFUSED.* try again\.\n$/)
    expect(err).not.toContain("hunter2")
  })

  it("with a wrong password, an unknown database or a file that is none need a person", async () => {
    const wrong = new URL(postgres)
    wrong.password = "hunter2"
    const refused = await run(["queue", "list", "--store", wrong.toString()])
    // A server may trust whoever comes from this machine.
    if (refused.exitCode !== 0) expect(refused.exitCode).toBe(6)
    expect(refused.err).not.toContain("hunter2")
    const unknown = new URL(postgres)
    unknown.pathname = "/nowhere"
    expect(await run(["queue", "list", "--store", unknown.toString()])).toMatchObject({ exitCode: 6, out: "" })
    const file = `${sqlite.slice("sqlite:".length)}.txt`
    writeFileSync(file, "Dear diary, ".repeat(100))
    expect(await run(["queue", "list", "--store", `sqlite:${file}`])).toMatchObject({ exitCode: 6, out: "" })
  })
})

describe("the schema", () => {
  it("is not made by looking: every command says what makes it, and nothing is there afterwards", async () => {
    for (const address of [sqlite, postgres]) {
      for (
        const command of [["workflow", "list"], ["doctor"], ["workflow", "start", "Order"], ["history", "export", "w"]]
      ) {
        const { err, exitCode, out } = await run([...command, "--store", address])
        expect([command, exitCode, out]).toEqual([command, 6, ""])
        expect(err).toMatch(/^perdure: There is no Perdure schema in .*Nothing was written\..*perdure migrate up\n$/)
      }
      expect(await run(["migrate", "status", "--store", address])).toMatchObject({
        exitCode: 1,
        out: expect.stringMatching(/^There is no schema\..*perdure migrate up\n$/)
      })
    }
    expect(existsSync(sqlite.slice("sqlite:".length))).toBe(false)
    expect(await onServer("SELECT 1 FROM pg_namespace WHERE nspname = 'perdure'")).toEqual([])
  })

  it("may be in the way of who lacks the right to it", async () => {
    // Roles are the server's, and others may run this test on it at the same time.
    const role = `perdure_guest_${process.pid}_${Math.random().toString(36).slice(2)}`
    await onServer(`CREATE ROLE ${role} LOGIN PASSWORD 'hunter2'`)
    const guest = new URL(postgres)
    guest.username = role
    guest.password = "hunter2"
    try {
      const { err, exitCode, out } = await run(["migrate", "up", "--store", guest.toString()])
      expect([exitCode, out]).toEqual([6, ""])
      expect(err).toContain("permission denied")
      expect(err).not.toContain("hunter2")
    } finally {
      await onServer(`DROP ROLE ${role}`)
    }
  })

  it("is made by migrate up, once; status and print tell what there is", async () => {
    for (const address of [sqlite, postgres]) {
      const printed = await run(["migrate", "print", "--store", address])
      expect(printed.exitCode).toBe(0)
      expect(printed.out).toMatch(/^BEGIN [^]*CREATE TABLE [^]*COMMIT;\n$/)
      expect(await run(["migrate", "up", "--store", address])).toMatchObject({
        exitCode: 0,
        out: expect.stringMatching(/^Migrated the schema to version \d+\.\n$/)
      })
      expect(await run(["migrate", "up", "--store", address, "--json"])).toMatchObject({ exitCode: 0 })
      expect(await run(["migrate", "print", "--store", address])).toMatchObject({
        exitCode: 0,
        out: "",
        err: expect.stringContaining("there is nothing to do")
      })
      const { exitCode, out } = await run(["migrate", "status", "--store", address, "--json"])
      const state = JSON.parse(out)
      expect([exitCode, state.current, state.installed]).toEqual([0, true, state.known])
      expect(await run(["workflow", "list", "--store", address])).toMatchObject({ exitCode: 0 })
    }
    expect(JSON.parse((await run(["migrate", "print", "--from", "0", "--store", "sqlite:x", "--json"])).out).sql)
      .toContain(
        "CREATE TABLE perdure_workflow"
      )
  })

  it("of another name is another store", async () => {
    const inOther = ["--schema", "other", "--store", postgres]
    expect(await run(["migrate", "status", ...inOther])).toMatchObject({ exitCode: 1 })
    expect(await run(["migrate", "up", ...inOther])).toMatchObject({ exitCode: 0 })
    expect(await onServer("SELECT nspname FROM pg_namespace WHERE nspname = 'other'")).toHaveLength(1)
  })
})

describe("the command line", () => {
  it("with a mistake is told in a line or two, on stderr, and in JSON where JSON is wanted", async () => {
    const mistyped = await run(["workflow", "lst"])
    expect(mistyped).toMatchObject({ exitCode: 2, out: "" })
    expect(mistyped.err).toMatch(
      /^perdure: Unknown subcommand "lst"[^]*Its flags and arguments: perdure workflow --help\n$/
    )
    const { err, exitCode, out } = await run(["workflow", "get", "--json"])
    expect([exitCode, out]).toEqual([2, ""])
    expect(JSON.parse(err).error.reason).toBe("InvalidInvocation")
  })

  it("without a command shows what there is", async () => {
    const { exitCode, out } = await run([])
    expect(exitCode).toBe(2)
    for (
      const noun of [
        "workflow",
        "message",
        "event",
        "stream",
        "queue",
        "schedule",
        "executor",
        "version",
        "migrate",
        "doctor",
        "history"
      ]
    ) expect(out).toMatch(new RegExp(`^ +${noun} `, "m"))
  })

  it("completes itself in every shell", async () => {
    for (const shell of ["bash", "zsh", "fish", "powershell"]) {
      const { exitCode, out } = await run(["--completions", shell])
      expect(exitCode).toBe(0)
      for (const word of ["backfill", "set-latest", "id-prefix"]) expect(out).toContain(word)
    }
  })

  it("is not coloured where nobody looks, and takes the address from the environment", async () => {
    const { exitCode, out } = await runProgram(["workflow", "list"], { env: { PERDURE_STORE: sqlite } })
    expect([exitCode, out]).toEqual([0, "No workflow fits.\n"])
    const forced = await runProgram(["doctor"], { env: { PERDURE_STORE: sqlite, FORCE_COLOR: "1" } })
    expect(forced.out).toContain("\u001b[32mok")
    const never = await runProgram(["doctor"], { env: { PERDURE_STORE: sqlite, FORCE_COLOR: "1", NO_COLOR: "1" } })
    expect(never.out).not.toContain("\u001b")
  })
})
