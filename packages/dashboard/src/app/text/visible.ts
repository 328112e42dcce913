/** Text of others as it is shown: what would hide or reorder it is shown as an escape. Pure. */

/** A stretch of text, or one character shown as its escape. */
export interface Part {
  readonly text: string
  readonly escaped: boolean
}

// Controls but for tab and line feed, and what changes direction or has no width. The joiners stay: emoji need them.
const hidden =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Whether anything of it is shown as an escape. */
export const isPlain = (text: string): boolean => text.search(hidden) === -1

const escapeOf = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** The parts of a text, in order. */
export const partsOf = (text: string): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  let from = 0
  for (const match of text.matchAll(hidden)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), escaped: false })
    parts.push({ text: escapeOf(match[0]), escaped: true })
    from = match.index + match[0].length
  }
  if (from < text.length) parts.push({ text: text.slice(from), escaped: false })
  return parts
}

/** The same as one string, for titles and labels. */
export const visible = (text: string): string => text.replace(hidden, escapeOf)
