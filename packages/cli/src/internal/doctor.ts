/** `perdure doctor`: a check-up of the store and of what is in it. Changes nothing. */
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import { Store } from "perdure/Store"
import * as ExitCode from "../ExitCode.ts"
import { paint } from "./color.ts"
import { onStore } from "./command.ts"
import { Silent } from "./failing.ts"
import { checks, type Facts, type Finding, findingsOf, mostRead } from "./findings.ts"
import { progress, type Reader, show } from "./output.ts"
import { line } from "./printable.ts"
import { sentence } from "./sentence.ts"

const facts = Effect.gen(function*() {
  const store = yield* Store
  const told = yield* progress
  const askedAt = Date.now()
  const now = yield* store.now
  const answeredAt = Date.now()
  const ids = (status: "BLOCKED" | "DEAD_LETTER") =>
    Effect.map(
      Client.list({ status, limit: mostRead }),
      ({ workflows }) => workflows.map(({ workflowId }) => workflowId)
    )
  yield* told("Reading the schema")
  const schema = yield* store.schemaProblems
  const unread: Array<string> = []
  // Where the schema is not what it should be, the rest may not be readable, and is no more than a consequence.
  const reading = <A, E, R>(what: string, read: Effect.Effect<ReadonlyArray<A>, E, R>) =>
    Effect.andThen(
      told(`Reading ${what}`),
      schema.length === 0
        ? read
        : Effect.catch(read, () => Effect.sync(() => void unread.push(what)).pipe(Effect.as([])))
    )
  const facts: Facts = {
    kind: store.name,
    schema,
    clock: { aheadMs: Math.round((askedAt + answeredAt) / 2 - now), askedMs: answeredAt - askedAt },
    now,
    executors: yield* reading("executors", store.executors),
    needs: yield* reading("what waits for code", store.needs),
    strays: yield* reading("all workflows", store.strays(mostRead)),
    blocked: yield* reading("blocked workflows", ids("BLOCKED")),
    deadLettered: yield* reading("dead letters", ids("DEAD_LETTER")),
    heads: yield* reading("heads of queues", heads),
    unread
  }
  yield* told("")
  return facts
})

const heads = Effect.flatMap(Client.queues.list, (queues) =>
  Effect.map(
    Effect.forEach(queues.filter(({ waiting }) => waiting > 0), (queue) =>
      Effect.gen(function*() {
        const workflowId = yield* Client.queues.head(queue.name)
        // It may have been claimed, and even deleted, since.
        const head = workflowId === undefined
          ? undefined
          : yield* Effect.catchReason(
            Client.explain(workflowId),
            "WorkflowError",
            "WorkflowNotFound",
            () => Effect.undefined
          )
        return head === undefined ? [] : [{ queue, head }]
      })),
    (found) => found.flat()
  ))

const report = (findings: ReadonlyArray<Finding>, { colors }: Reader): string =>
  checks.map((check) => {
    const found = findings.filter((finding) => finding.check === check)
    const verdict = found.length === 0 ? paint("ok", "green", colors) : paint(`${found.length} found`, "red", colors)
    return [
      `${check.padEnd(10)} ${verdict}`,
      ...found.map(({ problem, remedy }) => `  ${sentence(line(problem))}\n    ${paint(line(remedy), "dim", colors)}`)
    ].join("\n")
  }).join("\n")

export const doctor = Command.make(
  "doctor",
  {},
  Effect.fnUntraced(function*() {
    const findings = findingsOf(yield* facts)
    yield* show({ healthy: findings.length === 0, findings }, (reader) => report(findings, reader))
    if (findings.length > 0) return yield* new Silent({ exitCode: ExitCode.negative })
  }, onStore)
).pipe(
  Command.withDescription("Check the schema, clocks, leases, workflows and queues; exit code 1 when something is wrong")
)
