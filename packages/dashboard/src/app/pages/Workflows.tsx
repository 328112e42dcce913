/** The list of workflows: filters in the address, live, with what can be done to one, some, or all that fit. */
import type { Filter, WorkflowPage, WorkflowSummary } from "@perdure/server/AdminApi"
import { type InfiniteData, useInfiniteQuery, type UseInfiniteQueryResult, useQuery } from "@tanstack/react-query"
import { useNavigate, useSearch } from "@tanstack/react-router"
import { useEffect, useMemo, useRef, useState } from "react"
import { counts, info, workflows } from "../api/queries.ts"
import { Button } from "../components/Button.tsx"
import { Filters } from "../components/Filters.tsx"
import { useKeys } from "../components/keys.ts"
import { Empty, Loading, Problem } from "../components/States.tsx"
import { labelOf, statuses } from "../components/Status.tsx"
import { When } from "../components/Time.tsx"
import { counted } from "../text/counts.ts"
import { filterOf, restricts, type WorkflowsSearch } from "../text/filters.ts"
import { type Act, Selected } from "./workflows/Selected.tsx"
import { StartDialog } from "./workflows/StartDialog.tsx"
import { WorkflowRows } from "./workflows/WorkflowRows.tsx"

type List = UseInfiniteQueryResult<InfiniteData<WorkflowPage>>

/** Which are chosen: some by hand, or all that fit. */
export type Selection = ReadonlySet<string> | "all"

export const Workflows = () => {
  const search = useSearch({ from: "/workflows" })
  const filter = useMemo(() => filterOf(search), [search])
  const list = useInfiniteQuery(workflows(filter, search.order ?? "desc"))
  const rows = useMemo(() => list.data?.pages.flatMap((page) => page.workflows) ?? [], [list.data])
  const { lookedTo, lookFurther } = useLook(list, rows.length)
  const navigate = useNavigate()
  const [selection, setSelection] = useState<Selection>(new Set())
  const [at, setAt] = useState(-1)
  const [act, setAct] = useState<Act | "start" | undefined>()
  const searchField = useRef<HTMLInputElement>(null)
  const allowed = useQuery(info).data?.allowed ?? []

  // What was chosen is of the filter before, whatever has changed it: the form, a link, the way back.
  const address = JSON.stringify(search)
  const [seen, setSeen] = useState(address)
  if (address !== seen) {
    setSeen(address)
    setSelection(new Set())
    setAt(-1)
    setAct((before) => before === "start" ? before : undefined)
  }
  /** The rows are still those of the filter before. */
  const outdated = list.isPlaceholderData

  const set = (changes: WorkflowsSearch) => void navigate({ to: "/workflows", search: changes, replace: true })
  const toggle = (id: string) => {
    if (outdated) return
    const next = new Set(selection === "all" ? rows.map((row) => row.workflowId) : selection)
    if (!next.delete(id)) next.add(id)
    setSelection(next)
  }
  const move = (by: number) => setAt((before) => Math.min(rows.length - 1, Math.max(0, before + by)))
  const focused = rows[at]
  useKeys({
    "/": () => searchField.current?.focus(),
    j: () => move(1),
    k: () => move(-1),
    x: () => focused === undefined ? undefined : toggle(focused.workflowId),
    Enter: () =>
      focused === undefined ? undefined : void navigate({ to: "/workflow", search: { id: focused.workflowId } }),
    Escape: () => setSelection(new Set())
  })

  return (
    <div className="stack page">
      <div className="row spread">
        <h1>Workflows</h1>
        {allowed.includes("start")
          ? <Button tone="primary" onClick={() => setAct("start")}>Start a workflow</Button>
          : null}
      </div>
      <Filters search={search} set={set} field={searchField} />
      <StatusChips search={search} filter={filter} set={set} />
      <Selected
        selection={selection}
        filter={filter}
        restricted={restricts(filter)}
        rows={rows}
        act={act === "start" ? undefined : act}
        setAct={setAct}
        setSelection={setSelection}
      />
      {list.error === null ? null : <Problem error={list.error} retry={() => void list.refetch()} />}
      {list.isPending ? <Loading what="workflows" /> : null}
      {list.isSuccess && rows.length === 0 && lookedTo === undefined
        ? <Nothing restricted={restricts(filter)} clear={() => set({})} />
        : null}
      {rows.length === 0 ? null : (
        <WorkflowRows
          rows={rows}
          at={at}
          selection={selection}
          outdated={outdated}
          toggle={toggle}
          setSelection={setSelection}
          more={lookedTo === undefined && list.hasNextPage && !list.isFetchingNextPage
            ? () => void list.fetchNextPage()
            : undefined}
          end={lookedTo !== undefined
            ? `${rows.length} shown.`
            : list.hasNextPage
            ? "Loading more…"
            : `${rows.length} shown, all that fit.`}
        />
      )}
      {lookedTo === undefined ? null : <LookedTo at={lookedTo} found={rows.length} lookFurther={lookFurther} />}
      {act === "start" ? <StartDialog close={() => setAct(undefined)} /> : null}
    </div>
  )
}

/** So many pages are looked through without being asked while nothing is found. */
const looksUnasked = 5

/** Where no index finds what fits, a page ends after so many workflows were looked at: how far that was, and going on. */
const useLook = (list: List, found: number) => {
  const pages = list.data?.pages ?? []
  const { fetchNextPage, isFetchingNextPage } = list
  const lookedTo = pages[pages.length - 1]?.lookedTo
  const unasked = lookedTo !== undefined && found === 0 && pages.length < looksUnasked && !list.isFetching
    && list.error === null
  useEffect(() => {
    if (unasked) void fetchNextPage()
  }, [unasked, fetchNextPage])
  return { lookedTo, lookFurther: isFetchingNextPage || unasked ? undefined : () => void fetchNextPage() }
}

const LookedTo = ({ at, found, lookFurther }: {
  readonly at: Date
  readonly found: number
  /** Undefined: that is being done. */
  readonly lookFurther: (() => void) | undefined
}) => (
  <div className="card row" role="status">
    <span>
      {found === 0 ? "None that fits was found" : "Looked"} as far as <When at={at} />.
    </span>
    <Button disabled={lookFurther === undefined} onClick={() => lookFurther?.()}>
      {lookFurther === undefined ? "Looking…" : "Look further"}
    </Button>
  </div>
)

const Nothing = ({ restricted, clear }: { readonly restricted: boolean; readonly clear: () => void }) =>
  restricted
    ? (
      <Empty title="No workflow fits">
        Filters have to fit all together. <Button onClick={clear}>Clear the filters</Button>
      </Empty>
    )
    : (
      <Empty title="There are no workflows yet">
        They are shown here as soon as an application starts one: <code>ProcessOrder.execute(...)</code>
      </Empty>
    )

/** Statuses with how many there are; pressed ones restrict. */
const StatusChips = ({ search, filter, set }: {
  readonly search: WorkflowsSearch
  readonly filter: Filter
  readonly set: (search: WorkflowsSearch) => void
}) => {
  const { status: _, ...others } = filter
  const found = useQuery(counts(others)).data?.counts
  const chosen: ReadonlyArray<WorkflowSummary["status"]> = search.status ?? []
  return (
    <div className="chips" role="group" aria-label="Status">
      {statuses.map((status) => {
        const count = found?.find((one) => one.status === status)
        const pressed = chosen.includes(status)
        const next = pressed ? chosen.filter((one) => one !== status) : [...chosen, status]
        const { status: _, ...rest } = search
        return (
          <button
            key={status}
            type="button"
            className={`chip ${pressed ? "pressed" : ""} ${count?.count === 0 ? "none" : ""}`}
            aria-pressed={pressed}
            onClick={() => set(next.length === 0 ? rest : { ...rest, status: next })}
          >
            {labelOf(status)}{" "}
            <span className="number muted">
              {count === undefined ? "…" : counted(count)}
            </span>
          </button>
        )
      })}
    </div>
  )
}
