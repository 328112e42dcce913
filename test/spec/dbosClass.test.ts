/**
 * What the specification's reference of the DBOS class has, heading by heading, as its reader would write it here. Names
 * quote the document's headings.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Auth from "perdure/Auth"
import * as Client from "perdure/Client"
import { Engine } from "perdure/Engine"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowSchedule from "perdure/WorkflowSchedule"
import * as WorkflowStream from "perdure/WorkflowStream"
import { onBothStores } from "../engine/harness.ts"
import { eventually, Log, reaches, reasonOf, recorded, suspends } from "../engine/observing.ts"
import { hearing } from "./hearing.ts"

const ProcessOrder = Workflow.make("ProcessOrder", { payload: { orderId: Schema.String }, success: Schema.String })
const ProcessOrderLive = ProcessOrder.toLayer(({ orderId }) => Effect.succeed(`Processed ${orderId}`))

/** Waits for an approval, for a day. */
const Approval = Message.make("approval", { payload: Schema.String })
const Waiting = Workflow.make("Waiting", { success: Schema.String })
const WaitingLive = Waiting.toLayer(() =>
  Effect.map(Approval.receive({ timeout: "1 day" }), (by) => Option.getOrElse(by, () => "nobody"))
)

onBothStores("Lifecycle Methods", (claim) => {
  claim(
    "Initialization: an engine is a value, and two of them are two engines",
    Effect.fnUntraced(function*(given) {
      const one = yield* given.engine(ProcessOrderLive, { executorId: "one", version: "v1" })
      const two = yield* given.engine(ProcessOrderLive, { executorId: "two", version: "v1" })
      assert.deepStrictEqual([(yield* one.use(Engine)).executorId, (yield* two.use(Engine)).executorId], ["one", "two"])
      const handle = yield* one.use(ProcessOrder.start({ orderId: "1" }))
      assert.strictEqual(yield* two.use(handle.result), "Processed 1")
    })
  )

  claim(
    "launch: workflow recovery, queue processing and scheduled tasks begin with the engine",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("orders")
      const client = yield* given.client
      const started = yield* client.use(ProcessOrder.start({ orderId: "started" }))
      const enqueued = yield* client.use(queue.enqueue(ProcessOrder, { orderId: "enqueued" }))
      yield* client.use(Client.schedules.create("hourly", {
        workflow: ProcessOrder,
        payload: { orderId: "scheduled" },
        interval: "1 hour"
      }))
      const first = yield* given.engine(WaitingLive)
      yield* first.use(Waiting.start(undefined, { workflowId: "left" }))
      yield* first.use(suspends("left"))
      yield* first.close

      const { use } = yield* given.engine([ProcessOrderLive, WaitingLive])
      assert.strictEqual(yield* use(started.result), "Processed started")
      assert.strictEqual(yield* use(enqueued.result), "Processed enqueued")
      yield* use(Approval.send("left", "ada"))
      assert.strictEqual(yield* use(Waiting.handle("left").result), "ada")
      yield* given.store.adjustClock(3_600_000)
      const scheduled = yield* use(
        eventually(
          "the scheduled workflow",
          Client.list({ schedule: "hourly", status: "SUCCESS" }),
          ({ workflows }) => workflows.length > 0
        )
      )
      assert.strictEqual(scheduled.workflows[0]!.success, "Processed scheduled")
    })
  )

  claim(
    "destroy: running steps may finish, and the rest is given back",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const begun = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const live = Waiting.toLayer(Effect.fn(function*() {
        yield* Step.run("slow", Effect.andThen(Deferred.succeed(begun, undefined), Deferred.await(go)))
        return yield* Step.run("after", log.effect("after", "done"))
      }))
      const first = yield* given.engine(live, { shutdown: "60 seconds" })
      const handle = yield* first.use(Waiting.start(undefined, { workflowId: "w" }))
      yield* Deferred.await(begun)
      const closing = yield* Effect.forkChild(first.close)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(closing)
      const client = yield* given.client
      assert.deepStrictEqual((yield* client.use(Client.steps("w"))).map(({ name, outcome }) => [name, outcome])[0], [
        "slow",
        "success"
      ])
      const second = yield* given.engine(live)
      assert.strictEqual(yield* second.use(handle.result), "done")
      assert.strictEqual(log.count("after"), 1)
    })
  )
})

onBothStores("Workflow Management", (claim) => {
  claim(
    "start_workflow",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(ProcessOrderLive)
      const handle = yield* use(ProcessOrder.start({ orderId: "order-123" }))
      assert.strictEqual(yield* use(handle.result), "Processed order-123")
    })
  )

  claim(
    "start_workflow_async: there is one form, and it never blocks a thread",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(ProcessOrderLive)
      const handles = yield* use(
        Effect.forEach(["1", "2", "3"], (orderId) => ProcessOrder.start({ orderId }), { concurrency: "unbounded" })
      )
      const results = yield* use(Effect.forEach(handles, (handle) => handle.result, { concurrency: "unbounded" }))
      assert.deepStrictEqual(results, ["Processed 1", "Processed 2", "Processed 3"])
    })
  )

  claim(
    "retrieve_workflow",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(ProcessOrderLive)
      yield* use(ProcessOrder.start({ orderId: "1" }, { workflowId: "w" }))
      const client = yield* given.client
      assert.strictEqual(yield* client.use(ProcessOrder.handle("w").result), "Processed 1")
      // existing_workflow=True: whoever looks learns that it is not there.
      assert.strictEqual((yield* reasonOf(client.use(ProcessOrder.handle("none").status)))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "get_workflow_status",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(ProcessOrderLive)
      yield* use(ProcessOrder.execute({ orderId: "1" }, { workflowId: "w" }))
      const info = yield* use(Client.get("w"))
      assert.deepStrictEqual([info.status, info.name, info.payload, info.success], [
        "SUCCESS",
        "ProcessOrder",
        { orderId: "1" },
        "Processed 1"
      ])
      const none = yield* use(
        Client.get("none").pipe(
          Effect.asSome,
          Effect.catchReason("WorkflowError", "WorkflowNotFound", () => Effect.succeed(Option.none()))
        )
      )
      assert.isTrue(Option.isNone(none))
    })
  )

  claim(
    "get_result: it waits, or for so long; of an unknown id it says so at once",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([ProcessOrderLive, WaitingLive])
      yield* use(ProcessOrder.start({ orderId: "1" }, { workflowId: "w" }))
      assert.strictEqual(yield* use(Client.result("w")), "Processed 1")
      const waiting = yield* use(Waiting.start(undefined, { workflowId: "waiting" }))
      const late = yield* reasonOf(use(Client.result("waiting", { timeout: "10 millis" })))
      assert.strictEqual(late._tag, "ResultTimeout")
      const result = yield* Effect.forkChild(use(waiting.result))
      yield* use(Approval.send("waiting", "ada"))
      assert.strictEqual(yield* Fiber.join(result), "ada")
      assert.strictEqual((yield* reasonOf(use(Client.result("none"))))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "cancel_workflow, resume_workflow",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(WaitingLive)
      const handle = yield* use(Waiting.start(undefined, { workflowId: "w" }))
      yield* use(suspends("w"))
      yield* use(Client.cancel("w"))
      const cancelled = yield* reasonOf(use(handle.result))
      assert.deepStrictEqual([cancelled._tag, cancelled.by], ["WorkflowCancelled", "user"])
      yield* use(reaches("w", "CANCELLED"))

      yield* use(Client.resume("w"))
      yield* use(Approval.send("w", "ada"))
      assert.strictEqual(yield* use(handle.result), "ada")
      assert.strictEqual((yield* reasonOf(use(Client.resume("none"))))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "delete_workflow",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent")
      const { use } = yield* given.engine([
        ProcessOrderLive,
        Parent.toLayer(() => Effect.asVoid(ProcessOrder.execute({ orderId: "1" })))
      ])
      const ids = Effect.map(Client.list(), ({ workflows }) => workflows.map(({ workflowId }) => workflowId).sort())
      yield* use(Parent.execute(undefined, { workflowId: "a" }))
      yield* use(Parent.execute(undefined, { workflowId: "b" }))
      assert.deepStrictEqual(yield* use(ids), ["a", "a-0", "b", "b-0"])
      yield* use(Client.delete("a"))
      assert.deepStrictEqual(yield* use(ids), ["a-0", "b", "b-0"])
      yield* use(Client.delete("b", { children: true }))
      assert.deepStrictEqual(yield* use(ids), ["a-0"])
      assert.strictEqual((yield* reasonOf(use(Client.get("b"))))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "fork_workflow",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const ThreeSteps = Workflow.make("ThreeSteps", { success: Schema.Array(Schema.Number) })
      const live = (version: string) =>
        ThreeSteps.toLayer(() =>
          Effect.forEach([0, 1, 2], (n) => Step.run(`step ${n}`, log.effect(`${version} ${n}`, n)))
        )
      const first = yield* given.engine(live("v1"), { version: "v1" })
      yield* first.use(ThreeSteps.execute(undefined, { workflowId: "w" }))
      yield* given.engine(live("v2"), { version: "v2" })

      const forked = yield* first.use(Client.fork(ThreeSteps, "w", { fromStep: 2 }))
      assert.deepStrictEqual(yield* first.use(forked.result), [0, 1, 2])
      assert.deepStrictEqual(log.entries, ["v1 0", "v1 1", "v1 2", "v1 2"])
      const onTwo = yield* first.use(Client.fork(ThreeSteps, "w", { fromStep: 1, version: "v2" }))
      assert.deepStrictEqual(yield* first.use(onTwo.result), [0, 1, 2])
      assert.deepStrictEqual(log.entries.slice(4), ["v2 1", "v2 2"])
      const info = yield* first.use(onTwo.info)
      assert.deepStrictEqual([info.forkedFrom, info.version], ["w", "v2"])
    })
  )

  claim(
    "list_workflows: each of the document's filters",
    Effect.fnUntraced(function*(given) {
      const Failing = Workflow.make("Failing")
      const { use } = yield* given.engine([ProcessOrderLive, Failing.toLayer(() => Effect.die("no"))], {
        version: "v1"
      })
      for (const id of ["a", "b", "c"]) {
        yield* use(ProcessOrder.execute({ orderId: id }, { workflowId: id }))
        yield* given.store.adjustClock(1000)
      }
      yield* Effect.exit(use(Failing.execute(undefined, { workflowId: "f" })))
      const idsOf = (options: Client.ListOptions) =>
        Effect.map(use(Client.list(options)), ({ workflows }) => workflows.map(({ workflowId }) => workflowId))
      const { createdAt } = yield* use(Client.get("b"))

      assert.deepStrictEqual(yield* idsOf({ ids: ["a", "f", "none"] }), ["f", "a"]) // workflow_ids
      assert.deepStrictEqual(yield* idsOf({ status: "ERROR" }), ["f"]) // status
      assert.deepStrictEqual(yield* idsOf({ status: ["SUCCESS", "ERROR"] }), ["f", "c", "b", "a"])
      assert.deepStrictEqual(yield* idsOf({ from: createdAt }), ["f", "c", "b"]) // start_time
      assert.deepStrictEqual(yield* idsOf({ to: createdAt }), ["a"]) // end_time
      assert.deepStrictEqual(yield* idsOf({ name: "Failing" }), ["f"]) // name
      assert.deepStrictEqual(yield* idsOf({ name: ["Failing", "ProcessOrder"] }), ["f", "c", "b", "a"])
      assert.deepStrictEqual(yield* idsOf({ version: "v1" }), ["f", "c", "b", "a"]) // app_version
      assert.deepStrictEqual(yield* idsOf({ version: "v2" }), [])
      assert.deepStrictEqual(yield* idsOf({ limit: 2 }), ["f", "c"]) // limit
      assert.deepStrictEqual(yield* idsOf({ order: "asc" }), ["a", "b", "c", "f"]) // sort_desc
      // offset: a cursor, which no workflow started meanwhile moves.
      const page = yield* use(Client.list({ limit: 2 }))
      yield* use(ProcessOrder.execute({ orderId: "d" }, { workflowId: "d" }))
      assert.deepStrictEqual(yield* idsOf({ limit: 2, cursor: page.cursor! }), ["b", "a"])
    })
  )

  claim(
    "list_workflow_steps",
    Effect.fnUntraced(function*(given) {
      const MyWorkflow = Workflow.make("MyWorkflow")
      const { use } = yield* given.engine([
        ProcessOrderLive,
        MyWorkflow.toLayer(Effect.fn(function*() {
          yield* Step.run("step one", Effect.succeed("result1"))
          yield* Step.run("step two", Effect.succeed("result2"))
          yield* Effect.exit(Step.run("step three", Effect.fail(new Error("no"))))
          yield* ProcessOrder.execute({ orderId: "1" })
        }))
      ])
      const handle = yield* use(MyWorkflow.start(undefined, { workflowId: "w" }))
      yield* use(handle.result)
      const steps = yield* use(Client.steps(handle.workflowId))
      // function_id, function_name, output, error, child_workflow_id
      assert.deepStrictEqual(
        steps.map(({ childId, failure, name, stepId, value }) => [stepId, name, value, failure?.message, childId]),
        [
          [0, "step one", "result1", undefined, undefined],
          [1, "step two", "result2", undefined, undefined],
          [2, "step three", undefined, "no", undefined],
          [3, "ProcessOrder", "w-3", undefined, "w-3"],
          [4, "result of ProcessOrder", "Processed 1", undefined, "w-3"]
        ]
      )
      // started_at_epoch_ms, completed_at_epoch_ms
      for (const { completedAt, startedAt } of steps) assert.isAtLeast(completedAt!.getTime(), startedAt.getTime())
      assert.deepStrictEqual(yield* use(handle.steps), steps)
    })
  )

  claim(
    "wait_first",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(WaitingLive)
      const handles = yield* use(
        Effect.forEach(["a", "b", "c"], (workflowId) => Waiting.start(undefined, { workflowId }))
      )
      const first = yield* Effect.forkChild(use(Client.waitFirst(handles)))
      yield* use(Approval.send("b", "ada"))
      assert.strictEqual(yield* Fiber.join(first), "b")
      assert.strictEqual((yield* reasonOf(use(Client.waitFirst([]))))._tag, "InvalidArgument")
    })
  )
})

onBothStores("Workflow Execution Helpers", (claim) => {
  claim(
    "run_step",
    Effect.fnUntraced(function*(given) {
      const MyWorkflow = Workflow.make("MyWorkflow", { success: Schema.Number })
      const { use } = yield* given.engine(
        MyWorkflow.toLayer(() => Step.run("double", Effect.sync(() => 21 * 2)))
      )
      assert.strictEqual(yield* use(MyWorkflow.execute(undefined, { workflowId: "w" })), 42)
      assert.deepStrictEqual((yield* use(Client.steps("w"))).map(({ value }) => value), [42])
    })
  )

  claim(
    "sleep",
    Effect.fnUntraced(function*(given) {
      const Delayed = Workflow.make("Delayed", { success: Schema.String })
      const DelayedLive = Delayed.toLayer(() => Effect.as(Workflow.sleep("60 seconds"), "Done"))
      const first = yield* given.engine(DelayedLive)
      const handle = yield* first.use(Delayed.start(undefined, { workflowId: "w" }))
      yield* first.use(suspends("w"))
      // While no process is there the time goes on.
      yield* first.close
      yield* given.store.adjustClock(60_000)
      const second = yield* given.engine(DelayedLive)
      assert.strictEqual(yield* second.use(handle.result), "Done")
    })
  )
})

onBothStores("Workflow Communication", (claim) => {
  claim(
    "send, recv",
    Effect.fnUntraced(function*(given) {
      const Note = Message.make("note", { payload: Schema.Struct({ text: Schema.String }) })
      const Other = Message.make("other", { payload: Schema.Struct({ text: Schema.String }) })
      const Receiver = Workflow.make("Receiver", { success: Schema.Array(Schema.NullOr(Schema.String)) })
      const textOf = (note: Option.Option<{ readonly text: string }>) =>
        Option.getOrNull(Option.map(note, ({ text }) => text))
      const ReceiverLive = Receiver.toLayer(Effect.fn(function*() {
        const first = yield* Note.receive()
        const second = yield* Note.receive({ timeout: "60 seconds" })
        const third = yield* Note.receive({ timeout: 0 })
        return [first.text, textOf(second), textOf(third)]
      }))
      const { use } = yield* given.engine(ReceiverLive)
      const handle = yield* use(Receiver.start(undefined, { workflowId: "w" }))
      yield* use(Other.send("w", { text: "of another topic" }))
      yield* use(Note.send("w", { text: "one" }, { idempotencyKey: "1" }))
      yield* use(Note.send("w", { text: "one" }, { idempotencyKey: "1" }))
      yield* use(Note.send("w", { text: "two" }))
      assert.deepStrictEqual(yield* use(handle.result), ["one", "two", null])
      const unknown = yield* reasonOf(use(Note.send("none", { text: "x" })))
      assert.deepStrictEqual([unknown._tag, unknown.why], ["MessageUndeliverable", "unknown"])
    })
  )

  claim(
    "set_event, get_event, get_all_events",
    Effect.fnUntraced(function*(given) {
      const Progress = WorkflowEvent.make("progress", { value: Schema.Number })
      const Total = WorkflowEvent.make("total", { value: Schema.NullOr(Schema.Number) })
      const Unset = WorkflowEvent.make("unset", { value: Schema.Number })
      const Publishing = Workflow.make("Publishing")
      const PublishingLive = Publishing.toLayer(Effect.fn(function*() {
        yield* Progress.set(0.5)
        yield* Progress.set(1)
        yield* Total.set(null)
        yield* Approval.receive()
      }))
      const { use } = yield* given.engine(PublishingLive)
      yield* use(Publishing.start(undefined, { workflowId: "w" }))
      yield* use(recorded("w", 3))
      assert.strictEqual(yield* use(Progress.get("w")), 1)
      // A null is a value; what is not set in time is none.
      assert.deepStrictEqual(yield* use(Total.get("w", { timeout: "60 seconds" })), Option.some(null))
      assert.deepStrictEqual(yield* use(Unset.get("w", { timeout: "10 millis" })), Option.none())
      const all = yield* use(Client.events("w"))
      assert.deepStrictEqual(Object.fromEntries(all.map(({ key, value }) => [key, value])), {
        progress: 1,
        total: null
      })
      assert.strictEqual((yield* reasonOf(use(Progress.get("none"))))._tag, "WorkflowNotFound")
    })
  )
})

onBothStores("Streaming", (claim) => {
  claim(
    "write_stream, close_stream, read_stream",
    Effect.fnUntraced(function*(given) {
      const Values = WorkflowStream.make("values", { value: Schema.Number })
      const Writer = Workflow.make("Writer")
      const WriterLive = Writer.toLayer(Effect.fn(function*() {
        yield* Effect.forEach([1, 2, 3], (n) => Values.write(n))
        yield* Values.close
        yield* Approval.receive()
      }))
      const { use } = yield* given.engine(WriterLive)
      yield* use(Writer.start(undefined, { workflowId: "w" }))
      const processed: Array<number> = []
      yield* use(Stream.runForEach(Values.read("w"), (n) => Effect.sync(() => processed.push(n))))
      assert.deepStrictEqual(processed, [1, 2, 3])
      assert.strictEqual((yield* reasonOf(use(Stream.runDrain(Values.read("none")))))._tag, "WorkflowNotFound")
    })
  )
})

onBothStores("Context Properties", (claim) => {
  claim(
    "workflow_id, step_id, sql_session, logger, authenticated_user, authenticated_roles, application_version, executor_id",
    Effect.fnUntraced(function*(given) {
      const { heard, layer } = hearing()
      const Properties = Workflow.make("Properties", { success: Schema.Array(Schema.Json) })
      const PropertiesLive = Properties.toLayer(Effect.fn(function*() {
        const context = yield* WorkflowContext.current
        yield* Effect.logInfo("Processing order").pipe(Effect.provide(layer))
        const stepId = yield* Step.run(
          "step",
          Effect.map(WorkflowContext.current, ({ step }) => step?.stepId ?? null)
        )
        const rows = yield* Transaction.run(
          "sql",
          Effect.flatMap(SqlClient, (sql) => sql<{ n: number }>`SELECT 7 AS n`).pipe(
            Effect.map((rows) => rows.map(({ n }) => Number(n)))
          )
        )
        return [
          context.workflowId ?? null,
          context.step?.stepId ?? null,
          stepId,
          rows,
          context.user ?? null,
          context.roles,
          context.applicationVersion ?? null,
          context.executorId ?? null
        ]
      }))
      const { use } = yield* given.engine(PropertiesLive, { version: "v1", executorId: "here" })
      const seen = yield* use(
        Properties.execute(undefined, { workflowId: "w" }).pipe(
          Effect.provide(Auth.layer({ user: "ada", roles: ["admin"] }))
        )
      )
      assert.deepStrictEqual(seen, ["w", null, 0, [7], "ada", ["admin"], "v1", "here"])
      assert.deepStrictEqual(heard.map(({ message }) => message), ["Processing order"])
      assert.include(Object.values(heard[0]!.annotations), "w")
      // None of them outside a workflow.
      const outside = yield* use(WorkflowContext.current)
      assert.deepStrictEqual([outside.workflowId, outside.user, outside.executorId], [undefined, undefined, undefined])
    })
  )

  claim(
    "application_version, executor_id: given to the engine, which has them outside workflows too; each start is an incarnation",
    Effect.fnUntraced(function*(given) {
      const places = Workflow.make("Places", { success: Schema.Array(Schema.UndefinedOr(Schema.String)) })
      const live = places.toLayer(() =>
        Effect.map(WorkflowContext.current, ({ applicationVersion, executorId }) => [applicationVersion, executorId])
      )
      const starts = [
        yield* given.engine(live, { version: "v1", executorId: "here" }),
        yield* given.engine(live, { version: "v1", executorId: "here" })
      ]
      const [one, other] = yield* Effect.forEach(starts, ({ use }) =>
        use(Effect.gen(function*() {
          const { executorId, version } = yield* Engine
          assert.deepStrictEqual([version, executorId], ["v1", "here"])
          assert.deepStrictEqual(yield* places.execute(), ["v1", "here"])
          return yield* Client.incarnation
        })))
      assert.notStrictEqual(one, other)
      const executors = yield* starts[0]!.use(Client.executors)
      assert.sameMembers(executors.map(({ incarnation }) => incarnation), [one, other])
      assert.deepStrictEqual(executors.map(({ executorId, version }) => [executorId, version]), [
        ["here", "v1"],
        ["here", "v1"]
      ])
    })
  )
})

onBothStores("Type Definitions", (claim) => {
  claim(
    "VersionInfo",
    Effect.fnUntraced(function*(given) {
      const first = yield* given.engine(ProcessOrderLive, { version: "1.2.3" })
      yield* given.store.adjustClock(1000)
      yield* given.engine(ProcessOrderLive, { version: "1.2.4" })
      const versions = yield* first.use(Client.versions.list)
      assert.deepStrictEqual(versions.map(({ version }) => version), ["1.2.4", "1.2.3"])
      for (const { createdAt, latestAt } of versions) assert.deepStrictEqual(createdAt, latestAt)
      yield* given.store.adjustClock(1000)
      yield* first.use(Client.versions.setLatest("1.2.3"))
      const latest = yield* first.use(Client.versions.latest)
      assert.strictEqual(latest?.version, "1.2.3")
      assert.isAbove(latest!.latestAt.getTime(), latest!.createdAt.getTime())
    })
  )

  claim(
    "scheduled tasks: a schedule that code declares",
    Effect.fnUntraced(function*(given) {
      const nightly = WorkflowSchedule.make("nightly", {
        workflow: ProcessOrder,
        payload: { orderId: "nightly" },
        cron: "0 2 * * *"
      })
      const { use } = yield* given.engine(ProcessOrderLive)
      yield* use(Effect.provide(Effect.void, nightly.layer))
      yield* given.store.adjustClock(86_400_000)
      const { workflows } = yield* use(
        eventually("the tick", Client.list({ schedule: "nightly" }), ({ workflows }) => workflows.length > 0)
      )
      assert.match(workflows[0]!.workflowId, /^nightly\/.*T02:00:00.000Z$/)
    })
  )
})
