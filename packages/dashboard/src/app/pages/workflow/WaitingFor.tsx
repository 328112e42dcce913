/** What a workflow waits for: in plain words, since when, and what would wake it. The question that is asked most. */
import type { Explanation, Wait, WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import type { ReactNode } from "react"
import { explanation } from "../../api/queries.ts"
import { Problem } from "../../components/States.tsx"
import { labelOf } from "../../components/Status.tsx"
import { Text } from "../../components/Text.tsx"
import { When } from "../../components/Time.tsx"

export const WaitingFor = ({ info }: { readonly info: WorkflowDetail }) => {
  const { data, error } = useQuery(explanation(info.workflowId))
  if (error !== null && data === undefined) return <Problem error={error} />
  if (data === undefined || data.why._tag === "Done") return null
  const { tone, title } = headingOf(data.why)
  return (
    <section className={`card waiting ${tone}`} aria-labelledby="waiting-for">
      <h2 id="waiting-for">{title}</h2>
      <Body explanation={data} />
      <p className="small muted">
        {data.since === undefined ? null : (
          <>
            Since <When at={data.since} />.{" "}
          </>
        )}
        {data.deadline === undefined ? null : (
          <>
            It is cancelled if it has not ended by <When at={data.deadline} />.
          </>
        )}
      </p>
    </section>
  )
}

type Why = Explanation["why"]

const headingOf = (why: Why): { readonly tone: string; readonly title: string } => {
  switch (why._tag) {
    case "Running":
      return why.lost
        ? { tone: "warn", title: "Its executor is lost" }
        : { tone: "live", title: "It is running" }
    case "Suspended":
      return { tone: "idle", title: "It is waiting for" }
    case "Due":
      return { tone: "live", title: "It is due" }
    case "Delayed":
      return { tone: "idle", title: "It is delayed" }
    case "Queued":
      return { tone: why.holds.includes("paused") ? "warn" : "idle", title: "It is waiting in a queue" }
    case "NoExecutor":
      return { tone: "warn", title: "Nobody can run it" }
    case "Blocked":
      return { tone: "warn", title: "It is blocked: its code does not fit its history" }
    case "RollingBack":
      return { tone: "undo", title: "It is being rolled back" }
    case "DeadLettered":
      return { tone: "bad", title: "It was given up" }
    case "Done":
      return { tone: "ok", title: "It is done" }
  }
}

const Body = ({ explanation }: { readonly explanation: Explanation }) => {
  const { why } = explanation
  switch (why._tag) {
    case "Suspended":
      return why.waits.length === 0
        ? (
          <p>
            The time <When at={why.wakesAt} />.
          </p>
        )
        : (
          <>
            <ul className="waits">
              {why.waits.map((wait, index) => (
                <li key={index}>
                  <OneWait wait={wait} />
                </li>
              ))}
            </ul>
            <p className="small muted">
              {why.waits.length > 1 ? "The first of these wakes it. " : ""}Until then it is not in memory, and costs
              nothing.
            </p>
          </>
        )
    case "Running":
      return why.lost
        ? (
          <p>
            It was running in{" "}
            <b>
              <Text>{why.executorId}</Text>
            </b>, which has not renewed its lease. When that has ended, another takes it over; recorded steps are not
            run again.
          </p>
        )
        : (
          <p>
            In{" "}
            <b>
              <Text>{why.executorId}</Text>
            </b>
            {why.here ? ", the process that serves this page" : ""}.
          </p>
        )
    case "Due":
      return (
        <p>
          One of these takes it next: <Text>{names(why.by)}</Text>.
        </p>
      )
    case "Delayed":
      return (
        <p>
          Until <When at={why.until} />
          {why.queue === undefined ? "." : (
            <>
              ; then it waits in the queue <Queue name={why.queue} />.
            </>
          )}
        </p>
      )
    case "Queued":
      return (
        <>
          <p>
            <Queue name={why.queue} />:{" "}
            {why.before === 0 ? "it is the next" : `${why.before.toLocaleString("en")} before it`}, {why.running}{" "}
            running. Served by <Text>{names(why.servedBy)}</Text>.
          </p>
          <ul className="waits">
            {why.holds.map((hold) => <li key={hold}>{holds[hold]}</li>)}
            {why.holds.length === 0 ? <li>Nothing holds it: it is taken in a moment.</li> : null}
          </ul>
        </>
      )
    case "Blocked":
      return (
        <>
          <dl className="facts">
            <div className="fact">
              <dt>The history says</dt>
              <dd>
                <Text mono>{why.expected}</Text>
              </dd>
            </div>
            <div className="fact">
              <dt>The code does</dt>
              <dd>
                <Text mono>{why.actual}</Text>
              </dd>
            </div>
          </dl>
          {why.detail === "" ? null : (
            <p>
              <Text>{why.detail}</Text>
            </p>
          )}
          <p>Deploy code that fits, then resume it; or fork it to another version.</p>
        </>
      )
    default:
      return (
        <p>
          <Text>{explanation.text}</Text>
        </p>
      )
  }
}

const holds: Record<Extract<Why, { _tag: "Queued" }>["holds"][number], ReactNode> = {
  paused: "The queue is paused. Resume it, and it goes on.",
  concurrency: "As many run as the queue allows. It starts when one of them ends.",
  executorConcurrency:
    "As many run in each executor as the queue allows. It starts when one ends, or when another executor comes.",
  rateLimit: "As many have started in this period as the rate limit allows. It starts in the next.",
  "partition concurrency": "Another one of its partition key is running. It starts when that one has ended.",
  "others before it": "Others are before it, by priority or by time."
}

const names = (living: ReadonlyArray<{ readonly executorId: string }>): string =>
  [...new Set(living.map(({ executorId }) => executorId))].join(", ")

const Queue = ({ name }: { readonly name: string }) => (
  <Link to="/queues" search={{ name }}>
    <Text>{name}</Text>
  </Link>
)

const Other = ({ id }: { readonly id: string }) => (
  <Link to="/workflow" search={{ id }}>
    <Text>{id}</Text>
  </Link>
)

const OneWait = ({ wait }: { readonly wait: Wait }) => {
  switch (wait._tag) {
    case "Time":
      return (
        <>
          the time <When at={wait.until} />
        </>
      )
    case "Message":
      return (
        <>
          a message on the topic{" "}
          <b>
            <Text>{wait.topic}</Text>
          </b>
          <Until at={wait.until} />
        </>
      )
    case "Result":
      return (
        <>
          the result of <Other id={wait.workflowId} /> ({stateOf(wait.status)})
        </>
      )
    case "Event":
      return (
        <>
          the event{" "}
          <b>
            <Text>{wait.key}</Text>
          </b>{" "}
          of <Other id={wait.workflowId} /> ({stateOf(wait.status)})<Until at={wait.until} />
        </>
      )
    case "Stream":
      return (
        <>
          the next entry of the stream{" "}
          <b>
            <Text>{wait.key}</Text>
          </b>{" "}
          of <Other id={wait.workflowId} /> ({stateOf(wait.status)})<Until at={wait.until} />
        </>
      )
    case "Other":
      return (
        <>
          <Text>{wait.what}</Text>
          <Until at={wait.until} />
        </>
      )
  }
}

const stateOf = (status: WorkflowDetail["status"] | undefined): string =>
  status === undefined ? "deleted" : labelOf(status).toLowerCase()

const Until = ({ at }: { readonly at: Date | undefined }) =>
  at === undefined ? null : (
    <span className="muted">
      , at most until <When at={at} />
    </span>
  )
