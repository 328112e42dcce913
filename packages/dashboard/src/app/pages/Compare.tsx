/** Two workflows side by side, step by step: mostly one and its fork. */
import type { StepInfo, WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link, useSearch } from "@tanstack/react-router"
import { useWindowVirtualizer } from "@tanstack/react-virtual"
import { useMemo, useRef, useState } from "react"
import { comparedSteps, workflow } from "../api/queries.ts"
import { Check } from "../components/Field.tsx"
import { Empty, Loading, Problem } from "../components/States.tsx"
import { Status } from "../components/Status.tsx"
import { Text } from "../components/Text.tsx"
import { Took } from "../components/Time.tsx"
import { align, type Row } from "../text/align.ts"
import { preview } from "../text/json.ts"

export const Compare = () => {
  const { left, right } = useSearch({ from: "/compare" })
  return left === "" || right === ""
    ? <Empty title="Which two workflows?">From the page of a fork, follow “compare”.</Empty>
    : <Compared left={left} right={right} />
}

const outcomeOf = (step: StepInfo): string =>
  `${step.outcome} ${JSON.stringify(step.value ?? null)} ${step.failure?.tag} ${step.failure?.message}`

const Compared = ({ left, right }: { readonly left: string; readonly right: string }) => {
  const one = useQuery(comparedSteps(left))
  const other = useQuery(comparedSteps(right))
  const [onlyDifferent, setOnlyDifferent] = useState(false)
  const rows = useMemo(() => align(one.data ?? [], other.data ?? [], outcomeOf), [one.data, other.data])
  const shown = onlyDifferent ? rows.filter(({ difference }) => difference !== "same") : rows
  const error = one.error ?? other.error
  const different = rows.filter(({ difference }) => difference !== "same").length
  return (
    <div className="stack page">
      <h1>Compare</h1>
      <div className="compare-heads">
        <Head id={left} />
        <Head id={right} />
      </div>
      {error === null ? null : <Problem error={error} />}
      {one.data === undefined || other.data === undefined ? error === null ? <Loading what="steps" /> : null : (
        <>
          <div className="row spread">
            <p>{different === 0 ? "All steps are the same." : `${different} of ${rows.length} steps differ.`}</p>
            <Check label="Only what differs" checked={onlyDifferent} set={setOnlyDifferent} />
          </div>
          <Rows rows={shown} ids={[left, right]} />
        </>
      )}
    </div>
  )
}

const Head = ({ id }: { readonly id: string }) => {
  const { data, error } = useQuery(workflow(id))
  return (
    <div className="card stack">
      <Link to="/workflow" search={{ id }}>
        <Text>{id}</Text>
      </Link>
      {error === null ? null : <Problem error={error} />}
      {data === undefined ? null : <HeadFacts info={data} />}
    </div>
  )
}

const HeadFacts = ({ info }: { readonly info: WorkflowDetail }) => (
  <>
    <p className="row">
      <Status status={info.status} />{" "}
      <span className="muted small">
        <Text>{info.name}</Text>
      </span>
      <span className="muted small">
        {info.version === "" ? null : (
          <>
            version <Text>{info.version}</Text>
          </>
        )}
      </span>
      <span className="small">
        <Took from={info.startedAt} to={info.completedAt} />
      </span>
    </p>
    <p className="small clip">
      input <Text mono>{preview(info.payload)}</Text>
    </p>
    <p className="small clip">
      {info.failure === undefined
        ? (
          <>
            output <Text mono>{preview(info.success)}</Text>
          </>
        )
        : (
          <span className="bad-text">
            <Text>{`${info.failure.tag}: ${info.failure.message}`}</Text>
          </span>
        )}
    </p>
  </>
)

const words: Record<Row<StepInfo>["difference"], string> = {
  same: "the same",
  changed: "another outcome",
  "only left": "only on the left",
  "only right": "only on the right"
}

const Rows = ({ rows, ids }: {
  readonly rows: ReadonlyArray<Row<StepInfo>>
  readonly ids: readonly [string, string]
}) => {
  const list = useRef<HTMLDivElement>(null)
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => 62,
    overscan: 10,
    scrollMargin: list.current?.offsetTop ?? 0
  })
  return (
    <div ref={list} className="virtual" role="list" aria-label="Steps" style={{ height: virtualizer.getTotalSize() }}>
      {virtualizer.getVirtualItems().map((item) => {
        const row = rows[item.index]
        return row === undefined ? null : (
          <div
            key={item.key}
            role="listitem"
            ref={virtualizer.measureElement}
            data-index={item.index}
            className="timeline-item"
            style={{ transform: `translateY(${item.start - virtualizer.options.scrollMargin}px)` }}
          >
            <div
              className={`compare-row ${row.difference.replace(" ", "-")}`}
              aria-label={words[row.difference]}
              role="group"
            >
              <Side step={row.left} id={ids[0]} />
              <Side step={row.right} id={ids[1]} />
            </div>
          </div>
        )
      })}
    </div>
  )
}

const Side = ({ step, id }: { readonly step: StepInfo | undefined; readonly id: string }) =>
  step === undefined ? <div className="compare-side missing muted small">–</div> : (
    <div className="compare-side">
      <p className="row">
        <span className="number muted">{step.stepId}</span>
        <Link to="/workflow" search={{ id, tab: "timeline", step: String(step.stepId) }}>
          <Text>{step.name}</Text>
        </Link>
        {step.attempts > 1 ? <span className="badge warn">{step.attempts}×</span> : null}
      </p>
      <p className="small clip">
        {step.failure === undefined
          ? <Text mono>{preview(step.value)}</Text>
          : (
            <span className="bad-text">
              <Text>{`${step.failure.tag}: ${step.failure.message}`}</Text>
            </span>
          )}
      </p>
    </div>
  )
