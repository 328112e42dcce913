/** The streams of a workflow, and the end of one, live. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { useNavigate, useSearch } from "@tanstack/react-router"
import { useEffect, useRef, useState } from "react"
import { streams, streamTail } from "../../api/queries.ts"
import { Button } from "../../components/Button.tsx"
import { Check } from "../../components/Field.tsx"
import { Empty, Loading, Problem } from "../../components/States.tsx"
import { Text } from "../../components/Text.tsx"
import { clock } from "../../text/time.ts"

export const Streams = ({ info }: { readonly info: WorkflowDetail }) => {
  const { data, error, refetch } = useQuery(streams(info.workflowId))
  const { stream } = useSearch({ from: "/workflow" })
  const navigate = useNavigate()
  if (error !== null && data === undefined) return <Problem error={error} retry={() => void refetch()} />
  if (data === undefined) return <Loading what="streams" />
  const chosen = data.find(({ key }) => key === stream) ?? data[0]
  if (chosen === undefined) {
    return (
      <Empty title="It has written to no stream">
        A stream is an ordered list of values that a workflow publishes: WorkflowStream.make(key, ...).write(value).
      </Empty>
    )
  }
  return (
    <div className="stack">
      <div className="chips" role="group" aria-label="Stream">
        {data.map(({ closed, entries, key }) => (
          <button
            key={key}
            type="button"
            className={`chip ${key === chosen.key ? "pressed" : ""}`}
            aria-pressed={key === chosen.key}
            onClick={() =>
              void navigate({
                to: "/workflow",
                search: { id: info.workflowId, tab: "streams", stream: key },
                replace: true
              })}
          >
            <Text>{key}</Text> <span className="muted number">{entries}{closed ? ", closed" : ""}</span>
          </button>
        ))}
      </div>
      <Tail key={chosen.key} id={info.workflowId} stream={chosen.key} entries={chosen.entries} />
    </div>
  )
}

const step = 200

const Tail = ({ id, stream, entries }: {
  readonly id: string
  readonly stream: string
  readonly entries: number
}) => {
  const [count, setCount] = useState(step)
  const [following, setFollowing] = useState(true)
  const { data, error } = useQuery(streamTail(id, stream, count))
  const end = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (following && end.current !== null) end.current.scrollTop = end.current.scrollHeight
  }, [data, following])
  if (error !== null && data === undefined) return <Problem error={error} />
  if (data === undefined) return <Loading what="entries" />
  return (
    <div className="card stack">
      <div className="row spread">
        <span className="small muted">
          The last {data.entries.length} of {entries}
          {data.done ? "; nothing follows" : ""}
        </span>
        <span className="row">
          {count < 1000 && entries > data.entries.length
            ? <Button tone="quiet" onClick={() => setCount(1000)}>Up to 1,000</Button>
            : null}
          <Check label="Follow" checked={following} set={setFollowing} />
        </span>
      </div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls, so keys must reach it */}
      <div ref={end} className="tail mono" role="log" aria-label="Entries" tabIndex={0}>
        {data.entries.map((entry) => (
          <div key={entry.offset} className={`tail-line ${entry.superseded ? "superseded" : ""}`}>
            <span className="muted number">{entry.offset}</span>
            <span className="muted number">{clock(entry.at)}</span>
            <span>
              {entry.value === undefined
                ? <span className="muted">closed here</span>
                : <Text>{typeof entry.value === "string" ? entry.value : JSON.stringify(entry.value)}</Text>}
              {entry.superseded ? <span className="muted">(of an attempt that does not count)</span> : null}
            </span>
          </div>
        ))}
      </div>
    </div>
  )
}
