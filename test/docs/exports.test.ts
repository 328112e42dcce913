/**
 * Every public export has a doc comment: what is not described is not public. And `"perdure"` loads no more than every
 * program needs, since each process pays for it at its start.
 */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")
const modules = ["perdure", "sqlite", "postgres", "server", "cli"].flatMap((name) => {
  const folder = join(root, "packages", name, "src")
  return readdirSync(folder).filter((file) => file.endsWith(".ts") && file !== "index.ts" && file !== "main.ts").map((
    file
  ) => join(folder, file))
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

/** What a module imports, all the way down: packages by their names, own files by their paths. */
const loadedBy = (path: string, seen = new Set<string>()): ReadonlySet<string> => {
  if (seen.has(path)) return seen
  seen.add(path)
  if (!path.endsWith(".ts")) return seen
  for (const [, from] of readFileSync(path, "utf8").matchAll(/^(?:import|export) (?!type )[^"]*"([^"]+)"/gm)) {
    loadedBy(from!.startsWith(".") ? join(dirname(path), from!) : from!, seen)
  }
  return seen
}

it("a program without HTTP does not load what serves it", () => {
  const serves = (path: string) => [...loadedBy(join(root, path))].filter((module) => module.startsWith("effect/http"))
  expect(serves("packages/perdure/src/index.ts")).toEqual([])
  expect(serves("packages/perdure/src/WorkflowHttp.ts")).not.toEqual([])
})
