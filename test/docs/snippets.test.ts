/** Every `ts` block of the documentation compiles, on the sources of this repository. */
import { execFile } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, it } from "vitest"

const root = join(import.meta.dirname, "../..")

const pages = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? pages(join(folder, entry.name)) : entry.name.endsWith(".md") ? [join(folder, entry.name)] : []
  )

/** Blocks opened by ```ts. Parts of a program that are shown alone are opened by ```ts fragment, and not compiled. */
const blocks = (page: string): ReadonlyArray<{ readonly where: string; readonly code: string }> => {
  const text = readFileSync(join(root, page), "utf8")
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => ({
    where: `${page}:${text.slice(0, match.index).split("\n").length}`,
    code: match[1] ?? ""
  }))
}

it("every ts block of README.md and docs/ compiles", async () => {
  const found = ["README.md", ...pages("docs")].flatMap(blocks)
  // Inside the repository, so that the packages are found.
  const folder = mkdtempSync(join(import.meta.dirname, "snippets-"))
  try {
    found.forEach(({ code, where }, index) =>
      writeFileSync(join(folder, `s${index}.ts`), `// ${where}\n${code}\nexport {}\n`)
    )
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../../tsconfig.json",
        compilerOptions: { noUnusedLocals: false },
        include: ["*.ts"]
      })
    )
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, "--noEmit", "-p", folder]).catch(
      (error: { readonly stdout: string }) => error
    )
    const where = (line: string) => line.replace(/.*?\bs(\d+)\.ts/, (_, index) => found[Number(index)]?.where ?? index)
    expect(stdout.split("\n").filter((line) => line !== "").map(where)).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
