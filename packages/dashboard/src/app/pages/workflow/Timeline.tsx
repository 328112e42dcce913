/**
 * The steps of a workflow over time. Bars that overlap ran in parallel; their branch stands before the name. Only the rows
 * in sight are in the page, and with many of them the axis spans what is in sight, so ten thousand steps stay readable.
 */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { useNavigate, useSearch } from "@tanstack/react-router"
import { useWindowVirtualizer } from "@tanstack/react-virtual"
import { useEffect, useMemo, useRef, useState } from "react"
import { useNow } from "../../api/clock.ts"
import { explanation, steps } from "../../api/queries.ts"
import { useKeys } from "../../components/keys.ts"
import { Empty, Loading, Problem } from "../../components/States.tsx"
import { Text } from "../../components/Text.tsx"
import { legend, rowsOf, type TimelineRow } from "../../text/rows.ts"
import { clock, duration } from "../../text/time.ts"
import { axis, type Position, type Scale, whole } from "../../text/timeline.ts"
import { visible } from "../../text/visible.ts"
import { StepPanel } from "./StepPanel.tsx"

/** More rows than this, and the axis spans those in sight. */
const many = 200

export const Timeline = ({ info }: { readonly info: WorkflowDetail }) => {
  const found = useQuery(steps(info.workflowId))
  const why = useQuery(explanation(info.workflowId)).data?.why
  const now = useNow()
  const rows = useMemo(() => rowsOf(found.data ?? [], info, why, now), [found.data, info, why, now])
  if (found.error !== null && found.data === undefined) {
    return <Problem error={found.error} retry={() => void found.refetch()} />
  }
  if (found.data === undefined) return <Loading what="steps" />
  if (rows.length === 0) {
    return (
      <Empty title="No step is recorded">
        {info.startedAt === undefined ? "It has not started yet." : "It did nothing durable."}
      </Empty>
    )
  }
  return <Shown info={info} rows={rows} />
}

const Shown = ({ info, rows }: { readonly info: WorkflowDetail; readonly rows: ReadonlyArray<TimelineRow> }) => {
  const [scale, setScale] = useState<Scale>("compressed")
  const { step } = useSearch({ from: "/workflow" })
  const navigate = useNavigate()
  const list = useRef<HTMLDivElement>(null)
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => 36,
    overscan: 10,
    scrollMargin: list.current?.offsetTop ?? 0,
    getItemKey: (index) => rows[index]?.key ?? index
  })
  const items = virtualizer.getVirtualItems()
  const chosen = step === undefined
    ? -1
    : rows.findIndex((row) => row.step !== undefined && String(row.step.stepId) === step)

  const choose = (index: number) => {
    const row = rows[Math.min(rows.length - 1, Math.max(0, index))]
    if (row?.step === undefined) return
    void navigate({
      to: "/workflow",
      search: { id: info.workflowId, tab: "timeline", step: String(row.step.stepId) },
      replace: true,
      resetScroll: false
    })
  }
  const close = () =>
    void navigate({
      to: "/workflow",
      search: { id: info.workflowId, tab: "timeline" },
      replace: true,
      resetScroll: false
    })
  useKeys({ j: () => choose(chosen + 1), k: () => choose(chosen - 1), Escape: close })
  useEffect(() => {
    if (chosen < 0) return
    // After the router, which scrolls to the top of a page that is new.
    const frame = requestAnimationFrame(() => virtualizer.scrollToIndex(chosen, { align: "auto" }))
    return () => cancelAnimationFrame(frame)
  }, [chosen, virtualizer])

  const from = items[0]?.index ?? 0
  const to = items[items.length - 1]?.index ?? 0
  const inSight = rows.length > many ? rows.slice(from, to + 1) : rows
  const position = axis(inSight.flatMap((row) => [row, ...row.pauses]), scale)
  const span = whole(inSight)
  const selected = chosen < 0 ? undefined : rows[chosen]?.step
  return (
    <div className={`timeline-layout ${selected === undefined ? "" : "with-panel"}`}>
      <section className="card timeline" aria-label="Timeline of steps">
        <div className="timeline-head">
          <span className="small muted number">
            {rows.length.toLocaleString("en")} {rows.length === 1 ? "row" : "rows"}
            {span === undefined
              ? null
              : <>, {duration(span.end - span.start)}{rows.length > many ? " in sight" : ""}</>}
          </span>
          <label className="small">
            Scale{" "}
            <select
              className="input small-input"
              value={scale}
              onChange={(event) => setScale(event.currentTarget.value === "linear" ? "linear" : "compressed")}
            >
              <option value="compressed">compressed: order and overlap</option>
              <option value="linear">linear: true to time</option>
            </select>
          </label>
          <ul className="legend small" aria-label="Colours">
            {legend.map(([tone, label]) => (
              <li key={tone}>
                <span className={`swatch ${tone}`} aria-hidden="true" /> {label}
              </li>
            ))}
          </ul>
        </div>
        {span === undefined ? null : (
          <div className="timeline-axis small muted number" aria-hidden="true">
            <span>{clock(new Date(span.start))}</span>
            <span>{clock(new Date(span.end))}</span>
          </div>
        )}
        <div ref={list} className="virtual" role="list" style={{ height: virtualizer.getTotalSize() }}>
          {items.map((item) => {
            const row = rows[item.index]
            return row === undefined ? null : (
              <div
                key={item.key}
                role="listitem"
                aria-setsize={rows.length}
                aria-posinset={item.index + 1}
                ref={virtualizer.measureElement}
                data-index={item.index}
                className="timeline-item"
                style={{ transform: `translateY(${item.start - virtualizer.options.scrollMargin}px)` }}
              >
                <Row row={row} position={position} chosen={item.index === chosen} choose={() => choose(item.index)} />
              </div>
            )
          })}
        </div>
      </section>
      {selected === undefined ? null : <StepPanel info={info} stepId={selected.stepId} close={close} />}
    </div>
  )
}

const Row = ({ row, position, chosen, choose }: {
  readonly row: TimelineRow
  readonly position: Position
  readonly chosen: boolean
  readonly choose: () => void
}) => {
  const left = position(row.start)
  const width = Math.max(0, position(row.end) - left)
  const { step } = row
  const label = `${step === undefined ? "" : `Step ${step.stepId}, ${step.kind}: `}${visible(row.name)}, ${
    row.open ? "not done" : row.tone === "failed" ? "failed" : "done"
  }, ${duration(row.end - row.start)}${step !== undefined && step.attempts > 1 ? `, ${step.attempts} attempts` : ""}`
  const content = (
    <>
      <span className="timeline-name">
        <span className="number muted step-number">{step?.stepId ?? "·"}</span>
        <span className="clip">
          {row.branch.length === 0 ? null : (
            <span className="branch">
              <Text>{row.branch.join(" / ")}</Text>
            </span>
          )}
          <Text>{row.name}</Text>
        </span>
        {step !== undefined && step.kind !== "step" ? <span className="kind small muted">{step.kind}</span> : null}
        {step !== undefined && step.attempts > 1 ? <span className="badge warn attempts">{step.attempts}×</span> : null}
      </span>
      <span className="timeline-track" aria-hidden="true">
        <span
          className={`bar ${row.tone} ${row.open ? "open" : ""}`}
          style={{ left: `${left * 100}%`, width: `max(4px, ${width * 100}%)` }}
        />
        {row.pauses.map(({ end, start }, index) => (
          <span
            key={index}
            className="pause"
            style={{
              left: `${position(start) * 100}%`,
              width: `max(3px, ${Math.max(0, position(end) - position(start)) * 100}%)`
            }}
          />
        ))}
      </span>
      <span className="timeline-time number small muted">{duration(row.end - row.start)}</span>
    </>
  )
  return step === undefined
    ? <div className="timeline-row" aria-label={label} role="group">{content}</div>
    : (
      <button
        type="button"
        className={`timeline-row ${chosen ? "at" : ""}`}
        aria-label={label}
        aria-pressed={chosen}
        onClick={choose}
      >
        {content}
      </button>
    )
}
