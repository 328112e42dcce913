/** Pages of an answer: as many items as were asked for, but no more than fit into it. */
import * as Effect from "effect/Effect"
import { CurrentSettings } from "./settings.ts"

/** A page, and whether anything follows it. */
export interface Page<A> {
  readonly items: ReadonlyArray<A>
  readonly more: boolean
}

/** So many rows are read at first: each may be of many megabytes. Small ones are then read in ever greater numbers. */
const first = 20

const bytesOf = (item: unknown): number => Buffer.byteLength(JSON.stringify(item))

/**
 * Up to `limit` items (1,000 at the most), or as many as have room in `limits.pageBytes`, but one at least. `read` gives so many
 * (fewer than 1,000) that follow the last one there is, and fewer only at the end.
 */
export const pageOf = <A, E, R>(
  limit: number,
  read: (last: A | undefined, count: number) => Effect.Effect<ReadonlyArray<A>, E, R>
): Effect.Effect<Page<A>, E, R | CurrentSettings> =>
  Effect.gen(function*() {
    const { limits: { pageBytes } } = yield* CurrentSettings
    const items: Array<A> = []
    let bytes = 0
    for (let count = first;; count = bytes * 8 < pageBytes ? count * 4 : count) {
      const asked = Math.min(count, limit + 1 - items.length)
      const found = yield* read(items.at(-1), asked)
      for (const item of found) {
        bytes += bytesOf(item)
        if (items.length === limit || (items.length > 0 && bytes > pageBytes)) return { items, more: true }
        items.push(item)
      }
      if (found.length < asked) return { items, more: false }
    }
  })
