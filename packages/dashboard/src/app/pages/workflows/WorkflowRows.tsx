/** The rows of the list. Only those in sight are in the page, however many there are. */
import type { WorkflowSummary } from "@perdure/server/AdminApi"
import { Link } from "@tanstack/react-router"
import { useWindowVirtualizer } from "@tanstack/react-virtual"
import { useEffect, useRef } from "react"
import { isDone, Status } from "../../components/Status.tsx"
import { Text } from "../../components/Text.tsx"
import { Ago, Took } from "../../components/Time.tsx"
import { attributeText } from "../../text/filters.ts"
import { visible } from "../../text/visible.ts"
import type { Selection } from "../Workflows.tsx"

const rowHeight = 58

export const WorkflowRows = ({ rows, at, selection, outdated, toggle, setSelection, more, end }: {
  readonly rows: ReadonlyArray<WorkflowSummary>
  /** The row that the keys are at. */
  readonly at: number
  readonly selection: Selection
  /** They are not of the filter in force, so that none can be chosen. */
  readonly outdated: boolean
  readonly toggle: (id: string) => void
  readonly setSelection: (selection: Selection) => void
  /** Asks for more; undefined: there is no more, or it is on its way. */
  readonly more: (() => void) | undefined
  readonly end: string
}) => {
  const list = useRef<HTMLDivElement>(null)
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowHeight,
    overscan: 12,
    scrollMargin: list.current?.offsetTop ?? 0,
    getItemKey: (index) => rows[index]?.workflowId ?? index
  })
  const items = virtualizer.getVirtualItems()
  const last = items[items.length - 1]?.index ?? 0
  useEffect(() => {
    if (last >= rows.length - 20) more?.()
  }, [last, rows.length, more])
  useEffect(() => {
    if (at >= 0) virtualizer.scrollToIndex(at, { align: "auto" })
  }, [at, virtualizer])
  const all = selection === "all" || (rows.length > 0 && rows.every((row) => selection.has(row.workflowId)))
  return (
    <div className="card table" role="table" aria-label="Workflows" aria-rowcount={rows.length}>
      <div className="workflow-row table-head" role="row">
        <span role="columnheader">
          <input
            type="checkbox"
            aria-label="Select all that are shown"
            checked={all}
            disabled={outdated}
            onChange={() => setSelection(all ? new Set() : new Set(rows.map((row) => row.workflowId)))}
          />
        </span>
        <span role="columnheader">Workflow</span>
        <span role="columnheader">Status</span>
        <span role="columnheader" className="wide-only">Where</span>
        <span role="columnheader" className="number-cell">Created</span>
        <span role="columnheader" className="number-cell wide-only">Took</span>
      </div>
      <div ref={list} className="virtual" role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
        {items.map((item) => {
          const row = rows[item.index]
          if (row === undefined) return null
          return (
            <div
              key={item.key}
              role="row"
              aria-rowindex={item.index + 1}
              className={`workflow-row ${item.index === at ? "at" : ""}`}
              style={{ height: item.size, transform: `translateY(${item.start - virtualizer.options.scrollMargin}px)` }}
            >
              <span role="cell">
                <input
                  type="checkbox"
                  aria-label={`Select ${visible(row.workflowId)}`}
                  checked={selection === "all" || selection.has(row.workflowId)}
                  disabled={outdated}
                  onChange={() => toggle(row.workflowId)}
                />
              </span>
              <Row row={row} />
            </div>
          )
        })}
      </div>
      <p className="table-end muted small">{end}</p>
    </div>
  )
}

const Row = ({ row }: { readonly row: WorkflowSummary }) => (
  <>
    <span role="cell" className="two-lines">
      <Link to="/workflow" search={{ id: row.workflowId }} className="clip row-link">
        <Text clip>{row.workflowId}</Text>
      </Link>
      <span className="small muted clip">
        <Text>{row.name}</Text>
        <Sub row={row} />
      </span>
    </span>
    <span role="cell">
      <Status status={row.status} suspended={row.waits.length > 0} />
    </span>
    <span role="cell" className="two-lines wide-only small">
      <span className="clip">
        {row.queue === undefined ? null : (
          <>
            queue <Text>{row.queue}</Text>
          </>
        )}
        {row.queue === undefined && row.executorId !== undefined
          ? (
            <>
              on <Text>{row.executorId}</Text>
            </>
          )
          : null}
      </span>
      <span className="clip muted">
        {Object.entries(row.attributes).map(([key, value]) => (
          <span key={key} className="tag">
            <Text>{attributeText(key, value)}</Text>
          </span>
        ))}
      </span>
    </span>
    <span role="cell" className="number-cell small">
      <Ago at={row.createdAt} />
    </span>
    <span role="cell" className="number-cell small wide-only">
      {row.startedAt !== undefined && (isDone(row.status) ? row.completedAt !== undefined : true)
        ? <Took from={row.startedAt} to={row.completedAt} />
        : <span className="muted">–</span>}
    </span>
  </>
)

/** What is worth a glance: why it failed, or what it waits for. */
const Sub = ({ row }: { readonly row: WorkflowSummary }) => {
  const wait = row.waits[0]
  if (row.failure !== undefined) {
    return (
      <span className="bad-text">
        {" · "}
        <Text>{`${row.failure.tag}: ${row.failure.message}`}</Text>
      </span>
    )
  }
  return wait === undefined ? null : (
    <span>
      {" · waits for "}
      <Text>{wait.what}</Text>
    </span>
  )
}
