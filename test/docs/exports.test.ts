/** Every public export has a doc comment: what is not described is not public. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const modules = ["perdure", "sqlite", "postgres"].flatMap((name) => {
  const folder = join(root, "packages", name, "src")
  return readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "index.ts").map((file) =>
    join(folder, file)
  )
})

const undocumented = (path: string): ReadonlyArray<string> => {
  const lines = readFileSync(path, "utf8").split("\n")
  return lines.flatMap((line, index) => {
    const name = /^export (?:declare )?(?:abstract )?(?:const|class|interface|type|function) (\w+)/.exec(line)?.[1]
    if (name === undefined) return []
    const above = lines[index - 1]?.trim() ?? ""
    // A schema and its type share a name and a comment.
    const again = lines.slice(0, index).some((other) => new RegExp(`^export (?:const|class) ${name}\\b`).test(other))
    return above.endsWith("*/") || again ? [] : [`${path.slice(root.length + 1)}:${index + 1} ${name}`]
  })
}

it("every public module begins with what it is", () => {
  expect(modules.filter((path) => !readFileSync(path, "utf8").startsWith("/**"))).toEqual([])
})

it("every public export is documented", () => {
  expect(modules.flatMap(undocumented)).toEqual([])
})
