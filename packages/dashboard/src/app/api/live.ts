/**
 * Changes as they are told: what is shown and has changed is asked for again, at most once a second for each kind. The
 * browser's own `EventSource` connects again by itself; until it has, the pages ask at their intervals.
 */
import { Change } from "@perdure/server/AdminApi"
import * as Schema from "effect/Schema"
import { useEffect, useSyncExternalStore } from "react"
import { mount } from "./client.ts"
import { askAgain } from "./queries.ts"

export type Connection = "connecting" | "live" | "lost"

let connection: Connection = "connecting"
const listeners = new Set<() => void>()
const set = (next: Connection): void => {
  if (next === connection) return
  connection = next
  for (const listener of listeners) listener()
}
const subscribe = (listener: () => void): () => void => {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** Whether changes are told. */
export const useConnection = (): Connection => useSyncExternalStore(subscribe, () => connection)

const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.toCodecJson(Change)))

const intervalMs = 1000
/** Keys that are to be asked for again, and the timer until that is done. */
const changed = new Map<string, ReadonlyArray<string>>()
let timer: ReturnType<typeof setTimeout> | undefined

const note = (...key: ReadonlyArray<string>): void => {
  changed.set(key.join("/"), key)
  timer ??= setTimeout(() => {
    timer = undefined
    for (const key of changed.values()) askAgain(key)
    changed.clear()
  }, intervalMs)
}

const heard = (text: string): void => {
  const change = decode(text)
  if (change._tag === "None") return
  switch (change.value._tag) {
    case "Changed":
      for (const what of change.value.what) note(what)
      return
    case "Workflow":
      return note("workflow", change.value.workflowId)
    case "Open":
    case "Beat":
      return
  }
}

/** Listens while the page is shown; also to one workflow, where one is looked at. */
export const useLive = (workflowId: string | undefined): void => {
  useEffect(() => {
    const query = workflowId === undefined ? "" : `?${new URLSearchParams({ workflow: workflowId })}`
    let source: EventSource | undefined
    const open = () => {
      if (source !== undefined && source.readyState !== EventSource.CLOSED) return
      source = new EventSource(`${mount}/api/live${query}`)
      source.addEventListener("open", () => set("live"))
      source.addEventListener("message", ({ data }) => heard(String(data)))
      source.addEventListener("error", () => set(source?.readyState === EventSource.CLOSED ? "lost" : "connecting"))
    }
    open()
    // It gives up after some answers, for instance while the server restarts behind a proxy.
    const again = setInterval(open, 10_000)
    return () => {
      clearInterval(again)
      source?.close()
    }
  }, [workflowId])
}
