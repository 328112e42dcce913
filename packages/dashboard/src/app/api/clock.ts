/** The time by the server's database, and one tick a second for all that shows an age. */
import { useSyncExternalStore } from "react"

let offset = 0

/** What the server said the time was when it answered. */
export const tell = (serverNow: Date): void => {
  offset = serverNow.getTime() - Date.now()
}

export const now = (): number => Date.now() + offset

const listeners = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined
let second = Math.floor(Date.now() / 1000)

const subscribe = (listener: () => void): () => void => {
  listeners.add(listener)
  timer ??= setInterval(() => {
    second = Math.floor(Date.now() / 1000)
    for (const one of listeners) one()
  }, 1000)
  return () => {
    listeners.delete(listener)
    if (listeners.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** The time, to the second, by the server's clock; renders again when it changes. */
export const useNow = (): number => {
  useSyncExternalStore(subscribe, () => second)
  return now()
}
