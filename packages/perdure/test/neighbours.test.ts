/** Whether the processes of this machine have ended, with real ones. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Neighbours } from "../src/internal/neighbours.ts"

const module = new URL("../src/internal/neighbours.ts", import.meta.url).href
const program = `const { Neighbours } = await import(${JSON.stringify(module)})
new Neighbours().entered("other")
console.log("entered")
setInterval(() => {}, 1000)`

/** Everything temporary is in a folder of its own; another process has entered as "other". */
const world = Effect.gen(function*() {
  const before = process.env["TMPDIR"]
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => process.env["TMPDIR"] = mkdtempSync(join(tmpdir(), "perdure-neighbours-"))),
    (folder) =>
      Effect.sync(() => {
        if (before === undefined) delete process.env["TMPDIR"]
        else process.env["TMPDIR"] = before
        rmSync(folder, { recursive: true })
      })
  )
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: ["ignore", "pipe", "inherit"] })
    ),
    (child) =>
      Effect.promise(() =>
        new Promise<void>((done) =>
          child.exitCode === null && child.signalCode === null && child.kill("SIGKILL")
            ? child.once("exit", () => done())
            : done()
        )
      )
  )
  yield* Effect.promise(() => new Promise((done) => child.stdout.once("data", done)))
  const end = Effect.promise(() =>
    new Promise((done) => {
      child.once("exit", done)
      child.kill("SIGKILL")
    })
  )
  const files = join(folder, readdirSync(folder)[0]!)
  return { child, end, files, ofOther: join(files, "other") }
})

it.live("a process that was killed has ended, one that runs or is stopped has not", () =>
  Effect.gen(function*() {
    const { child, end, files, ofOther } = yield* world
    const neighbours = new Neighbours()
    neighbours.entered("mine")
    assert.deepStrictEqual(neighbours.ended, [])
    child.kill("SIGSTOP")
    assert.deepStrictEqual(neighbours.ended, [])
    yield* end
    assert.deepStrictEqual(neighbours.ended, ["other"])
    assert.deepStrictEqual(new Neighbours().ended, ["other"])
    // Told, and of this store: nothing is left of it.
    neighbours.tell(["other"], ["other"])
    assert.deepStrictEqual(neighbours.ended, [])
    assert.throws(() => readFileSync(ofOther))
    // Nor of anything, once this one leaves.
    neighbours.left("mine")
    assert.isFalse(existsSync(files))
  }))

it.live("one of another store is told of once, and kept for those who know it", () =>
  Effect.gen(function*() {
    const { end, ofOther } = yield* world
    yield* end
    const neighbours = new Neighbours()
    neighbours.tell(neighbours.ended, [])
    assert.deepStrictEqual(neighbours.ended, [])
    const theirs = new Neighbours()
    assert.deepStrictEqual(theirs.ended, ["other"])
    // Not for ever.
    utimesSync(ofOther, 0, 0)
    theirs.tell(theirs.ended, [])
    assert.deepStrictEqual(new Neighbours().ended, [])
  }))

it.live("a number that another process has by now is not that process", () =>
  Effect.gen(function*() {
    const { ofOther } = yield* world
    const other = JSON.parse(readFileSync(ofOther, "utf8"))
    if (other.began === null) return
    writeFileSync(ofOther, JSON.stringify({ ...other, began: String(Number(other.began) - 1) }))
    assert.deepStrictEqual(new Neighbours().ended, ["other"])
  }))

it.live("nothing is said of a process of another place, nor by what cannot be read", () =>
  Effect.gen(function*() {
    const { end, files, ofOther } = yield* world
    yield* end
    const other = JSON.parse(readFileSync(ofOther, "utf8"))
    writeFileSync(ofOther, JSON.stringify({ ...other, place: `${other.place}.` }))
    writeFileSync(join(files, "torn"), "{")
    assert.deepStrictEqual(new Neighbours().ended, [])
  }))

it.live("a folder that others may write is not believed", () =>
  Effect.gen(function*() {
    const { end, files } = yield* world
    yield* end
    chmodSync(files, 0o777)
    assert.deepStrictEqual(new Neighbours().ended, [])
  }))
