/** What a body starts and sends at once is written at once, and each of it has its own answer. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Workflow from "perdure/Workflow"
import { onBothStores, storeOf } from "./harness.ts"
import { Log } from "./observing.ts"

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

/** Waits for a day. */
const Sleeper = Workflow.make("Sleeper", { payload: Schema.Int })
const SleeperLive = Sleeper.toLayer(() => Effect.sleep("1 day"))
/** Awaits sleepers together, and goes on without them. */
const Crowd = Workflow.make("Crowd", { payload: Schema.Array(Schema.String), success: Schema.String })
const CrowdLive = Crowd.toLayer((ids) =>
  Workflow.forEach(ids, (workflowId, n) => Sleeper.execute(n, { workflowId }), { concurrency: "unbounded" }).pipe(
    Effect.as("all"),
    Effect.catch((error) => Effect.succeed(error.reason._tag as string))
  )
)
const Impatient = Workflow.make("Impatient", { success: Schema.String })
const statusOf = (workflowId: string) => Effect.map(Client.get(workflowId), ({ status }) => status)

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
    "children whose parent goes on over the refusal of another are cancelled before its end",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([SleeperLive, CrowdLive])
      yield* use(Sleeper.start(7, { workflowId: "taken" }))
      const result = yield* use(Crowd.execute(["taken", "a", "b"], { workflowId: "c" }))
      assert.strictEqual(result, "WorkflowConflict")
      const statuses = yield* use(Effect.forEach(["taken", "a", "b"], statusOf))
      assert.deepStrictEqual(statuses, ["PENDING", "CANCELLED", "CANCELLED"])
    })
  )

  claim(
    "they are cancelled by the next owner, where the process was lost before",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const store = storeOf(given)
      const { cancel } = store
      store.cancel = () => Effect.andThen(log.add("cancelling"), Effect.never)
      const first = yield* given.engine([SleeperLive, CrowdLive])
      yield* first.use(Sleeper.start(7, { workflowId: "taken" }))
      yield* first.use(Crowd.start(["taken", "a", "b"], { workflowId: "c" }))
      yield* log.has("cancelling", 2)
      yield* first.close
      store.cancel = cancel
      const { use } = yield* given.engine([SleeperLive, CrowdLive])
      assert.strictEqual(yield* use(Crowd.handle("c").result), "WorkflowConflict")
      const statuses = yield* use(Effect.forEach(["taken", "a", "b"], statusOf))
      assert.deepStrictEqual(statuses, ["PENDING", "CANCELLED", "CANCELLED"])
    })
  )

  claim(
    "a child that is not waited for any more while it is being written is cancelled before its parent's end",
    Effect.fnUntraced(function*(given) {
      const writing = yield* Deferred.make<void>()
      const store = storeOf(given)
      const { write } = store
      store.write = (batch) =>
        batch.some((one) => one._tag === "Advance" && one.children.length > 0)
          ? Deferred.succeed(writing, undefined).pipe(Effect.andThen(Effect.sleep(50)), Effect.andThen(write(batch)))
          : write(batch)
      const { use } = yield* given.engine([
        SleeperLive,
        Impatient.toLayer(() =>
          Effect.raceFirst(
            Effect.as(Effect.orDie(Sleeper.execute(1, { workflowId: "a" })), "slept"),
            Effect.as(Effect.promise(() => Effect.runPromise(Deferred.await(writing))), "left")
          )
        )
      ])
      assert.strictEqual(yield* use(Impatient.execute()), "left")
      assert.strictEqual(yield* use(statusOf("a")), "CANCELLED")
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
