/** What was done, in a word, for eyes and for screen readers. */
import { useEffect, useSyncExternalStore } from "react"
import { Text } from "./Text.tsx"

interface Announcement {
  readonly id: number
  readonly text: string
}

let shown: ReadonlyArray<Announcement> = []
let count = 0
const listeners = new Set<() => void>()
const set = (next: ReadonlyArray<Announcement>): void => {
  shown = next
  for (const listener of listeners) listener()
}
const subscribe = (listener: () => void): () => void => {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Says it. */
export const announce = (text: string): void => set([...shown.slice(-2), { id: ++count, text }])

const remove = (id: number): void => set(shown.filter((one) => one.id !== id))

export const Announcements = () => {
  const all = useSyncExternalStore(subscribe, () => shown)
  return (
    <div className="announcements" role="status" aria-live="polite">
      {all.map((one) => <Shown key={one.id} {...one} />)}
    </div>
  )
}

const Shown = ({ id, text }: Announcement) => {
  useEffect(() => {
    const timer = setTimeout(() => remove(id), 6000)
    return () => clearTimeout(timer)
  }, [id])
  return (
    <p className="announcement">
      <Text>{text}</Text>
    </p>
  )
}
