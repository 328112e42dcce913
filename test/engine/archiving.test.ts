/** Whole histories: as parts of which none is more than a page, however long the history is, and as they arrive. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import type { History } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import { nextLimit } from "../../packages/perdure/src/internal/archiving.ts"
import { onBothStores } from "./harness.ts"
import { eventually, Log, suspends } from "./observing.ts"

const go = Message.make("go")
const Again = Workflow.make("Again", { payload: { life: Schema.Int } })
const live = Again.toLayer(({ life }) => Effect.andThen(go.receive(), Again.continueAsNew({ life: life + 1 })))

const Booking = Workflow.make("Booking")

const many = 2_500
const numbers = Array.from({ length: many }, (_, n) => n)
const times = { at: 2, codec: "json" }

/** The history of a workflow that has done everything so often. */
const long = (workflow: History["workflow"]): History => ({
  workflow: {
    ...workflow,
    workflowId: "long",
    phase: "done",
    status: "SUCCESS",
    output: "1",
    completedAt: workflow.createdAt,
    wakeAt: null,
    waits: null
  },
  records: numbers.map((stepId) => ({
    stepId,
    seq: stepId + 1,
    asked: stepId,
    key: `step ${stepId}`,
    name: "step",
    kind: "step",
    outcome: "success",
    value: "1",
    attempts: 2,
    startedAt: 1,
    at: 3,
    childId: null,
    rollback: false
  })),
  attempts: numbers.map((stepId) => ({
    stepId,
    key: `step ${stepId}`,
    name: "step",
    attempt: 0,
    error: "[]",
    at: 2,
    retryAt: 3
  })),
  messages: numbers.map((n) => ({
    seq: n + 1,
    messageId: `m${n}`,
    topic: "t",
    payload: String(n),
    codec: "json",
    senderId: null,
    sentAt: 1,
    consumedBy: n % 2 === 0 ? n : null
  })),
  events: ["a", "b"].flatMap((key) => numbers.map((stepId) => ({ ...times, key, value: String(stepId), stepId }))),
  entries: ["x", "y"].flatMap((key) =>
    numbers.map((offset) => ({
      ...times,
      key,
      offset,
      value: String(offset),
      stepId: offset,
      attempt: null,
      superseded: false
    }))
  )
})

const rowsOf = ({ attempts, entries, events, messages, records }: Client.HistoryPart): ReadonlyArray<unknown> =>
  [records, attempts, messages, events, entries].flatMap((rows): ReadonlyArray<unknown> => rows ?? [])

onBothStores("a history as a stream", (claim) => {
  claim("comes in pages, and is all that there is", (given) =>
    Effect.gen(function*() {
      const { use } = yield* given.engine(live)
      yield* use(Again.start({ life: 0 }, { workflowId: "template" }))
      yield* use(suspends("template"))
      const history = long((yield* given.store.get("template"))!)
      yield* use(Client.importHistory(history))
      const sizes: Array<number> = []
      yield* use(
        Stream.runForEach(
          Client.streamHistory("long"),
          (part) => Effect.sync(() => void sizes.push(rowsOf(part).length))
        )
      )
      // The page of steps has their attempts beside them.
      assert.isAtMost(Math.max(...sizes), 2_000)
      assert.strictEqual(sizes.reduce((sum, size) => sum + size, 0), 7 * many)
      const { workflow: _, ...rows } = yield* use(Client.exportHistory("long"))
      const { workflow: _1, ...written } = history
      assert.deepStrictEqual(rows, written)
    }))

  claim(
    "of a workflow that begins anew meanwhile fails, rather than mixing two lives",
    (given) =>
      Effect.gen(function*() {
        const { use } = yield* given.engine(live)
        yield* use(Again.start({ life: 0 }, { workflowId: "w" }))
        yield* use(suspends("w"))
        const failed = yield* Effect.flip(use(Stream.runForEach(Client.streamHistory("w"), (part) =>
          part.workflow === undefined ? Effect.void : Effect.gen(function*() {
            yield* go.send("w")
            yield* eventually("its next life", given.store.get("w"), (row) =>
              row?.continuations === 1)
          }))))
        assert.deepInclude(failed, { _tag: "WorkflowError" })
        assert.include(String(failed), "began anew")
        const missing = yield* Effect.flip(use(Stream.runDrain(Client.streamHistory("nobody"))))
        assert.include(String(missing), "no workflow")
      })
  )
})

onBothStores("an imported history", (claim) => {
  claim(
    "of a workflow at its rollbacks is that of one that is done: it can be deleted, and retention takes it",
    (given) =>
      Effect.gen(function*() {
        const log = new Log()
        const { use } = yield* given.engine(Booking.toLayer(() =>
          Effect.andThen(
            Step.run("book", Effect.void, { rollback: () => Effect.andThen(log.add("rolls back"), Effect.never) }),
            Effect.sleep("10000 days")
          )
        ))
        yield* use(Booking.start(undefined, { workflowId: "w" }))
        yield* use(suspends("w"))
        yield* use(Client.cancel("w"))
        yield* log.has("rolls back")
        const history = yield* use(Client.exportHistory("w"))
        assert.deepInclude(history.workflow, { status: "CANCELLED", phase: "compensate", completedAt: null })
        for (const workflowId of ["deleted", "retained"]) {
          yield* use(Client.importHistory({ ...history, workflow: { ...history.workflow, workflowId } }))
        }
        yield* use(Client.delete("deleted"))
        assert.strictEqual(yield* use(Client.retain({ olderThan: "12 hours" })), 0)
        yield* given.store.adjustClock(86_400_000)
        assert.strictEqual(yield* use(Client.retain({ olderThan: "12 hours" })), 1)
        assert.deepStrictEqual(
          (yield* use(Client.list({ order: "asc" }))).workflows.map(({ workflowId }) => workflowId),
          ["w"]
        )
      })
  )
})

it("pages have fewer rows where rows are large, and more where they are small", () => {
  assert.deepStrictEqual([nextLimit(10, 100), nextLimit(640, 100), nextLimit(1000, 100)], [40, 1000, 1000])
  assert.deepStrictEqual([nextLimit(40, 5_000_000), nextLimit(40, 3_000_000), nextLimit(1, 16_000_000)], [10, 40, 1])
})
