/** Watching a workflow: its steps as they are recorded, its states as they change, until it is done. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import * as ExitCode from "../ExitCode.ts"
import { paint, status } from "./color.ts"
import { CliFailure, Silent } from "./failing.ts"
import { failureOf } from "./failure.ts"
import { show } from "./output.ts"
import { line } from "./printable.ts"
import { lengthOf } from "./times.ts"

const interval = "400 millis"

/** What has been shown, so that it is shown once. */
interface Seen {
  /** All steps up to this one have an outcome, and were shown. */
  readonly through: number
  readonly steps: ReadonlySet<number>
  readonly state: string
}

const nothing: Seen = { through: -1, steps: new Set(), state: "" }

/** Also of one that is suspended, so that its waits show. */
const stateOf = (info: Client.WorkflowInfo): string =>
  `${info.status}${
    info.waits.map(({ until, what }) =>
      `, waits for ${what}${until === undefined ? "" : ` until ${until.toISOString()}`}`
    ).join("")
  }`

/** The steps with an outcome that have not been shown, and what has been shown with them. Pure. */
export const unseen = (
  seen: Seen,
  steps: ReadonlyArray<Client.StepInfo>
): { readonly fresh: ReadonlyArray<Client.StepInfo>; readonly seen: Seen } => {
  const fresh = steps
    .filter((step) => step.seq !== undefined && !seen.steps.has(step.stepId))
    .sort((a, b) => a.seq! - b.seq!)
  const shown = new Set([...seen.steps, ...fresh.map(({ stepId }) => stepId)])
  let through = seen.through
  while (shown.delete(through + 1)) through += 1
  return { fresh, seen: { ...seen, through, steps: shown } }
}

const isDone = ({ completedAt, status }: Client.WorkflowInfo): boolean =>
  completedAt !== undefined || status === "SUCCESS" || status === "ERROR" || status === "DEAD_LETTER"

const showStep = (step: Client.StepInfo) =>
  show({ step }, ({ colors }) => {
    const mark = step.outcome === "success" ? paint("✓", "green", colors) : paint("✗", "red", colors)
    const took = step.completedAt === undefined ? 0 : step.completedAt.getTime() - step.startedAt.getTime()
    const failure = step.failure === undefined ? "" : `  ${line(failureOf(step.failure))}`
    const name = line([...step.branch, step.name].join("/"))
    return `  ${mark} ${step.stepId} ${name}  ${paint(`${step.kind}, ${lengthOf(took)}`, "dim", colors)}${failure}`
  })

const showState = (info: Client.WorkflowInfo) =>
  show(
    { workflow: info },
    ({ colors }) =>
      `${paint(info.status, status(info.status).color, colors)}${line(stateOf(info).slice(info.status.length))}`
  )

/** Fails with exit code 1 when it did not end well, 7 when it had not ended in time. */
export const watch = (workflowId: string, timeout: Duration.Duration | undefined) => {
  const look = Effect.fnUntraced(function*(before: Seen) {
    // The state first: steps that are recorded after it are seen at the next look, none is missed before the end.
    const info = yield* Client.get(workflowId)
    const { fresh, seen } = unseen(before, yield* Client.steps(workflowId, { after: before.through }))
    for (const step of fresh) yield* showStep(step)
    const state = stateOf(info)
    if (state !== seen.state) yield* showState(info)
    return { info, seen: { ...seen, state } }
  })
  const follow = Effect.gen(function*() {
    let seen = nothing
    for (;;) {
      const now = yield* look(seen)
      seen = now.seen
      if (isDone(now.info)) return now.info
      yield* Effect.sleep(interval)
    }
  })
  return Effect.gen(function*() {
    const info = yield* timeout === undefined ? follow : Effect.timeoutOrElse(follow, {
      duration: timeout,
      orElse: () =>
        Effect.fail(
          new CliFailure({
            exitCode: ExitCode.timeout,
            message: `The workflow ${JSON.stringify(workflowId)} was not done in time. It goes on.`
          })
        )
    })
    if (info.status !== "SUCCESS") return yield* new Silent({ exitCode: ExitCode.negative })
  })
}
