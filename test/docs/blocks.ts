/** The TypeScript in the documentation. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")

export interface Block {
  readonly page: string
  /** The page, and the line at which it opens. */
  readonly where: string
  /** The file in which a reader puts it, from a comment above it: a whole program. */
  readonly file: string | undefined
  readonly code: string
}

const pagesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? pagesIn(join(folder, entry.name))
      : entry.name.endsWith(".md")
      ? [join(folder, entry.name)]
      : []
  )

/** Blocks opened by ```ts. Parts of a program that are shown alone are opened by ```ts fragment, and are none of these. */
export const blocksOf = (page: string): ReadonlyArray<Block> => {
  const text = readFileSync(join(root, page), "utf8")
  return [...text.matchAll(/(?:^<!-- (\S+\.ts) -->\s+)?^```ts\n([^]*?)^```$/gm)].map((match) => ({
    page,
    where: `${page}:${text.slice(0, match.index + match[0].indexOf("```ts")).split("\n").length}`,
    file: match[1],
    code: match[2]!
  }))
}

/** Of README.md and docs/. */
export const blocks: ReadonlyArray<Block> = ["README.md", ...pagesIn("docs")].flatMap(blocksOf)
