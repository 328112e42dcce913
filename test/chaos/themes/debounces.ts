/** Debounced starts: every call is answered by one workflow, which has the payload of the last call that it answered. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Debouncer, Workflow } from "perdure"
import { exactly, upTo } from "../checks.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const Reindex = Workflow.make("Reindex", {
  payload: { revision: Schema.Int },
  success: Schema.Int,
  maxRecoveryAttempts: 1000
})

const calls = 6

const reindex = Debouncer.make("reindex", { workflow: Reindex, limit: "2 seconds" })

export const debounces = (): Theme => {
  /** The last revision of each workflow. */
  const last = new Map<string, number>()
  /** Revisions of calls that may have arrived unacknowledged. */
  const unsure = new Set<number>()
  return {
    name: "debounces",
    live: Reindex.toLayer(({ revision }) => Effect.succeed(revision)),
    act: Effect.fnUntraced(function*(index) {
      const handles = yield* Effect.forEach(upTo(calls), (number) =>
        Effect.gen(function*() {
          const revision = calls * index + number
          const handle = yield* sure(
            reindex.debounce(`key ${index}`, "150 millis", { revision }),
            () => unsure.add(revision)
          )
          last.set(handle.workflowId, revision)
          yield* Effect.sleep(60 * (number % 4))
          return handle
        }))
      yield* Effect.forEach(handles, (handle) => sure(handle.result), { concurrency: "unbounded" })
    }),
    check: () =>
      ofEach(last, ([workflowId, revision]) =>
        Effect.map(Reindex.handle(workflowId).result, (result) =>
          // A call that was made again, elsewhere, may have moved this one before.
          result > revision && unsure.has(result)
            ? []
            : exactly(`revision of ${workflowId}`, [result], [revision])))
  }
}
