/** One step: its outcome, its attempts, its times, and forking from it. */
import type { StepInfo, WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { info as serverInfo, step } from "../../api/queries.ts"
import { Button } from "../../components/Button.tsx"
import { Failure } from "../../components/Failure.tsx"
import { Icon } from "../../components/Icon.tsx"
import { JsonTree } from "../../components/JsonTree.tsx"
import { Redacted } from "../../components/Redacted.tsx"
import { Loading, Problem } from "../../components/States.tsx"
import { Text } from "../../components/Text.tsx"
import { Took, When } from "../../components/Time.tsx"
import { absolute, clockFrom } from "../../text/time.ts"
import { ForkDialog } from "./ForkDialog.tsx"

export const StepPanel = ({ info, stepId, close }: {
  readonly info: WorkflowDetail
  readonly stepId: number
  readonly close: () => void
}) => {
  const { data, error } = useQuery(step(info.workflowId, stepId))
  return (
    <aside className="card step-panel stack" aria-label={`Step ${stepId}`}>
      <div className="row spread">
        <h2>Step {stepId}</h2>
        <button type="button" className="icon-button" aria-label="Close the step" onClick={close}>
          <Icon name="cross" />
        </button>
      </div>
      {error !== null && data === undefined ? <Problem error={error} /> : null}
      {data === undefined ? error === null ? <Loading what="the step" /> : null : <Shown info={info} step={data} />}
    </aside>
  )
}

const Moment = ({ what, at, from }: { readonly what: string; readonly at: Date; readonly from: Date }) => (
  <div className="fact">
    <dt>{what}</dt>
    <dd>
      <time className="number" dateTime={at.toISOString()} title={absolute(at)}>{clockFrom(at, from)}</time>
    </dd>
  </div>
)

/** When an attempt began is not recorded: the first with the step, the others when they were due, or later. */
const FailedAttempts = ({ step: { failedAttempts, outcome, startedAt } }: { readonly step: StepInfo }) => {
  if (failedAttempts.length === 0) return null
  return (
    <details open={outcome === undefined}>
      <summary>
        {failedAttempts.length === 1 ? "1 failed attempt" : `${failedAttempts.length} failed attempts`}
      </summary>
      <ol className="stack">
        {failedAttempts.map(({ at, failure, retryAt }, index) => (
          <li key={index} className="stack">
            <strong className="small">Attempt {index + 1}</strong>
            <dl className="facts narrow">
              <Moment
                what={index === 0 ? "Began" : "Due"}
                at={failedAttempts[index - 1]?.retryAt ?? startedAt}
                from={startedAt}
              />
              <Moment what="Failed" at={at} from={startedAt} />
              <Moment what="Next due" at={retryAt} from={startedAt} />
            </dl>
            <Failure failure={failure} label={`failure of attempt ${index + 1}`} />
          </li>
        ))}
      </ol>
    </details>
  )
}

const Shown = ({ info, step }: { readonly info: WorkflowDetail; readonly step: StepInfo }) => {
  const [forking, setForking] = useState(false)
  const allowed = useQuery(serverInfo).data?.allowed ?? []
  return (
    <>
      <p className="step-title">
        <Text>{step.name}</Text>
      </p>
      <dl className="facts narrow">
        <div className="fact">
          <dt>Kind</dt>
          <dd>{step.kind}</dd>
        </div>
        <div className="fact">
          <dt>Outcome</dt>
          <dd>
            {step.outcome === undefined
              ? <span className="badge warn">to be tried again</span>
              : <span className={`badge ${step.outcome === "success" ? "ok" : "bad"}`}>{step.outcome}</span>}
          </dd>
        </div>
        {step.branch.length === 0 ? null : (
          <div className="fact">
            <dt>Branch</dt>
            <dd>
              <Text>{step.branch.join(" / ")}</Text>
            </dd>
          </div>
        )}
        <div className="fact">
          <dt>Started</dt>
          <dd>
            <When at={step.startedAt} />
          </dd>
        </div>
        {step.completedAt === undefined ? null : (
          <div className="fact">
            <dt>Recorded</dt>
            <dd>
              <When at={step.completedAt} />
            </dd>
          </div>
        )}
        <div className="fact">
          <dt>Took</dt>
          <dd>
            <Took from={step.startedAt} to={step.completedAt} />
          </dd>
        </div>
        <div className="fact">
          <dt>Attempts</dt>
          <dd>{step.attempts}</dd>
        </div>
        {step.childId === undefined ? null : (
          <div className="fact">
            <dt>Workflow</dt>
            <dd>
              <Link to="/workflow" search={{ id: step.childId }}>
                <Text>{step.childId}</Text>
              </Link>
            </dd>
          </div>
        )}
      </dl>
      {step.outcome === "success" ? <JsonTree value={step.value} label="value of the step" depth={3} /> : null}
      {step.failure === undefined ? null : <Failure failure={step.failure} label="failure of the step" />}
      <FailedAttempts step={step} />
      <Redacted paths={step.redacted} />
      {allowed.includes("fork")
        ? (
          <div>
            <Button onClick={() => setForking(true)}>Fork from here</Button>
          </div>
        )
        : null}
      {forking ? <ForkDialog info={info} fromStep={step.stepId} close={() => setForking(false)} /> : null}
    </>
  )
}
