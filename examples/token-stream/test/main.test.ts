import { existsSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"
import { run, start, withFolder } from "../../../test/examples.ts"
import { waitFor } from "../../../test/waitFor.ts"

const tokens = "You ask: what is durable? I do not know yet but I will think".split(" ")

it("another process reads the tokens as they come, all of them, in order", () =>
  withFolder(async (folder) => {
    const file = join(folder, "chat.db")
    const reader = start("token-stream", "read", file)
    const written = await run("token-stream", "write", file)
    expect(written).toEqual([`written: ${tokens.join(" ")}`])
    await reader.ended
    const expected = [...tokens.map((token, offset) => `${offset} ${token}`), "the stream has ended"]
    expect(reader.said().trimEnd().split("\n")).toEqual(expected)
    // And whoever comes when it is over.
    expect(await run("token-stream", "read", file)).toEqual(expected)
  }))

it("a writer that is killed goes on, and a reader that comes later sees its tokens once", () =>
  withFolder(async (folder) => {
    const file = join(folder, "chat.db")
    const reader = start("token-stream", "read", file)
    // It has opened the store: one that is still loading its code would see the first tokens when the last are written.
    await waitFor("the reader to be there", () => existsSync(file), { state: reader.said })
    // So slowly that it is killed long before its end.
    const writer = start("token-stream", "write", file, "2000")
    await waitFor("the third token to be read", () => {
      expect(writer.said()).toBe("")
      return reader.said().includes("2 what")
    }, { state: reader.said })
    await writer.kill()
    expect(await run("token-stream", "write", file)).toEqual([`written: ${tokens.join(" ")}`])
    await reader.ended
    const later = await run("token-stream", "read", file)
    expect(later.slice(0, -1).map((line) => line.replace(/^\d+ /, ""))).toEqual(tokens)
  }))
