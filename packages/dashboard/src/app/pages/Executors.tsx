/** Executors: which live, until when their leases run, what they own and have the code of. */
import type { ExecutorInfo } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { executors } from "../api/queries.ts"
import { Listed } from "../components/Listed.tsx"
import { Text } from "../components/Text.tsx"
import { Ago } from "../components/Time.tsx"

export const Executors = () => (
  <div className="stack page">
    <h1>Executors</h1>
    <Listed
      query={useQuery(executors)}
      what="executors"
      empty="No executor is alive"
      hint="One joins when an application with Engine.layer starts. Until then nothing runs, and nothing is lost."
      keyOf={(one) => one.incarnation}
      row={(one) => <Executor executor={one} />}
    />
  </div>
)

/** One that is gone and owns nothing has said goodbye: nothing is wrong with that. */
const toneOf = ({ owned, state }: ExecutorInfo): string => state === "alive" ? "ok" : owned === 0 ? "idle" : "bad"

const Executor = ({ executor }: { readonly executor: ExecutorInfo }) => (
  <>
    <div className="row spread">
      <span className="row">
        <span className={`badge ${toneOf(executor)}`}>{executor.state}</span>
        <b>
          <Text>{executor.executorId}</Text>
        </b>
        {executor.here ? <span className="badge live">serves this page</span> : null}
        <span className="small muted">
          {executor.version === "" ? "no version" : (
            <>
              version <Text>{executor.version}</Text>
            </>
          )}
        </span>
      </span>
      <span className="small muted">
        lease {executor.state === "alive" ? "until" : "ended"} <Ago at={executor.leaseUntil} />
      </span>
    </div>
    <p>
      Owns{" "}
      <Link to="/workflows" search={{ executor: executor.executorId, status: ["PENDING"] }}>
        {executor.owned.toLocaleString("en")} {executor.owned === 1 ? "workflow" : "workflows"}
      </Link>
      {executor.state === "lapsed" && executor.owned > 0 ? ", which another takes over." : "."}
    </p>
    <div className="small">
      <span className="muted">Runs</span> {executor.served.length === 0 ?
        "nothing" :
        executor.served.map(({ name, version }) => (
          <span key={`${name} ${version}`} className="tag">
            <Text>{version === "" || version === executor.version ? name : `${name} (${version})`}</Text>
          </span>
        ))}
    </div>
    <div className="small">
      <span className="muted">Serves</span> {executor.queues === null
        ? "every queue"
        : executor.queues.map((name) => (
          <Link key={name} to="/queues" search={{ name }} className="tag">
            <Text>{name}</Text>
          </Link>
        ))}
    </div>
    <p className="small muted mono clip">
      <Text>{executor.incarnation}</Text>
    </p>
  </>
)
