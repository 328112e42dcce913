/** Parents, children and forks. Branches are asked for when they are opened. */
import type { WorkflowDetail, WorkflowPage, WorkflowSummary } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { ancestors, children, forks } from "../../api/queries.ts"
import { Icon } from "../../components/Icon.tsx"
import { Loading, Problem } from "../../components/States.tsx"
import { Status } from "../../components/Status.tsx"
import { Text } from "../../components/Text.tsx"

export const Family = ({ info }: { readonly info: WorkflowDetail }) => {
  const above = useQuery(ancestors(info.workflowId))
  const forked = useQuery(forks(info.workflowId)).data
  return (
    <div className="columns">
      <section className="card stack" aria-label="Parents and children">
        <h2>Parents and children</h2>
        {above.error === null ? null : <Problem error={above.error} />}
        <ul className="tree">
          <Chain rows={above.data ?? []} info={info} />
        </ul>
      </section>
      <section className="card stack" aria-label="Forks">
        <h2>Forks</h2>
        {info.forkedFrom === undefined ? null : (
          <p>
            This one was forked from{" "}
            <Link to="/workflow" search={{ id: info.forkedFrom }}>
              <Text>{info.forkedFrom}</Text>
            </Link>. <Link to="/compare" search={{ left: info.forkedFrom, right: info.workflowId }}>Compare them</Link>
          </p>
        )}
        {forked === undefined ? <Loading what="forks" /> : forked.workflows.length === 0
          ? <p className="muted">It has none. Fork it from a step to try again from there.</p>
          : (
            <ul className="stack">
              {forked.workflows.map((fork) => (
                <li key={fork.workflowId} className="row">
                  <Member row={fork} />
                  <Link to="/compare" search={{ left: info.workflowId, right: fork.workflowId }} className="small">
                    compare
                  </Link>
                </li>
              ))}
            </ul>
          )}
      </section>
    </div>
  )
}

const Member = ({ row, here = false }: { readonly row: WorkflowSummary; readonly here?: boolean }) => (
  <span className="row member">
    <Status status={row.status} suspended={row.waits.length > 0} />
    {here
      ? (
        <b aria-current="page">
          <Text>{row.workflowId}</Text>
        </b>
      )
      : (
        <Link to="/workflow" search={{ id: row.workflowId, tab: "family" }}>
          <Text>{row.workflowId}</Text>
        </Link>
      )}
    <span className="small muted">
      <Text>{row.name}</Text>
    </span>
  </span>
)

/** From the topmost down to this one, each below the one before. */
const Chain = ({ rows, info }: { readonly rows: ReadonlyArray<WorkflowSummary>; readonly info: WorkflowDetail }) => {
  const [first, ...rest] = rows
  if (first === undefined) {
    return <Branch row={summaryOf(info)} here open />
  }
  return (
    <li>
      <Member row={first} />
      <ul className="tree">
        <Chain rows={rest} info={info} />
      </ul>
    </li>
  )
}

const Branch = ({ row, here = false, open = false }: {
  readonly row: WorkflowSummary
  readonly here?: boolean
  readonly open?: boolean
}) => {
  const [isOpen, setOpen] = useState(open)
  const { data, error } = useQuery({ ...children(row.workflowId), enabled: isOpen })
  const page: WorkflowPage | undefined = data
  const none = page !== undefined && page.workflows.length === 0
  return (
    <li>
      <span className="row">
        <button
          type="button"
          className="icon-button"
          aria-expanded={isOpen}
          aria-label={isOpen ? "Hide its children" : "Show its children"}
          disabled={none}
          onClick={() => setOpen(!isOpen)}
        >
          {none ? <span aria-hidden="true">·</span> : <Icon name={isOpen ? "down" : "right"} size={13} />}
        </button>
        <Member row={row} here={here} />
      </span>
      {error === null ? null : <Problem error={error} />}
      {isOpen && page !== undefined && !none
        ? (
          <ul className="tree">
            {page.workflows.map((child) => <Branch key={child.workflowId} row={child} />)}
            {page.cursor === undefined ? null : (
              <li>
                <Link to="/workflows" search={{ parent: row.workflowId }}>All its children</Link>
              </li>
            )}
          </ul>
        )
        : null}
      {none && here ? <p className="muted small">It has no children.</p> : null}
    </li>
  )
}

const summaryOf = ({ failure, ...rest }: WorkflowDetail): WorkflowSummary =>
  failure === undefined ? rest : { ...rest, failure: { tag: failure.tag, message: failure.message } }
