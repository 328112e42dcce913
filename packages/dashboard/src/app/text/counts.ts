/** Numbers of things, some of which were not counted to the end. */
import { queueCountLimit } from "@perdure/server/AdminApi"

/** `more`: there are more than were counted. */
export const counted = ({ count, more }: { readonly count: number; readonly more: boolean }): string =>
  `${count.toLocaleString("en")}${more ? "+" : ""}`

export const inQueue = (count: number): string => counted({ count, more: count >= queueCountLimit })

export const waiting = (count: number): string => `${inQueue(count)} ${count === 1 ? "waits" : "wait"}`
