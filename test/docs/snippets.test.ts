/** Every `ts` block of the documentation compiles, on the sources of this repository. */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, it } from "vitest"
import { blocks } from "./blocks.ts"

const root = join(import.meta.dirname, "../..")

it("every ts block of README.md and docs/ compiles", async () => {
  // Inside the repository, so that the packages are found.
  const folder = mkdtempSync(join(import.meta.dirname, "snippets-"))
  try {
    blocks.forEach(({ code, where }, index) =>
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
    const where = (line: string) => line.replace(/.*?\bs(\d+)\.ts/, (_, index) => blocks[Number(index)]?.where ?? index)
    expect(stdout.split("\n").filter((line) => line !== "").map(where)).toEqual([])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
