/** What is chosen, and what to do with it. All that fit is counted before anything is done. */
import type { Filter, WorkflowSummary } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { useEffect, useRef, useState } from "react"
import { ask, follow } from "../../api/client.ts"
import { askAgain, bulkCount, info } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Button } from "../../components/Button.tsx"
import { Dialog } from "../../components/Dialog.tsx"
import { Check, TextField } from "../../components/Field.tsx"
import { Loading, Problem } from "../../components/States.tsx"
import { Text } from "../../components/Text.tsx"
import type { Selection } from "../Workflows.tsx"

export const acts = ["cancel", "resume", "delete"] as const
export type Act = (typeof acts)[number]

const verb: Record<Act, string> = { cancel: "Cancel", resume: "Resume", delete: "Delete" }
const past: Record<Act, string> = { cancel: "cancelled", resume: "resumed", delete: "deleted" }
const what: Record<Act, string> = {
  cancel:
    "Running steps are interrupted, rollbacks run, children are cancelled too. It cannot be taken back. Those that are done stay as they are.",
  resume:
    "Cancelled, dead-lettered and blocked ones become due again; steps that are recorded are not run again. Others stay as they are.",
  delete:
    "Everything that is stored of them is removed. Only those that are done are deleted; their ids are free again."
}

export const Selected = ({ selection, filter, restricted, rows, act, setAct, setSelection }: {
  readonly selection: Selection
  readonly filter: Filter
  readonly restricted: boolean
  readonly rows: ReadonlyArray<WorkflowSummary>
  readonly act: Act | undefined
  readonly setAct: (act: Act | undefined) => void
  readonly setSelection: (selection: Selection) => void
}) => {
  const allowed = useQuery(info).data?.allowed ?? []
  const some = selection === "all" || selection.size > 0
  if (!some) return null
  const whole = selection !== "all" && selection.size >= rows.length
  return (
    <div className="card selected row" role="region" aria-label="Selection">
      <strong>{selection === "all" ? "All that fit" : `${selection.size.toLocaleString("en")} selected`}</strong>
      {selection === "all" || !whole ? null : restricted
        ? <Button tone="quiet" onClick={() => setSelection("all")}>Select all that fit the filter</Button>
        : <span className="small muted">To take all that fit, filter first.</span>}
      <span className="grow" />
      {acts.filter((one) => allowed.includes(one)).map((one) => (
        <Button
          key={one}
          tone={one === "resume" ? "plain" : "danger"}
          onClick={() => setAct(one)}
        >
          {verb[one]}
        </Button>
      ))}
      <Button tone="quiet" onClick={() => setSelection(new Set())}>Clear</Button>
      {act === undefined ? null : (
        <Acting
          act={act}
          selection={selection}
          filter={filter}
          close={(done) => {
            setAct(undefined)
            if (done) setSelection(new Set())
          }}
        />
      )}
    </div>
  )
}

type Progress =
  | { readonly state: "asking" }
  | { readonly state: "working"; readonly matched: number; readonly changed: number }
  | { readonly state: "stopped"; readonly matched: number; readonly changed: number; readonly error: unknown }

const Acting = ({ act, selection, filter, close }: {
  readonly act: Act
  readonly selection: Selection
  readonly filter: Filter
  readonly close: (done: boolean) => void
}) => {
  const [children, setChildren] = useState(act === "cancel")
  const [detail, setDetail] = useState("")
  const [progress, setProgress] = useState<Progress>({ state: "asking" })
  const abort = useRef<AbortController>(undefined)
  useEffect(() => () => abort.current?.abort(), [])
  const count = useCount(selection, filter)

  const options = {
    ...(act === "resume" ? {} : { children }),
    ...(act === "cancel" && detail !== "" ? { detail } : {})
  }
  const go = () => {
    let seen = { matched: 0, changed: 0 }
    const report = (next: typeof seen) => {
      seen = next
      setProgress({ state: "working", ...next })
    }
    report(seen)
    const controller = new AbortController()
    abort.current = controller
    const work = selection === "all"
      ? all(act, filter, options, report, controller.signal)
      : some(act, [...selection], options, report, controller.signal)
    work.then(() => {
      askAgain(["workflows"])
      announce(`${seen.changed.toLocaleString("en")} ${past[act]}.`)
      close(true)
    }, (error: unknown) => {
      askAgain(["workflows"])
      setProgress({ state: "stopped", ...seen, error: controller.signal.aborted ? undefined : error })
    })
  }
  const working = progress.state === "working"
  const title = `${verb[act]} ${count.data === undefined ? "" : count.data} workflow${count.data === "1" ? "" : "s"}?`
  return (
    <Dialog title={title} close={() => close(false)}>
      {count.error === null ? null : <Problem error={count.error} />}
      {count.data === undefined && count.error === null ? <Loading what="how many fit" /> : null}
      <p>{what[act]}</p>
      {selection === "all"
        ? (
          <p className="muted small">
            The filter: <Text>{wordsOf(filter)}</Text>. Those that are started meanwhile are left alone.
          </p>
        )
        : null}
      {act === "resume" ? null : (
        <Check
          label={act === "cancel" ? "Also their children that are not detached" : "Also all their children"}
          checked={children}
          set={setChildren}
        />
      )}
      {act === "cancel"
        ? <TextField label="Why (stored with them)" value={detail} set={setDetail} maxLength={1000} />
        : null}
      {progress.state === "asking" ? null : (
        <p role="status" className="number">
          {progress.matched.toLocaleString("en")} looked at, {progress.changed.toLocaleString("en")} {past[act]}
          {working ? "…" : ", then stopped."}
        </p>
      )}
      {progress.state === "stopped" && progress.error !== undefined ? <Problem error={progress.error} /> : null}
      <div className="dialog-foot">
        {working
          ? <Button onClick={() => abort.current?.abort()}>Stop</Button>
          : <Button onClick={() => close(false)}>Back</Button>}
        <Button
          tone={act === "resume" ? "primary" : "danger"}
          disabled={working || count.data === undefined}
          onClick={go}
        >
          {working ? "Working…" : `${verb[act]} ${count.data ?? ""}`}
        </Button>
      </div>
    </Dialog>
  )
}

/** How many it is about, in words. */
const useCount = (selection: Selection, filter: Filter) => {
  const counted = useQuery({ ...bulkCount(filter), enabled: selection === "all" })
  if (selection !== "all") return { data: selection.size.toLocaleString("en"), error: null }
  const { data, error } = counted
  return {
    data: data === undefined ? undefined : `${data.count.toLocaleString("en")}${data.more ? " or more" : ""}`,
    error
  }
}

const wordsOf = (filter: Filter): string =>
  Object.entries(filter).map(([key, value]) =>
    `${key} ${
      value instanceof Date
        ? value.toISOString()
        : Array.isArray(value)
        ? value.join(" or ")
        : typeof value === "string"
        ? value
        : JSON.stringify(value)
    }`
  ).join(", ")

interface Options {
  readonly children?: boolean
  readonly detail?: string
}

type Report = (progress: { readonly matched: number; readonly changed: number }) => void

const all = async (act: Act, filter: Filter, options: Options, report: Report, signal: AbortSignal): Promise<void> => {
  let problem: unknown
  const payload = { filter, ...options }
  await follow(
    (api) =>
      act === "cancel"
        ? api.acts.bulkCancel({ payload })
        : act === "resume"
        ? api.acts.bulkResume({ payload: { filter } })
        : api.acts.bulkDelete({ payload }),
    (progress) => {
      report(progress)
      problem ??= progress.problem
    },
    signal
  )
  if (problem !== undefined) throw problem
}

/** As many as one request takes. */
const batch = 500

const some = async (
  act: Act,
  ids: ReadonlyArray<string>,
  options: Options,
  report: Report,
  signal: AbortSignal
): Promise<void> => {
  for (let from = 0; from < ids.length; from += batch) {
    const payload = { ids: ids.slice(from, from + batch), ...options }
    await ask((api) => api.acts[act]({ payload }), signal)
    const done = Math.min(ids.length, from + batch)
    report({ matched: done, changed: done })
  }
}
