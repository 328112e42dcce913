/** Keys. None counts while somebody types, or while a dialog is open. */
import { useEffect, useRef } from "react"

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && target.type === "checkbox")

const dialogIsOpen = (): boolean => document.querySelector("[role=dialog]") !== null

export type Keys = { readonly [key: string]: ((event: KeyboardEvent) => void) | undefined }

/** Handles single keys (`j`, `/`) and pairs (`g w`). */
export const useKeys = (keys: Keys): void => {
  const current = useRef(keys)
  useEffect(() => {
    current.current = keys
  })
  useEffect(() => {
    let first: { readonly key: string; readonly at: number } | undefined
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || dialogIsOpen()) return
      const pair = first !== undefined && event.timeStamp - first.at < 1500 ? `${first.key} ${event.key}` : undefined
      first = { key: event.key, at: event.timeStamp }
      const handler = (pair === undefined ? undefined : current.current[pair]) ?? current.current[event.key]
      if (handler === undefined) return
      event.preventDefault()
      handler(event)
    }
    document.addEventListener("keydown", pressed)
    return () => document.removeEventListener("keydown", pressed)
  }, [])
}

/** What the help shows. */
export const help: ReadonlyArray<readonly [keys: string, what: string]> = [
  ["Ctrl K", "Search and commands"],
  ["/", "To the search of this page"],
  ["j, k", "Next, previous row"],
  ["Enter", "Open the row"],
  ["x", "Select the row"],
  ["g o", "Overview"],
  ["g w", "Workflows"],
  ["g q", "Queues"],
  ["g s", "Schedules"],
  ["g e", "Executors"],
  ["g v", "Versions"],
  ["?", "This list"],
  ["Esc", "Close"]
]
