/** Queues: limits over several engines, places that are freed, and what is refused. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Workflow from "perdure/Workflow"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { Gate, Task, unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"
import { eventually, reaches, reasonOf, suspends } from "./observing.ts"
import { twiceWell } from "./twice.ts"

const hour = 3_600_000
const day = 24 * hour
const plain = WorkflowQueue.make("plain")
const enqueue = (queue: WorkflowQueue.WorkflowQueue, ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (id) => queue.enqueue(Task, { id }, { workflowId: id }))
const numbered = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`)
const statusOf = (given: Given, id: string) => Effect.map(given.store.get(id), (row) => row?.status)
/** Sees to it that everything that could start has been looked at: something later went all the way. */
const passes = (id: string) =>
  Effect.flatMap(plain.enqueue(Task, { id }, { workflowId: id }), (handle) => handle.result)

onBothStores("queues", (claim) => {
  claim(
    "an enqueued workflow runs, and its handle gives its result",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      yield* gate.openAll
      const { use } = yield* given.engine(gate.live, unpolled)
      const handle = yield* use(plain.enqueue(Task, { id: "a" }))
      assert.strictEqual(yield* use(handle.result), "a")
      const row = yield* given.store.get(handle.workflowId)
      assert.deepStrictEqual([row?.status, row?.queue], ["SUCCESS", "plain"])
    })
  )

  claim(
    "a client enqueues, and an executor elsewhere runs it",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      yield* gate.openAll
      yield* given.engine(gate.live, unpolled)
      const client = yield* given.clientOf(unpolled)
      assert.strictEqual(yield* client.use(Effect.flatMap(plain.enqueue(Task, { id: "a" }), (h) => h.result)), "a")
    })
  )

  claim(
    "of a queue of one, the next starts at once when one ends",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, ...numbered(5)))
      for (const [index, id] of numbered(5).entries()) {
        assert.lengthOf(yield* gate.has(id), index + 1)
        yield* gate.open(id)
      }
      yield* use(reaches("t4", "SUCCESS"))
      assert.deepStrictEqual([gate.started, gate.most.get("all")], [numbered(5), 1])
    })
  )

  claim(
    "a place that is freed in one process is taken by another at once",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const gate = new Gate()
      const first = yield* given.engine(gate.live, { ...unpolled, executorId: "first" })
      yield* first.use(enqueue(queue, "a"))
      yield* gate.has("a")
      const Other = Workflow.make("Other")
      const second = yield* given.engine(Other.toLayer(() => Effect.void), { ...unpolled, executorId: "second" })
      const handle = yield* second.use(queue.enqueue(Other))
      assert.strictEqual(yield* statusOf(given, handle.workflowId), "ENQUEUED")
      yield* gate.open("a")
      yield* second.use(handle.result)
      assert.strictEqual((yield* second.use(handle.info)).executorId, "second")
    })
  )

  claim(
    "the concurrency of a queue holds over three engines, and is used",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("three", { concurrency: 3 })
      const gate = new Gate()
      const engines = yield* Effect.forEach([1, 2, 3], () => given.engine(gate.live, unpolled))
      const ids = numbered(12)
      yield* Effect.forEach(ids, (id, index) => engines[index % 3]!.use(enqueue(queue, id)), {
        concurrency: "unbounded"
      })
      const done = new Set<string>()
      while (done.size < ids.length) {
        const next = yield* eventually(
          "another start",
          Effect.sync(() => gate.started.find((id) => !done.has(id))),
          (id) => id !== undefined
        )
        done.add(next!)
        yield* gate.open(next!)
      }
      yield* engines[0]!.use(Effect.forEach(ids, (id) => reaches(id, "SUCCESS")))
      assert.strictEqual(gate.most.get("all")! <= 3, true)
      assert.lengthOf(gate.started, 12)
    })
  )

  claim(
    "a queue of three runs three",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("three", { concurrency: 3 })
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, ...numbered(5)))
      yield* gate.has("t0", "t1", "t2")
      yield* use(enqueue(plain, "fence"))
      yield* gate.has("fence")
      assert.deepStrictEqual(gate.started, ["t0", "t1", "t2", "fence"])
      yield* gate.openAll
      yield* use(Effect.forEach(numbered(5), (id) => reaches(id, "SUCCESS")))
    })
  )

  claim(
    "the limit of an executor holds in each of two",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("each", { executorConcurrency: 1 })
      const gate = new Gate()
      const first = yield* given.engine(gate.live, { ...unpolled, executorId: "first" })
      const second = yield* given.engine(gate.live, { ...unpolled, executorId: "second" })
      yield* first.use(enqueue(queue, ...numbered(3)))
      const two = yield* eventually("two starts", Effect.sync(() => [...gate.started]), (ids) => ids.length >= 2)
      const where = yield* Effect.forEach(two, (id) => Effect.map(given.store.get(id), (row) => row?.executorId))
      assert.deepStrictEqual(where.sort(), ["first", "second"])
      yield* first.use(Effect.andThen(gate.open("fence"), passes("fence")))
      assert.lengthOf(gate.started, 3)
      yield* gate.open(two[0]!)
      yield* gate.has("t2")
      yield* gate.openAll
      yield* second.use(Effect.forEach(numbered(3), (id) => reaches(id, "SUCCESS")))
    })
  )

  claim(
    "a suspended workflow keeps its place in the queue",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const Sleeper = Workflow.make("Sleeper")
      const gate = new Gate()
      yield* gate.openAll
      const live = Sleeper.toLayer(() => Effect.sleep("1 day"))
      const { use } = yield* given.engine([live, gate.live], unpolled)
      yield* use(queue.enqueue(Sleeper, undefined, { workflowId: "sleeper" }))
      yield* use(suspends("sleeper"))
      yield* use(enqueue(queue, "after"))
      yield* use(passes("fence"))
      assert.strictEqual(yield* statusOf(given, "after"), "ENQUEUED")
      yield* given.store.adjustClock(day)
      yield* use(reaches("after", "SUCCESS"))
      assert.strictEqual(yield* statusOf(given, "sleeper"), "SUCCESS")
    })
  )

  claim(
    "a suspended workflow leaves its place in the executor to the next",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("each", { executorConcurrency: 1 })
      const Sleeper = Workflow.make("Sleeper")
      const gate = new Gate()
      const live = Sleeper.toLayer(() => Effect.sleep("1 day"))
      const { use } = yield* given.engine([live, gate.live], unpolled)
      yield* use(queue.enqueue(Sleeper, undefined, { workflowId: "sleeper" }))
      yield* use(enqueue(queue, "after"))
      yield* gate.has("after")
      // Due, and waiting for the place that it left.
      yield* given.store.adjustClock(day)
      yield* use(Effect.andThen(gate.open("fence"), passes("fence")))
      assert.strictEqual(yield* statusOf(given, "sleeper"), "PENDING")
      yield* gate.open("after")
      yield* use(reaches("sleeper", "SUCCESS"))
    })
  )

  claim(
    "no more start in a period than the rate says",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("rated", { rateLimit: { limit: 2, period: "1 hour" } })
      const gate = new Gate()
      yield* gate.openAll
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, ...numbered(5)))
      yield* gate.has("t0", "t1")
      for (const started of [2, 4]) {
        yield* use(passes(`fence${started}`))
        assert.lengthOf(gate.started.filter((id) => id.startsWith("t")), started)
        yield* given.store.adjustClock(hour)
        yield* gate.has(`t${started}`)
      }
      yield* use(Effect.forEach(numbered(5), (id) => reaches(id, "SUCCESS")))
    })
  )

  claim(
    "the place of an executor that died is taken over with its workflow",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const client = yield* given.client
      yield* client.use(enqueue(queue, "a", "b"))
      yield* given.store.join({ incarnation: "dead", executorId: "dead", version: "" }, hour)
      const { claimed } = yield* given.store.claim({
        incarnation: "dead",
        served: [{ name: "Task", version: "" }],
        queues: null,
        limit: 10
      })
      assert.deepStrictEqual(claimed.map(({ row }) => row.workflowId), ["a"])
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(Effect.andThen(gate.open("fence"), passes("fence")))
      assert.deepStrictEqual(gate.started, ["fence"])
      yield* given.store.adjustClock(2 * hour)
      yield* gate.has("a")
      yield* gate.openAll
      yield* use(reaches("b", "SUCCESS"))
      assert.deepStrictEqual(gate.started, ["fence", "a", "b"])
    })
  )

  claim(
    "an engine that closes gives its place back, and another goes on in the old order",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const gate = new Gate()
      const first = yield* given.engine(gate.live, unpolled)
      yield* first.use(enqueue(queue, "a", "b"))
      yield* gate.has("a")
      yield* first.close
      const second = yield* given.engine(gate.live, unpolled)
      yield* eventually("a second start of a", Effect.sync(() => gate.started), (started) => started.length >= 2)
      yield* gate.openAll
      yield* second.use(reaches("b", "SUCCESS"))
      assert.deepStrictEqual(gate.started, ["a", "a", "b"])
    })
  )

  claim(
    "a paused queue starts nothing, and goes on when it is resumed",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      yield* gate.openAll
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* given.client
      const queue = WorkflowQueue.make("pausing")
      yield* use(enqueue(queue, "before"))
      yield* use(reaches("before", "SUCCESS"))
      assert.isTrue(yield* given.store.setQueue("pausing", { paused: true }))
      yield* use(enqueue(queue, "a"))
      yield* use(passes("fence"))
      assert.strictEqual(yield* statusOf(given, "a"), "ENQUEUED")
      yield* given.store.setQueue("pausing", { paused: false })
      yield* given.store.hint([{ _tag: "Queue", queue: "pausing" }], "")
      yield* use(reaches("a", "SUCCESS"))
    })
  )

  claim(
    "an operator's limits win over those that code declares later",
    Effect.fnUntraced(function*(given) {
      const client = yield* given.client
      yield* client.use(enqueue(WorkflowQueue.make("limited", { concurrency: 5 }), ...numbered(2)))
      const [row] = yield* given.store.queues(["limited"])
      yield* given.store.setQueue("limited", { limits: { ...row!.limits, concurrency: 1 } })
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, {
        ...unpolled,
        queues: [WorkflowQueue.make("limited", { concurrency: 7 }), plain]
      })
      yield* gate.has("t0")
      yield* use(Effect.andThen(gate.open("fence"), passes("fence")))
      assert.deepStrictEqual(gate.started, ["t0", "fence"])
      yield* gate.openAll
      yield* use(reaches("t1", "SUCCESS"))
      assert.deepStrictEqual((yield* given.store.queues(["limited"]))[0]!.limits.concurrency, 1)
    })
  )

  claim(
    "an engine takes from the queues that it serves, and runs what is in none",
    Effect.fnUntraced(function*(given) {
      const mine = WorkflowQueue.make("mine")
      const gate = new Gate()
      yield* gate.openAll
      const first = yield* given.engine(gate.live, { ...unpolled, queues: [mine] })
      yield* first.use(Effect.andThen(enqueue(WorkflowQueue.make("theirs"), "theirs"), enqueue(mine, "mine")))
      yield* first.use(reaches("mine", "SUCCESS"))
      assert.strictEqual(yield* first.use(Task.execute({ id: "none" })), "none")
      assert.strictEqual(yield* statusOf(given, "theirs"), "ENQUEUED")
      const second = yield* given.engine(gate.live, { ...unpolled, queues: ["theirs"] })
      yield* second.use(reaches("theirs", "SUCCESS"))
    })
  )

  claim(
    "no more are taken than an engine has room for",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, { ...unpolled, maxRunning: 2 })
      yield* use(enqueue(plain, ...numbered(6)))
      yield* gate.has("t0", "t1")
      yield* gate.openAll
      yield* use(Effect.forEach(numbered(6), (id) => reaches(id, "SUCCESS")))
      assert.strictEqual(gate.most.get("all"), 2)
    })
  )

  claim(
    "a cancelled workflow leaves its place at once, waiting or running",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, "a", "b", "c"))
      yield* gate.has("a")
      yield* use(Client.cancel(["b", "a"]))
      yield* gate.has("c")
      assert.deepStrictEqual(gate.started, ["a", "c"])
    })
  )

  claim(
    "the same enqueue made again attaches to the first",
    Effect.fnUntraced(function*(given) {
      const gate = new Gate()
      const { use } = yield* given.engine(gate.live, unpolled)
      const once = plain.enqueue(Task, { id: "a" }, { workflowId: "w" })
      const handles = yield* use(Effect.all([once, once, once], { concurrency: "unbounded" }))
      assert.deepStrictEqual(handles.map((handle) => handle.workflowId), ["w", "w", "w"])
      yield* gate.has("a")
      yield* gate.open("a")
      yield* use(handles[0].result)
      assert.strictEqual(yield* use(Effect.flatMap(once, (handle) => handle.result)), "a")
      assert.deepStrictEqual(gate.started, ["a"])
      const reason = yield* reasonOf(use(plain.enqueue(Task, { id: "b" }, { workflowId: "w" })))
      assert.strictEqual(reason._tag, "WorkflowConflict")
    })
  )

  claim(
    "an enqueue in a body is a child, which a replay does not enqueue again",
    Effect.fnUntraced(function*(given) {
      const outcome = yield* twiceWell(
        given,
        Effect.map(plain.enqueue(Task, { id: "a" }), (handle) => handle.workflowId)
      )
      assert.deepStrictEqual([outcome.live, outcome.replayed], ["subject-0", "subject-0"])
      assert.deepStrictEqual(outcome.steps, ["0 child Task"])
      const rows = yield* given.store.list({ order: "asc", limit: 10, parentId: "subject" })
      assert.deepStrictEqual(rows.map((row) => [row.workflowId, row.queue, row.parentId]), [
        ["subject-0", "plain", "subject"]
      ])
    })
  )

  claim(
    "a parent waits for its enqueued child out of memory, and goes on when it ends",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.String })
      const gate = new Gate()
      const live = Parent.toLayer(() =>
        Effect.flatMap(plain.enqueue(Task, { id: "a" }), (handle) => Effect.orDie(handle.result))
      )
      const { use } = yield* given.engine([live, gate.live], unpolled)
      const handle = yield* use(Parent.start(undefined, { workflowId: "parent" }))
      yield* use(suspends("parent"))
      yield* gate.open("a")
      assert.strictEqual(yield* use(handle.result), "a")
    })
  )

  claim(
    "a queue that was deleted is there again with the next enqueue, from a body too",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.String })
      const gate = new Gate()
      yield* gate.openAll
      const live = Parent.toLayer(() =>
        Effect.flatMap(plain.enqueue(Task, { id: "a" }), (handle) => Effect.orDie(handle.result))
      )
      const { use } = yield* given.engine([live, gate.live], unpolled)
      yield* use(passes("before"))
      const deleted = eventually("an empty queue", given.store.deleteQueue("plain"), (answer) => answer === "deleted")
      yield* deleted
      yield* use(passes("after"))
      yield* deleted
      assert.strictEqual(yield* use(Parent.execute()), "a")
    })
  )

  claim(
    "a layer tells the store of a queue; another with the same name and other limits is refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([])
      yield* use(Effect.provide(Effect.void, WorkflowQueue.make("told", { concurrency: 2 }).layer))
      assert.strictEqual((yield* given.store.queues(["told"]))[0]?.limits.concurrency, 2)
      const other = WorkflowQueue.make("told", { concurrency: 3 })
      assert.strictEqual((yield* reasonOf(use(Effect.provide(Effect.void, other.layer))))._tag, "InvalidArgument")
      assert.strictEqual((yield* reasonOf(use(other.enqueue(Task, { id: "a" })))).argument, "queue")
      // The next deploy says otherwise.
      const later = yield* given.engine([], { queues: [other] })
      yield* later.use(Effect.void)
      assert.strictEqual((yield* given.store.queues(["told"]))[0]?.limits.concurrency, 3)
    })
  )
})

onBothStores("bulk enqueues", (claim) => {
  const Quick = Workflow.make("Quick", { payload: { n: Schema.Number }, success: Schema.Number })
  const quick = Quick.toLayer(({ n }) => Effect.succeed(n))
  const payloads = (count: number) => Array.from({ length: count }, (_, n) => ({ n }))
  const counted = (given: Given) => Effect.map(given.store.list({ order: "asc", limit: 10_000 }), (rows) => rows.length)

  claim(
    "five thousand are enqueued at once, each with its answer, and all run",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(quick, unpolled)
      const handles = yield* use(
        plain.enqueueMany(Quick, payloads(5000), { each: ({ n }) => ({ workflowId: `w${n}` }) })
      )
      assert.deepStrictEqual(handles.map((handle) => handle.workflowId), payloads(5000).map(({ n }) => `w${n}`))
      yield* eventually(
        "all to end",
        use(Client.count({ status: "SUCCESS" })),
        (count) => count === 5000,
        240_000
      )
      assert.strictEqual(yield* use(handles[4999]!.result), 4999)
    })
  )

  claim(
    "they wait in the order given",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("one", { concurrency: 1 })
      const gate = new Gate()
      yield* gate.openAll
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(
        queue.enqueueMany(Task, numbered(20).map((id) => ({ id })), { each: ({ id }) => ({ workflowId: id }) })
      )
      yield* use(reaches("t19", "SUCCESS"))
      assert.deepStrictEqual(gate.started, numbered(20))
    })
  )

  claim(
    "one that is refused refuses all",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(plain.enqueue(Quick, { n: 0 }, { workflowId: "taken", deduplicationId: "d" }))
      const conflict = yield* reasonOf(
        use(plain.enqueueMany(Quick, payloads(9), { each: ({ n }) => n === 7 ? { workflowId: "taken" } : {} }))
      )
      assert.deepStrictEqual([conflict._tag, conflict.workflowId], ["WorkflowConflict", "taken"])
      const duplicate = yield* reasonOf(use(plain.enqueueMany(Quick, payloads(9), {
        onDuplicate: "fail",
        each: ({ n }) => n === 7 ? { deduplicationId: "d" } : {}
      })))
      assert.deepStrictEqual([duplicate._tag, duplicate.workflowId], ["DuplicateEnqueued", "taken"])
      const invalid = yield* reasonOf(
        use(plain.enqueueMany(Quick, payloads(9), { each: ({ n }) => n === 7 ? { priority: 0 } : {} }))
      )
      assert.strictEqual(invalid.argument, "priority")
      const many = yield* reasonOf(use(plain.enqueueMany(Quick, payloads(10_001))))
      assert.strictEqual(many.argument, "payloads")
      assert.strictEqual(yield* counted(given), 1)
    })
  )

  claim(
    "payloads that share an id or a deduplication id are one workflow; none at all are none",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(plain.enqueue(Quick, { n: 0 }, { workflowId: "holder", deduplicationId: "held" }))
      const ids = yield* use(plain.enqueueMany(Quick, [{ n: 1 }, { n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }], {
        each: (_, index) =>
          [
            { workflowId: "same" },
            { workflowId: "same" },
            { workflowId: "first", deduplicationId: "d" },
            { deduplicationId: "d" },
            { deduplicationId: "held" }
          ][index]!
      }))
      assert.deepStrictEqual(ids.map((handle) => handle.workflowId), ["same", "same", "first", "first", "holder"])
      assert.deepStrictEqual(yield* use(plain.enqueueMany(Quick, [])), [])
      assert.strictEqual(yield* counted(given), 3)
    })
  )

  claim(
    "in a body they are children under one record, which a replay does not enqueue again",
    Effect.fnUntraced(function*(given) {
      yield* (yield* given.client).use(
        plain.enqueue(Quick, { n: 0 }, { workflowId: "holder", deduplicationId: "held" })
      )
      const outcome = yield* twiceWell(
        given,
        Effect.map(
          plain.enqueueMany(Quick, payloads(100), { each: ({ n }) => n === 50 ? { deduplicationId: "held" } : {} }),
          (handles) => handles.map((handle) => handle.workflowId)
        )
      )
      const expected = payloads(100).map(({ n }) => n === 50 ? "holder" : `subject-0-${n}`)
      assert.deepStrictEqual([outcome.live, outcome.replayed], [expected, expected])
      assert.deepStrictEqual(outcome.steps, ["0 child Quick"])
      assert.strictEqual(yield* counted(given), 101)
    })
  )

  claim(
    "in a body thousands that are all there already are attached to",
    Effect.fnUntraced(function*(given) {
      const Caller = Workflow.make("Caller", { success: Schema.Array(Schema.String) })
      const all = plain.enqueueMany(Quick, payloads(3000), { each: ({ n }) => ({ deduplicationId: `d${n}` }) }).pipe(
        Effect.map((handles) => handles.map((handle) => handle.workflowId))
      )
      const { use } = yield* given.engine(Caller.toLayer(() => all), { ...unpolled, queues: [] })
      const before = yield* use(all)
      assert.deepStrictEqual(yield* use(Caller.execute()), before)
      assert.strictEqual(yield* counted(given), 3001)
    })
  )

  claim(
    "in a body one that is refused refuses all, and the body gets the error, replayed too",
    Effect.fnUntraced(function*(given) {
      yield* (yield* given.client).use(plain.enqueue(Quick, { n: 0 }, { workflowId: "taken" }))
      const { live, replayed } = yield* twiceWell(
        given,
        Effect.exit(plain.enqueueMany(Quick, payloads(9), { each: ({ n }) => n === 7 ? { workflowId: "taken" } : {} }))
      )
      for (const exit of [live, replayed]) {
        assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("taken"), String(exit))
      }
      assert.strictEqual(yield* counted(given), 2)
    })
  )
})

onBothStores("what queues refuse", (claim) => {
  const bad: ReadonlyArray<[string, WorkflowQueue.Limits]> = [
    ...[0, -1, 1.5, Number.NaN, Infinity].flatMap((count): Array<[string, WorkflowQueue.Limits]> => [
      ["concurrency", { concurrency: count }],
      ["executorConcurrency", { executorConcurrency: count }],
      ["rateLimit.limit", { rateLimit: { limit: count, period: "1 second" } }],
      ["partitioned.concurrency", { partitioned: { concurrency: count } }],
      ["partitioned.executorConcurrency", { partitioned: { executorConcurrency: count } }]
    ]),
    ["rateLimit.period", { rateLimit: { limit: 1, period: 0 } }],
    ["rateLimit.period", { rateLimit: { limit: 1, period: "1 fortnight" as any } }],
    ["executorConcurrency", { concurrency: 1, executorConcurrency: 2 }],
    ["partitioned.concurrency", { concurrency: 1, partitioned: { concurrency: 2 } }],
    ["partitioned.executorConcurrency", { partitioned: { executorConcurrency: 2 } }],
    ["partitioned.executorConcurrency", {
      executorConcurrency: 1,
      partitioned: { concurrency: 3, executorConcurrency: 2 }
    }],
    ["ageing", { ageing: -1 }],
    ["ageing", { ageing: 0 }]
  ]

  claim(
    "limits that make no sense, and names",
    Effect.fnUntraced(function*() {
      for (const [argument, limits] of bad) {
        assert.throws(() => WorkflowQueue.make("q", limits), new RegExp(`Invalid ${argument}`), JSON.stringify(limits))
      }
      for (const name of ["", "a\0b", "x".repeat(257), "perdure.mine", undefined as any]) {
        assert.throws(() => WorkflowQueue.make(name), /queue name/)
      }
      yield* Effect.void
    })
  )

  claim(
    "enqueues that make no sense, before anything is written",
    Effect.fnUntraced(function*(given) {
      const parted = WorkflowQueue.make("parted", { partitioned: true })
      const { use } = yield* given.engine([])
      const cases: ReadonlyArray<[string, WorkflowQueue.WorkflowQueue, any]> = [
        ...[0, -1, 1.5, Number.NaN, Infinity, 2_147_483_648, "1"].map((priority): [string, any, any] => [
          "priority",
          plain,
          { priority }
        ]),
        ...["", "x".repeat(257), "a\nb", 5].flatMap((text): Array<[string, any, any]> => [
          ["deduplication id", plain, { deduplicationId: text }],
          ["partition key", parted, { partitionKey: text }]
        ]),
        ["partition key", plain, { partitionKey: "k" }],
        ["partition key", parted, {}],
        ["onDuplicate", plain, { onDuplicate: "maybe" }],
        ["version", plain, { version: "x".repeat(257) }],
        ["delay", plain, { delay: -1 }],
        ["delay", plain, { delay: Number.NaN }],
        ["delay", plain, { delay: Infinity }],
        ["workflow id", plain, { workflowId: "" }],
        ["timeout", plain, { timeout: 0 }]
      ]
      for (const [argument, queue, options] of cases) {
        const reason = yield* reasonOf(use(queue.enqueue(Task, { id: "a" }, options)))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument], JSON.stringify(options))
      }
      assert.strictEqual(yield* Effect.map(given.store.list({ order: "asc", limit: 10 }), (rows) => rows.length), 0)
    })
  )
})
