/** How things are: what needs somebody first, then counts, figures over time, names, queues, executors. */
import type { ExecutorInfo, QueueInfo, WorkflowSummary } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { now } from "../api/clock.ts"
import { counts, executors, nameStats, needsSomebody, queues, schedules, throughput } from "../api/queries.ts"
import { Outcomes, Started } from "../components/Bars.tsx"
import { Icon } from "../components/Icon.tsx"
import { Loading, Problem } from "../components/States.tsx"
import { labelOf, Status, statuses, toneOf } from "../components/Status.tsx"
import { Text } from "../components/Text.tsx"
import { Ago } from "../components/Time.tsx"
import { counted, inQueue, waiting } from "../text/counts.ts"
import { duration } from "../text/time.ts"

const ranges = [
  [15 * 60_000, "15 minutes"],
  [3_600_000, "hour"],
  [6 * 3_600_000, "6 hours"],
  [24 * 3_600_000, "day"],
  [7 * 24 * 3_600_000, "week"]
] as const

export const Overview = () => {
  const [range, setRange] = useState<number>(ranges[1][0])
  return (
    <div className="stack page">
      <div className="row spread">
        <h1>Overview</h1>
        <label className="small">
          The last{" "}
          <select
            className="input small-input"
            value={range}
            onChange={(event) => setRange(Number(event.currentTarget.value))}
          >
            {ranges.map(([length, label]) => <option key={length} value={length}>{label}</option>)}
          </select>
        </label>
      </div>
      <Needs />
      <Counts />
      <Figures range={range} />
      <div className="columns">
        <Names range={range} />
        <Pressure />
      </div>
      <div className="columns">
        <Alive />
        <Next />
      </div>
    </div>
  )
}

/** Blocked and dead-lettered workflows, paused queues, lost executors: nothing of this mends itself. */
const Needs = () => {
  const { data, error } = useQuery(needsSomebody)
  const paused = (useQuery(queues).data ?? []).filter((queue) => queue.paused)
  const unserved = (useQuery(queues).data ?? []).filter((queue) => queue.servedBy.length === 0 && queue.waiting > 0)
  const all = useQuery(executors).data
  const nobody = all !== undefined && all.every(({ state }) => state !== "alive")
  if (error !== null && data === undefined) return <Problem error={error} />
  const rows = data?.workflows ?? []
  if (rows.length === 0 && paused.length === 0 && unserved.length === 0 && !nobody) {
    return data === undefined ? null : (
      <p className="card calm">
        <span className="ok-text">
          <Icon name="check" />
        </span>{" "}
        Nothing is blocked or given up.
      </p>
    )
  }
  return (
    <section className="card needs" aria-labelledby="needs">
      <h2 id="needs">Needs attention</h2>
      <ul>
        {nobody ? <li>No executor is alive: nothing runs until one starts.</li> : null}
        {unserved.map(({ name, waiting: count }) => (
          <li key={`unserved ${name}`}>
            No living executor serves the queue{" "}
            <Link to="/queues" search={{ name }}>
              <Text>{name}</Text>
            </Link>, and {waiting(count)}.
          </li>
        ))}
        {paused.map(({ name, waiting: count }) => (
          <li key={`paused ${name}`}>
            The queue{" "}
            <Link to="/queues" search={{ name }}>
              <Text>{name}</Text>
            </Link>{" "}
            is paused, {waiting(count)}.
          </li>
        ))}
        {rows.map((row) => (
          <li key={row.workflowId} className="row">
            <Needy row={row} />
          </li>
        ))}
      </ul>
      {rows.length >= 10
        ? <Link to="/workflows" search={{ status: ["BLOCKED", "DEAD_LETTER"] }}>All of them</Link>
        : null}
    </section>
  )
}

const Needy = ({ row }: { readonly row: WorkflowSummary }) => (
  <>
    <Status status={row.status} />
    <Link to="/workflow" search={{ id: row.workflowId }}>
      <Text>{row.workflowId}</Text>
    </Link>
    <span className="small muted">
      <Text>{row.name}</Text> · <Ago at={row.createdAt} />
    </span>
  </>
)

const Counts = () => {
  const { data, error } = useQuery(counts({}))
  if (error !== null && data === undefined) return <Problem error={error} />
  return (
    <ul className="counts" aria-label="Workflows by status">
      {statuses.map((status) => {
        const found = data?.counts.find((one) => one.status === status)
        return (
          <li key={status}>
            <Link
              to="/workflows"
              search={{ status: [status] }}
              className={`card count ${toneOf(status)} ${found?.count === 0 ? "none" : ""}`}
            >
              <span className="count-number number">
                {found === undefined ? "…" : counted(found)}
              </span>
              <span className="small">{labelOf(status)}</span>
            </Link>
          </li>
        )
      })}
    </ul>
  )
}

const Figures = ({ range }: { readonly range: number }) => {
  const { data, error } = useQuery(throughput(range, now))
  if (error !== null && data === undefined) return <Problem error={error} />
  if (data === undefined) return <Loading what="figures" />
  return (
    <div className="columns">
      <div className="card">
        <Started data={data} />
      </div>
      <div className="card">
        <Outcomes data={data} />
        {data.complete
          ? null
          : <p className="small muted">There was more than is counted: earlier bars are left out.</p>}
      </div>
    </div>
  )
}

const Names = ({ range }: { readonly range: number }) => {
  const { data, error } = useQuery(nameStats(range, now))
  const names = [...data?.names ?? []].sort((a, b) => b.failed - a.failed || b.p95Ms - a.p95Ms).slice(0, 12)
  return (
    <section className="card stack" aria-labelledby="names">
      <h2 id="names">Failing and slowest names</h2>
      {error === null ? null : <Problem error={error} />}
      {data !== undefined && names.length === 0 ? <p className="muted">Nothing has ended in this time.</p> : null}
      {names.length === 0 ? null : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th>Name</th>
                <th className="number-cell">Ended</th>
                <th className="number-cell">Failed</th>
                <th className="number-cell">p95</th>
                <th className="number-cell">Slowest</th>
              </tr>
            </thead>
            <tbody>
              {names.map((one) => (
                <tr key={one.name}>
                  <td className="name-cell">
                    <Link to="/workflows" search={{ name: [one.name] }}>
                      <Text>{one.name}</Text>
                    </Link>
                  </td>
                  <td className="number-cell number">{one.ended.toLocaleString("en")}</td>
                  <td className="number-cell number">
                    {one.failed === 0 ?
                      <span className="muted">0</span> :
                      (
                        <Link to="/workflows" search={{ name: [one.name], status: ["ERROR"] }} className="bad-text">
                          {one.failed.toLocaleString("en")} ({Math.round((100 * one.failed) / Math.max(1, one.ended))}%)
                        </Link>
                      )}
                  </td>
                  <td className="number-cell number">{duration(one.p95Ms)}</td>
                  <td className="number-cell number">
                    {one.slowestId === undefined ?
                      duration(one.maxMs) :
                      <Link to="/workflow" search={{ id: one.slowestId }}>{duration(one.maxMs)}</Link>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

const Pressure = () => {
  const { data, error } = useQuery(queues)
  const busiest = [...data ?? []].sort((a, b) => b.waiting - a.waiting).slice(0, 8)
  return (
    <section className="card stack" aria-labelledby="pressure">
      <h2 id="pressure">Queues under pressure</h2>
      {error === null ? null : <Problem error={error} />}
      {data !== undefined && data.length === 0 ? <p className="muted">There are no queues.</p> : null}
      {busiest.length === 0 ? null : (
        <div className="scroll">
          <table>
            <thead>
              <tr>
                <th>Queue</th>
                <th className="number-cell">Waiting</th>
                <th className="number-cell">Running</th>
                <th className="number-cell">Oldest</th>
              </tr>
            </thead>
            <tbody>{busiest.map((queue) => <PressureRow key={queue.name} queue={queue} />)}</tbody>
          </table>
        </div>
      )}
    </section>
  )
}

const PressureRow = ({ queue }: { readonly queue: QueueInfo }) => (
  <tr>
    <td className="name-cell">
      <Link to="/queues" search={{ name: queue.name }}>
        <Text>{queue.name}</Text>
      </Link>{" "}
      {queue.paused ? <span className="badge warn">paused</span> : null}
    </td>
    <td className="number-cell number">{inQueue(queue.waiting)}</td>
    <td className="number-cell number">
      {inQueue(queue.running)}
      {queue.limits.concurrency === null ? "" : ` of ${queue.limits.concurrency}`}
    </td>
    <td className="number-cell number">
      <Ago at={queue.oldest} />
    </td>
  </tr>
)

const Alive = () => {
  const { data, error } = useQuery(executors)
  const lapsed = (data ?? []).filter(({ owned, state }) => state === "lapsed" && owned > 0)
  const alive: ReadonlyArray<ExecutorInfo> = (data ?? []).filter(({ state }) => state === "alive")
  return (
    <section className="card stack" aria-labelledby="alive">
      <h2 id="alive">Executors</h2>
      {error === null ? null : <Problem error={error} />}
      <p>
        <Link to="/executors">{alive.length} alive</Link>, owning{" "}
        {alive.reduce((sum, { owned }) => sum + owned, 0).toLocaleString("en")} workflows
        {lapsed.length === 0 ? "." : (
          <>
            ; <span className="bad-text">{lapsed.length} lost, whose workflows are to be taken over</span>.
          </>
        )}
      </p>
      <ul className="row">
        {alive.slice(0, 12).map((one) => (
          <li key={one.incarnation} className="tag">
            <Text>{one.executorId}</Text>
          </li>
        ))}
      </ul>
    </section>
  )
}

const Next = () => {
  const { data, error } = useQuery(schedules)
  const next = (data ?? [])
    .flatMap((one) => one.paused || one.nextFire === undefined ? [] : [{ ...one, nextFire: one.nextFire }])
    .sort((a, b) => a.nextFire.getTime() - b.nextFire.getTime()).slice(0, 6)
  return (
    <section className="card stack" aria-labelledby="next">
      <h2 id="next">Next by schedule</h2>
      {error === null ? null : <Problem error={error} />}
      {data !== undefined && next.length === 0 ? <p className="muted">No schedule will fire.</p> : null}
      <ul className="stack tight">
        {next.map(({ name, nextFire, workflow }) => (
          <li key={name} className="row spread">
            <span className="clip">
              <Link to="/schedules" search={{ name }}>
                <Text>{name}</Text>
              </Link>{" "}
              <span className="small muted">
                starts <Text>{workflow}</Text>
              </span>
            </span>
            <span className="small">
              <Ago at={nextFire} />
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
