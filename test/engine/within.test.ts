/** Starts and enqueues that are part of the application's own transaction. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Debouncer from "perdure/Debouncer"
import * as Message from "perdure/Message"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { Gate, Task, unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"
import { eventually, Log, reaches, reasonOf, suspends } from "./observing.ts"
import { twice } from "./twice.ts"

const queue = WorkflowQueue.make("queue")
const Told = WorkflowEvent.make("told", { value: Schema.String })
const Shown = WorkflowStream.make("shown", { value: Schema.String })
const opened = Effect.tap(Effect.sync(() => new Gate()), (gate) => gate.openAll)
const counted = (given: Given) => Effect.map(given.store.list({ order: "asc", limit: 100 }), (rows) => rows.length)
const table = Effect.fnUntraced(function*(given: Given) {
  const name = given.sql(`orders_${given.number}`)
  yield* given.sql`CREATE TABLE ${name} (id TEXT PRIMARY KEY)`
  return {
    insert: (id: string) => given.sql`INSERT INTO ${name} ${given.sql.insert({ id })}`,
    ids: Effect.map(given.sql<{ id: string }>`SELECT id FROM ${name} ORDER BY id`, (rows) => rows.map((row) => row.id))
  }
})

onBothStores("transactions of the application", (claim) => {
  claim(
    "what is started and enqueued in one is there with its rows, and runs at once",
    Effect.fnUntraced(function*(given) {
      const orders = yield* table(given)
      const gate = yield* opened
      const { use } = yield* given.engine(gate.live, { ...unpolled, queues: [queue] })
      const handles = yield* use(Transaction.within(Effect.gen(function*() {
        yield* orders.insert("order")
        const started = yield* Task.start({ id: "start" }, { workflowId: "start" })
        const enqueued = yield* queue.enqueue(Task, { id: "enqueue" }, { workflowId: "enqueue" })
        const many = yield* queue.enqueueMany(Task, [{ id: "m0" }, { id: "m1" }])
        assert.isNull(yield* Effect.orDie(given.store.get("start")))
        return [started, enqueued, ...many]
      })))
      assert.deepStrictEqual(yield* use(Effect.forEach(handles, (handle) => handle.result)), [
        "start",
        "enqueue",
        "m0",
        "m1"
      ])
      assert.deepStrictEqual(yield* orders.ids, ["order"])
    })
  )

  claim(
    "an executor elsewhere is told after the commit",
    Effect.fnUntraced(function*(given) {
      const gate = yield* opened
      yield* given.engine(gate.live, { ...unpolled, queues: [queue] })
      const client = yield* given.client
      yield* client.use(Effect.provide(Effect.void, queue.layer))
      const handle = yield* client.use(Transaction.within(queue.enqueue(Task, { id: "a" })))
      assert.strictEqual(yield* client.use(handle.result), "a")
    })
  )

  claim(
    "what it does after its commit is not part of it: it may start, and wait",
    Effect.fnUntraced(function*(given) {
      const gate = yield* opened
      const { use } = yield* given.engine(gate.live)
      const seen = new Log()
      yield* use(Transaction.within(Effect.gen(function*() {
        const handle = yield* Task.start({ id: "a" })
        const after = Effect.gen(function*() {
          yield* seen.add(yield* handle.result)
          yield* seen.add(yield* Task.execute({ id: "b" }))
        })
        yield* given.sql.afterCommit(Effect.orDie(after))
      })))
      assert.deepStrictEqual(seen.entries, ["a", "b"])
    })
  )

  claim(
    "nothing of it is there when it rolls back, for an error, a defect or an interruption",
    Effect.fnUntraced(function*(given) {
      const orders = yield* table(given)
      const { use } = yield* given.engine([], { queues: [queue] })
      const all = (id: string) =>
        Effect.gen(function*() {
          yield* orders.insert(id)
          yield* Task.start({ id }, { workflowId: id })
          yield* queue.enqueue(Task, { id }, { deduplicationId: "d" })
        })
      for (const end of [Effect.fail("no"), Effect.die("no"), Effect.interrupt]) {
        const exit = yield* Effect.exit(use(Transaction.within(Effect.andThen(all("a"), end))))
        assert.isTrue(Exit.isFailure(exit))
      }
      assert.deepStrictEqual([yield* counted(given), yield* orders.ids], [0, []])
      yield* use(Transaction.within(all("a")))
      assert.deepStrictEqual([yield* counted(given), yield* orders.ids], [2, ["a"]])
    })
  )

  claim(
    "within an open transaction it is a part of that one",
    Effect.fnUntraced(function*(given) {
      const orders = yield* table(given)
      const gate = yield* opened
      const { use } = yield* given.engine(gate.live, { ...unpolled, queues: [queue] })
      const outer = given.sql.withTransaction(Effect.gen(function*() {
        yield* orders.insert("order")
        const lost = Transaction.within(
          Effect.andThen(Task.start({ id: "lost" }, { workflowId: "lost" }), Effect.fail("no"))
        )
        assert.strictEqual(yield* Effect.flip(lost), "no")
        yield* Transaction.within(Task.start({ id: "kept" }, { workflowId: "kept" }))
      }))
      yield* use(outer)
      yield* use(reaches("kept", "SUCCESS"))
      assert.isNull(yield* given.store.get("lost"))
      assert.isTrue(Exit.isFailure(
        yield* Effect.exit(use(given.sql.withTransaction(
          Effect.andThen(Transaction.within(Task.start({ id: "x" }, { workflowId: "x" })), Effect.fail("no"))
        )))
      ))
      assert.isNull(yield* given.store.get("x"))
    })
  )

  claim(
    "ids attach and conflict as everywhere; deduplication ids too",
    Effect.fnUntraced(function*(given) {
      const Other = Workflow.make("Other")
      const { use } = yield* given.engine([], { queues: [queue] })
      yield* use(queue.enqueue(Task, { id: "a" }, { workflowId: "w", deduplicationId: "d" }))
      const handles = yield* use(Transaction.within(Effect.all([
        queue.enqueue(Task, { id: "a" }, { workflowId: "w" }),
        queue.enqueue(Task, { id: "b" }, { deduplicationId: "d" })
      ])))
      assert.deepStrictEqual(handles.map((handle) => handle.workflowId), ["w", "w"])
      for (
        const [start, tag] of [
          [queue.enqueue(Task, { id: "b" }, { workflowId: "w" }), "WorkflowConflict"],
          [Other.start(undefined, { workflowId: "w" }), "WorkflowConflict"],
          [queue.enqueue(Task, { id: "b" }, { deduplicationId: "d", onDuplicate: "fail" }), "DuplicateEnqueued"],
          [queue.enqueue(Task, { id: "b" }, { priority: 0 }), "InvalidArgument"]
        ] as const
      ) {
        const reason = yield* reasonOf(use(Effect.mapError(Transaction.within(start), (error) => error as any)))
        assert.strictEqual(reason._tag, tag)
      }
      assert.strictEqual(yield* counted(given), 1)
    })
  )

  claim(
    "waiting for what is started, a debounce, and a body are refused",
    Effect.fnUntraced(function*(given) {
      const debouncer = Debouncer.make("d", { workflow: Task })
      const { use } = yield* given.engine([])
      const reasons = yield* Effect.forEach(
        [Task.execute({ id: "a" }), debouncer.debounce("k", "1 second", { id: "a" })],
        (effect) =>
          reasonOf(use(Effect.mapError(Transaction.within(effect as Effect.Effect<any, any, any>), (e) => e as any)))
      )
      assert.deepStrictEqual(reasons.map((reason) => [reason._tag, reason.why]), [
        ["TransactionMisused", "waits"],
        ["TransactionMisused", "nested"]
      ])
      const { live } = yield* twice(
        given,
        Effect.exit(Transaction.within(Effect.void) as Effect.Effect<void, any, SqlClient>)
      )
      assert.isTrue(
        Exit.isSuccess(live) && Exit.isFailure(live.value) && Cause.pretty(live.value.cause).includes("body")
      )
    })
  )

  claim(
    "what is started by its name in one is there with its commit, and not otherwise",
    Effect.fnUntraced(function*(given) {
      const gate = yield* opened
      const { use } = yield* given.engine(gate.live, { queues: [queue] })
      const start = (workflowId: string, options = {}) =>
        Client.start("Task", { payload: { id: workflowId }, workflowId, ...options })
      const lost = Transaction.within(Effect.andThen(start("lost"), Effect.fail("no")))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(use(lost))))
      assert.strictEqual(yield* counted(given), 0)
      yield* use(Transaction.within(Effect.andThen(start("a"), start("b", { queue: "queue" }))))
      yield* use(Effect.andThen(reaches("a", "SUCCESS"), reaches("b", "SUCCESS")))
    })
  )

  claim(
    "what cannot be a part of one is refused, and so is waiting for what happens after it",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live)
      yield* use(Task.start({ id: "there" }, { workflowId: "there" }))
      yield* use(Client.schedules.create("nightly", { workflow: "Task", cron: "0 0 * * *", payload: { id: "tick" } }))
      const now = new Date()
      for (
        const [effect, why] of [
          [Effect.flatMap(Task.start({ id: "there" }, { workflowId: "there" }), (handle) => handle.result), "waits"],
          [Effect.flatMap(Task.start({ id: "new" }), (handle) => handle.resultWithin("1 hour")), "waits"],
          [Client.result("there"), "waits"],
          [Client.waitFirst(["there"]), "waits"],
          [Client.waitAll(["there"]), "waits"],
          [Told.get("there"), "waits"],
          [Stream.runDrain(Shown.read("there")), "waits"],
          [Client.schedules.trigger("nightly"), "nested"],
          [Client.schedules.backfill("nightly", { from: now, to: now }), "nested"]
        ] as ReadonlyArray<readonly [Effect.Effect<unknown, any, any>, string]>
      ) {
        const reason = yield* reasonOf(use(Transaction.within(effect)))
        assert.deepStrictEqual([reason._tag, reason.why], ["TransactionMisused", why])
      }
      assert.strictEqual(yield* counted(given), 1)
    })
  )

  claim(
    "a message is sent with the commit, wakes whoever waits for it, and is not sent otherwise",
    Effect.fnUntraced(function*(given) {
      const Approval = Message.make("approval", { payload: Schema.Struct({ by: Schema.String }) })
      const Asking = Workflow.make("Asking", { success: Schema.String })
      const live = Asking.toLayer(() => Effect.map(Approval.receive(), ({ by }) => by))
      const { use } = yield* given.engine(live, unpolled)
      const client = yield* given.client
      const handle = yield* use(Asking.start(undefined, { workflowId: "asking" }))
      yield* use(suspends("asking"))
      const lost = Transaction.within(Effect.andThen(Approval.send("asking", { by: "nobody" }), Effect.fail("no")))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(client.use(lost))))
      yield* client.use(Transaction.within(Approval.send("asking", { by: "ada" })))
      assert.strictEqual(yield* client.use(handle.result), "ada")
      for (const [to, why] of [["asking", "ended"], ["nobody", "unknown"]] as const) {
        const send = Transaction.within(Approval.send(to, { by: "ada" }))
        const reason = yield* reasonOf(client.use(Effect.mapError(send, (error) => error as any)))
        assert.deepStrictEqual([reason._tag, reason.why], ["MessageUndeliverable", why])
      }
    })
  )

  claim(
    "a start in a Transaction's effect is refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([])
      const reason = yield* reasonOf(use(Transaction.run("t", Effect.asVoid(Task.start({ id: "a" })))))
      assert.deepStrictEqual([reason._tag, reason.why], ["TransactionMisused", "nested"])
      assert.strictEqual(yield* counted(given), 0)
    })
  )

  claim(
    "on another database it is refused",
    Effect.fnUntraced(function*(given) {
      const elsewhere = yield* given.elsewhere
      const { use } = yield* given.engine([])
      const reason = yield* reasonOf(
        use(Effect.provide(Transaction.within(Task.start({ id: "a" })), elsewhere) as Effect.Effect<any, any, any>)
      )
      assert.deepStrictEqual([reason._tag, reason.why], ["TransactionMisused", "foreign"])
    })
  )

  claim(
    "a queue that is not registered yet is refused where it could not be registered meanwhile",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([])
      const reason = yield* reasonOf(
        use(Effect.mapError(Transaction.within(queue.enqueue(Task, { id: "a" })), (error) => error as any))
      )
      assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", "queue"])
    }),
    "sqlite"
  )

  claim(
    "an open transaction with a start in it holds up nobody",
    Effect.fnUntraced(function*(given) {
      const gate = yield* opened
      const { use } = yield* given.engine(gate.live, { ...unpolled, queues: [queue] })
      const inside = new Gate()
      const open = yield* Effect.forkChild(
        use(Transaction.within(Effect.andThen(
          queue.enqueue(Task, { id: "late" }, { workflowId: "late", deduplicationId: "d" }),
          inside.pass("in")
        )))
      )
      yield* inside.has("in")
      assert.strictEqual(yield* use(Effect.flatMap(queue.enqueue(Task, { id: "a" }), (handle) => handle.result)), "a")
      assert.strictEqual(yield* use(Task.execute({ id: "b" })), "b")
      yield* inside.open("in")
      yield* eventually("the commit", Effect.sync(() => open.pollUnsafe()), (exit) => exit !== undefined)
      yield* use(reaches("late", "SUCCESS"))
      assert.strictEqual((yield* use(Client.get("late"))).status, "SUCCESS")
    }),
    "postgres"
  )
})
