/** What a body starts and sends at once is written at once, and each of it has its own answer. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"

const Child = Workflow.make("Child", { payload: Schema.Int, success: Schema.Int })
const ChildLive = Child.toLayer((n) => Effect.succeed(n))

const Family = Workflow.make("Family", {
  payload: Schema.Array(Schema.Struct({ n: Schema.Int, id: Schema.optional(Schema.String) })),
  success: Schema.Array(Schema.Union([Schema.Int, Schema.String]))
})
const FamilyLive = Family.toLayer((children) =>
  Workflow.forEach(
    children,
    ({ id, n }) =>
      Child.execute(n, id === undefined ? {} : { workflowId: id }).pipe(
        Effect.catch((error) => Effect.succeed(error.reason._tag as string))
      ),
    { concurrency: "unbounded" }
  )
)

const Note = Message.make("note", { payload: Schema.Int })
const Notes = Workflow.make("Notes", { payload: Schema.Array(Schema.String), success: Schema.Array(Schema.String) })
const NotesLive = Notes.toLayer((to) =>
  Workflow.forEach(
    to,
    (id, index) =>
      Effect.map(Effect.result(Note.send(id, index)), (sent) =>
        Result.isSuccess(sent) ? "sent" : sent.failure.reason._tag),
    { concurrency: "unbounded" }
  )
)
const Inbox = Workflow.make("Inbox", { payload: Schema.Int, success: Schema.Array(Schema.Int) })
const InboxLive = Inbox.toLayer((count) => Workflow.forEach(Array.from({ length: count }), () => Note.receive()))

const Quickest = Workflow.make("Quickest", { success: Schema.String })
const QuickestLive = Quickest.toLayer(() =>
  Effect.map(
    Effect.raceFirst(Child.start(1, { key: "one" }), Child.start(2, { key: "two" })),
    (handle) => handle.workflowId
  )
)

onBothStores("what begins together", (claim) => {
  claim(
    "children that are started at once get their own answers, also where one is refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([ChildLive, FamilyLive])
      yield* use(Child.execute(7, { workflowId: "taken" }))
      const children = [{ n: 1 }, { n: 2, id: "taken" }, { n: 3 }, { n: 7, id: "taken" }, { n: 4, id: "mine" }]
      const results = yield* use(Family.execute(children, { workflowId: "f" }))
      assert.deepStrictEqual(results, [1, "WorkflowConflict", 3, 7, 4])
      // The same again out of the records.
      const again = yield* use(Client.fork(Family, "f", { fromStep: 9 }))
      assert.deepStrictEqual(yield* use(again.result), results)
    })
  )

  claim(
    "the same id twice at once is one child, or a conflict",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([ChildLive, FamilyLive])
      const children = [{ n: 1, id: "a" }, { n: 1, id: "a" }, { n: 2, id: "b" }, { n: 3, id: "b" }]
      assert.deepStrictEqual(yield* use(Family.execute(children)), [1, 1, 2, "WorkflowConflict"])
    })
  )

  claim(
    "more children than one write holds are all started",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([ChildLive, FamilyLive])
      const children = Array.from({ length: 1_200 }, (_, n) => ({ n }))
      assert.deepStrictEqual(yield* use(Family.execute(children)), children.map(({ n }) => n))
    })
  )

  claim(
    "messages that are sent at once arrive in their order, and those to nobody are refused alone",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([NotesLive, InboxLive])
      const inbox = yield* use(Inbox.start(3, { workflowId: "i" }))
      const sent = yield* use(Notes.execute(["i", "nobody", "i", "i"]))
      assert.deepStrictEqual(sent, ["sent", "MessageUndeliverable", "sent", "sent"])
      assert.deepStrictEqual(yield* use(inbox.result), [0, 2, 3])
    })
  )

  claim(
    "a body may end on the first of what it started at once, and replays",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([ChildLive, QuickestLive])
      const first = yield* use(Quickest.execute(undefined, { workflowId: "q" }))
      const children = yield* use(Client.list({ parentId: "q" }))
      assert.strictEqual(children.workflows.length, 2)
      // Both records are there, and the body ends before it receives the second.
      const fork = yield* use(Client.fork(Quickest, "q", { fromStep: 2 }))
      assert.strictEqual(yield* use(fork.result), first)
    })
  )
})
