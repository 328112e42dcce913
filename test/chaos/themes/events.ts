/** Events that are set again and again: who looks never sees an older value, and the last one stays. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Step, Workflow, WorkflowEvent } from "perdure"
import { ascending, exactly, upTo } from "../checks.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const last = 10

const Progress = WorkflowEvent.make("progress", { value: Schema.Int })
const Done = WorkflowEvent.make("done", { value: Schema.Int })

const Progressing = Workflow.make("Progressing", { maxRecoveryAttempts: 1000 })

const ProgressingLive = Progressing.toLayer(() =>
  Effect.gen(function*() {
    for (const number of upTo(last + 1)) {
      yield* Progress.set(number)
      yield* Step.run("work", Effect.sleep("40 millis"))
    }
    yield* Done.set(last)
  })
)

const Watching = Workflow.make("Watching", {
  payload: { of: Schema.String },
  success: Schema.Tuple([Schema.Int, Schema.Int]),
  maxRecoveryAttempts: 1000
})

/** What it got first is recorded, whatever the event has become since. */
const WatchingLive = Watching.toLayer(Effect.fnUntraced(function*({ of }) {
  const before = yield* Progress.get(of)
  yield* Done.get(of)
  return [before, yield* Progress.get(of)] as const
}))

const progressingOf = (index: number) => `progressing-${index}`
const watchingOf = (index: number) => `watching-${index}`

const look = Effect.fnUntraced(function*(index: number) {
  const seen: Array<number> = []
  do {
    seen.push(yield* sure(Progress.get(progressingOf(index))))
    yield* Effect.sleep("20 millis")
  } while (seen.at(-1) !== last)
  return seen
})

export const events = (): Theme => {
  /** What the client saw, by act. */
  const looked = new Map<number, ReadonlyArray<number>>()
  return {
    name: "events",
    live: Layer.mergeAll(ProgressingLive, WatchingLive),
    act: Effect.fnUntraced(function*(index) {
      const progressing = yield* sure(Progressing.start(undefined, { workflowId: progressingOf(index) }))
      yield* Effect.all([
        Effect.map(look(index), (seen) => looked.set(index, seen)),
        sure(Watching.execute({ of: progressingOf(index) }, { workflowId: watchingOf(index) })),
        sure(progressing.result)
      ], { concurrency: "unbounded" })
    }),
    check: ({ acts }) =>
      ofEach(upTo(acts), (index) =>
        Effect.gen(function*() {
          const [before, after] = yield* Watching.handle(watchingOf(index)).result
          return [
            ...ascending(`${progressingOf(index)}, seen by a client`, looked.get(index) ?? []),
            ...exactly(`${watchingOf(index)}`, [before >= 0 && before <= last, after], [true, last]),
            ...exactly(`${progressingOf(index)}, at the end`, [yield* Progress.get(progressingOf(index))], [last])
          ]
        }))
  }
}
