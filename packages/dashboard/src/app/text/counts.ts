/** Numbers of things, some of which were not counted to the end. */

/** `more`: there are more than were counted. */
export const counted = ({ count, more }: { readonly count: number; readonly more: boolean }): string =>
  `${count.toLocaleString("en")}${more ? "+" : ""}`

/** What a store counts of a queue at most. */
const most = 10_000

export const inQueue = (count: number): string => counted({ count, more: count >= most })

export const waiting = (count: number): string => `${inQueue(count)} ${count === 1 ? "waits" : "wait"}`
