/** What others read of a workflow's events and streams. */
import * as Effect from "effect/Effect"
import type { EventAnswer, StoreService, StreamAnswer, StreamEntry } from "perdure/Store"
import type { Database } from "./database.ts"
import { eventsStatement, eventValuesStatement, readStreamsStatement, streamsStatement } from "./sql/reads.ts"

/** Keys are not empty, and no workflow has so many. */
const all = { after: null, limit: 2_147_483_647 }

export const make = (
  database: Database
): Pick<StoreService, "events" | "eventValues" | "readStreams" | "streams"> => {
  const s = database.s
  const eventsSql = eventsStatement(s)
  const eventValuesSql = eventValuesStatement(s)
  const readStreamsSql = readStreamsStatement(s)
  const streamsSql = streamsStatement(s)

  const eventValues: StoreService["eventValues"] = (events) =>
    Effect.map(
      database.query(eventValuesSql, [events.map(({ workflowId }) => workflowId), events.map(({ key }) => key)]),
      (rows) =>
        rows.map(([value, open, known]): EventAnswer =>
          value !== null
            ? { _tag: "Set", value: value as string }
            : open === true
            ? { _tag: "Open" }
            : known === true
            ? { _tag: "Done" }
            : { _tag: "Unknown" }
        )
    )

  const events: StoreService["events"] = (workflowId, { after, limit } = all) =>
    Effect.map(
      database.query(eventsSql, [workflowId, after ?? "", String(Math.max(1, Math.trunc(limit)))]),
      (rows) =>
        rows.map(([key, value, codec, at]) => ({
          key: key as string,
          value: value as string,
          codec: codec as string,
          at: Number(at)
        }))
    )

  const readStreams: StoreService["readStreams"] = (reads) => {
    const limits = reads.map(({ limit }) => Math.max(0, Math.trunc(limit)))
    return Effect.map(
      database.query(readStreamsSql, [
        reads.map(({ workflowId }) => workflowId),
        reads.map(({ key }) => key),
        // numbers travel as text and are cast: the driver would choose a type by the value
        reads.map(({ from }) => String(Math.max(0, Math.trunc(from)))),
        limits.map(String)
      ]),
      (rows) =>
        rows.map(([json, open, known], i): StreamAnswer => {
          // built by the statement in the shape of the contract
          const entries = JSON.parse(json as string) as ReadonlyArray<StreamEntry>
          return entries.length > limits[i]!
            ? { entries: entries.slice(0, limits[i]!), state: "open" }
            : { entries, state: open === true ? "open" : known === true ? "done" : "unknown" }
        })
    )
  }

  const streams: StoreService["streams"] = (workflowId) =>
    Effect.map(
      database.query(streamsSql, [workflowId, "", String(all.limit)]),
      (rows) =>
        rows.map(([key, entries, closed]) => ({
          key: key as string,
          entries: Number(entries),
          closed: closed === true
        }))
    )

  return { eventValues, events, readStreams, streams }
}
