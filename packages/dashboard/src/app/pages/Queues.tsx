/** Queues: what is in them, what limits them, why the head is not taken; and changing that. */
import { useQuery } from "@tanstack/react-query"
import { Link, useNavigate, useSearch } from "@tanstack/react-router"
import { queue, queues } from "../api/queries.ts"
import { Empty, Loading, Problem } from "../components/States.tsx"
import { Text } from "../components/Text.tsx"
import { Ago } from "../components/Time.tsx"
import { inQueue } from "../text/counts.ts"
import { limitsInWords } from "../text/limits.ts"
import { QueueDetails } from "./queues/QueueDetails.tsx"

export const Queues = () => {
  const { name } = useSearch({ from: "/queues" })
  const { data, error, refetch } = useQuery(queues)
  const navigate = useNavigate()
  return (
    <div className="stack page">
      <h1>Queues</h1>
      {error === null ? null : <Problem error={error} retry={() => void refetch()} />}
      {data === undefined && error === null ? <Loading what="queues" /> : null}
      {data !== undefined && data.length === 0
        ? (
          <Empty title="There are no queues">
            One is there as soon as code declares it: WorkflowQueue.make(name, limits).
          </Empty>
        )
        : null}
      {data === undefined || data.length === 0 ? null : (
        <div className="card scroll">
          <table>
            <thead>
              <tr>
                <th>Queue</th>
                <th className="number-cell">Waiting</th>
                <th className="number-cell wide-only">Delayed</th>
                <th className="number-cell">Running</th>
                <th className="number-cell">Oldest</th>
                <th className="wide-only">Limits</th>
              </tr>
            </thead>
            <tbody>
              {data.map((one) => (
                <tr key={one.name} className={one.name === name ? "at" : ""}>
                  <td className="name-cell">
                    <Link to="/queues" search={{ name: one.name }}>
                      <Text>{one.name}</Text>
                    </Link>{" "}
                    {one.paused ? <span className="badge warn">paused</span> : null}
                    {one.servedBy.length === 0 ? <span className="badge bad">served by nobody</span> : null}
                  </td>
                  <td className="number-cell number">{inQueue(one.waiting)}</td>
                  <td className="number-cell number wide-only">{inQueue(one.delayed)}</td>
                  <td className="number-cell number">{inQueue(one.running)}</td>
                  <td className="number-cell number">
                    <Ago at={one.oldest} />
                  </td>
                  <td className="small wide-only">{limitsInWords(one.limits).join("; ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {name === undefined
        ? null
        : <One key={name} name={name} close={() => navigate({ to: "/queues", search: {} })} />}
    </div>
  )
}

const One = ({ name, close }: { readonly name: string; readonly close: () => Promise<void> }) => {
  const { data, error } = useQuery(queue(name))
  if (error !== null && data === undefined) return <Problem error={error} />
  return data === undefined ? <Loading what="the queue" /> : <QueueDetails queue={data} close={close} />
}
