/**
 * Data as text that a terminal shows and nothing else: ids, names and payloads come from users, and a terminal obeys
 * escape sequences and bidirectional marks.
 */

/** Controls, line separators, formatting marks (bidirectional ones, zero widths, tags), halves of surrogate pairs. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Cn}\p{Co}\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]/gu

const escaped = (character: string): string =>
  Array.from(
    { length: character.length },
    (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`
  ).join("")

/** One line: what cannot be shown is escaped as in JSON. */
export const line = (text: string): string =>
  text.replace(unprintable, (character) => character === "\n" ? "\\n" : character === "\t" ? "\\t" : escaped(character))

/** Several lines, as they are laid out by this program: what cannot be shown is escaped, but for the line breaks. */
export const lines = (text: string): string => text.split("\n").map(line).join("\n")

/** The same value as JSON, in one line. What is escaped stands within strings, where JSON reads it back. */
export const json = (value: unknown): string => (JSON.stringify(value) ?? "null").replace(unprintable, escaped)

/** The same, laid out for people. */
export const prettyJson = (value: unknown): string => lines(JSON.stringify(value, null, 2) ?? "none")
