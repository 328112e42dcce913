/** The least text above every text that begins with `prefix`, in byte order; null: there is none. */
export const afterPrefix = (prefix: string): string | null => {
  const points = Array.from(prefix)
  while (points.length > 0) {
    const last = points.pop()!.codePointAt(0)!
    if (last < 0x10ffff) return points.join("") + String.fromCodePoint(last === 0xd7ff ? 0xe000 : last + 1)
  }
  return null
}
