/** Queues: their limits hold at every moment, their order holds, and nothing waits that could run. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Client, Step, Workflow, WorkflowQueue } from "perdure"
import { listed } from "../../crash/harness/listed.ts"
import { did } from "../../crash/workflows/World.ts"
import { ascending, atMost, atMostIn, exactly, type Interval, upTo } from "../checks.ts"
import { sure } from "../sure.ts"
import type { Seen, Theme } from "./Theme.ts"

const rate = { limit: 12, periodMs: 2000 }
const concurrency = 5
const executorConcurrency = 2
const keys = ["red", "green", "blue"]

const narrow = WorkflowQueue.make("narrow", {
  concurrency,
  executorConcurrency,
  rateLimit: { limit: rate.limit, period: rate.periodMs }
})
const keyed = WorkflowQueue.make("keyed", { partitioned: true })
const line = WorkflowQueue.make("line", { concurrency: 1 })
const single = WorkflowQueue.make("single")

const Task = Workflow.make("Task", { payload: { workMs: Schema.Int }, maxRecoveryAttempts: 1000 })

const TaskLive = Task.toLayer(({ workMs }) =>
  Step.run("work", Effect.ensuring(Effect.andThen(did("begin"), Effect.sleep(workMs)), did("end")))
)

const idOf = (queue: WorkflowQueue.WorkflowQueue, index: number, number: number) =>
  `${queue.name}-${index}-${String(number).padStart(2, "0")}`

/** One after another: the order in which they are enqueued is known. */
const enqueue = (
  queue: WorkflowQueue.WorkflowQueue,
  index: number,
  count: number,
  options: (number: number) => WorkflowQueue.CallOptions = () => ({})
) =>
  Effect.forEach(upTo(count), (number) =>
    sure(queue.enqueue(Task, { workMs: 20 + 40 * (number % 3) }, {
      workflowId: idOf(queue, index, number),
      ...options(number)
    })))

/**
 * A workflow has its place from its start to its end in one executor: from the beginning of its step on, as far as known
 * here. What is lost waits again in its old place, and may find another before it, which was enqueued first and seen by a
 * claim only later. Nor is counted what an executor without a lease still does.
 */
const heldPlaces = (seen: Seen, workflows: ReadonlyArray<Client.WorkflowInfo>): ReadonlyArray<Interval> =>
  workflows.flatMap(({ completedAt, executorId, workflowId }) => {
    const begin = seen.sideEffects.findLast((one) => one.workflowId === workflowId && one.step === "begin")
    return begin === undefined || String(begin.pid) !== executorId || seen.lapsed.has(begin.pid)
      ? []
      : [{ id: workflowId, from: begin.at, to: completedAt!.getTime() }]
  })

const startsOf = (workflows: ReadonlyArray<Client.WorkflowInfo>) =>
  workflows.map(({ startedAt }) => startedAt!.getTime())

/** In one process, from the beginning of a step to its end there, or to its next beginning, elsewhere. */
const inProcesses = ({ sideEffects }: Seen, queue: string): ReadonlyMap<number, ReadonlyArray<Interval>> => {
  const mine = sideEffects.filter(({ workflowId }) => workflowId.startsWith(`${queue}-`))
  const byPid = new Map<number, Array<Interval>>()
  for (const [at, begin] of mine.entries()) {
    if (begin.step !== "begin") continue
    const until = mine.find((one, index) =>
      index > at && one.workflowId === begin.workflowId && (one.step === "begin" || one.pid === begin.pid)
    )
    const interval = { id: begin.workflowId, from: begin.at, to: until?.at ?? begin.at }
    byPid.set(begin.pid, [...(byPid.get(begin.pid) ?? []), interval])
  }
  return byPid
}

/** Of those that one client enqueued one after another, in that order. */
const inOrder = (what: string, acts: number, workflows: ReadonlyArray<Client.WorkflowInfo>) =>
  upTo(acts).flatMap((index) => {
    const ofAct = workflows.filter(({ workflowId }) => workflowId.split("-")[1] === String(index))
    const byNumber = [...ofAct].sort((a, b) => a.workflowId < b.workflowId ? -1 : 1)
    return ascending(`${what}, act ${index}, starts in the order of the enqueues`, startsOf(byNumber))
  })

export const limits = (): Theme => ({
  name: "limits",
  live: TaskLive,
  act: Effect.fnUntraced(function*(index) {
    const handles = yield* Effect.all([
      enqueue(narrow, index, 6),
      enqueue(keyed, index, 6, (number) => ({ partitionKey: keys[number % keys.length]! })),
      enqueue(line, index, 3),
      enqueue(single, index, 4, () => ({ deduplicationId: "one" }))
    ], { concurrency: "unbounded" })
    yield* Effect.forEach(handles.flat(), (handle) => sure(handle.result), { concurrency: "unbounded" })
  }),
  check: (seen) =>
    Effect.gen(function*() {
      const [narrows, keyeds, lines, singles] = yield* Effect.all([
        listed({ queue: narrow.name }),
        listed({ queue: keyed.name }),
        listed({ queue: line.name }),
        listed({ queue: single.name })
      ])
      return [
        ...exactly("enqueued", [narrows.length, keyeds.length, lines.length], [6, 6, 3].map((n) => n * seen.acts)),
        ...atMost("concurrency of narrow", concurrency, heldPlaces(seen, narrows)),
        ...atMostIn("rate of narrow", rate.limit, rate.periodMs, startsOf(narrows)),
        ...[...inProcesses(seen, narrow.name)].flatMap(([pid, intervals]) =>
          atMost(`concurrency of narrow in process ${pid}`, executorConcurrency, intervals)
        ),
        ...keys.flatMap((key) => {
          const ofKey = keyeds.filter(({ partitionKey }) => partitionKey === key)
          return [
            ...atMost(`partition ${key}`, 1, heldPlaces(seen, ofKey)),
            ...inOrder(`partition ${key}`, seen.acts, ofKey)
          ]
        }),
        ...atMost("concurrency of line", 1, heldPlaces(seen, lines)),
        ...inOrder("line", seen.acts, lines),
        // One with the deduplication id exists from its enqueue to its end.
        ...atMost(
          "deduplication",
          1,
          singles.map(({ completedAt, createdAt, workflowId }) => ({
            id: workflowId,
            from: createdAt.getTime(),
            to: completedAt!.getTime()
          }))
        )
      ]
    })
})
