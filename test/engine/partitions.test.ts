/** Partitioned queues: one key at a time and in order, keys beside one another. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Workflow from "perdure/Workflow"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { Gate, Task, unpolled } from "./gate.ts"
import { onBothStores } from "./harness.ts"
import { eventually, reaches, suspends } from "./observing.ts"

const hour = 3_600_000
const day = 24 * hour
const plain = WorkflowQueue.make("plain")
const keyOf = (id: string) => id.split("-")[0]!
const ids = (...counts: ReadonlyArray<readonly [string, number]>) =>
  counts.flatMap(([key, count]) => Array.from({ length: count }, (_, index) => `${key}-${index}`))
/** Under the key that the id begins with. */
const enqueue = (queue: WorkflowQueue.WorkflowQueue, all: ReadonlyArray<string>) =>
  Effect.forEach(all, (id) => queue.enqueue(Task, { id }, { workflowId: id, partitionKey: keyOf(id) }))
/** Something later went all the way. */
const passes = (gate: Gate, id: string) =>
  Effect.andThen(
    gate.open(id),
    Effect.flatMap(plain.enqueue(Task, { id }, { workflowId: id }), (handle) => handle.result)
  )

onBothStores("partitions", (claim) => {
  claim(
    "all updates of one user run in order, those of another beside them",
    Effect.fnUntraced(function*(given) {
      const UpdateUser = Workflow.make("UpdateUser", { payload: { user: Schema.String, update: Schema.Number } })
      const updates = WorkflowQueue.make("user_updates", { partitioned: true })
      const gate = new Gate(keyOf)
      const live = UpdateUser.toLayer(({ update, user }) => gate.pass(`${user}-${update}`))
      const { use } = yield* given.engine(live, unpolled)
      const all = [0, 1, 2, 3, 4]
      for (const user of ["123", "456"]) {
        yield* use(
          Effect.forEach(
            all,
            (update) => updates.enqueue(UpdateUser, { user, update }, { workflowId: `${user}-${update}` })
          )
            .pipe(Effect.provide(EnqueueOptions.layer({ partitionKey: user })))
        )
      }
      yield* gate.has("123-0", "456-0")
      assert.lengthOf(gate.started, 2)
      for (const update of all) {
        yield* gate.has(`123-${update}`)
        yield* gate.open(`123-${update}`)
      }
      yield* use(reaches("123-4", "SUCCESS"))
      assert.deepStrictEqual(gate.started, ["123-0", "456-0", "123-1", "123-2", "123-3", "123-4"])
      yield* gate.openAll
      yield* use(reaches("456-4", "SUCCESS"))
      assert.deepStrictEqual(gate.started.slice(-4), ["456-1", "456-2", "456-3", "456-4"])
    })
  )

  claim(
    "one of a key at a time and in order over three engines, whatever the load",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { partitioned: true })
      const gate = new Gate(keyOf)
      yield* gate.openAll
      const engines = yield* Effect.forEach([1, 2, 3], () => given.engine(gate.live, unpolled))
      const all = ids(["a", 15], ["b", 15], ["c", 15], ["d", 15])
      yield* Effect.forEach(
        ["a", "b", "c", "d"],
        (key, index) => engines[index % 3]!.use(enqueue(queue, all.filter((id) => keyOf(id) === key))),
        { concurrency: "unbounded" }
      )
      yield* engines[0]!.use(Effect.forEach(all, (id) => reaches(id, "SUCCESS")))
      assert.lengthOf(gate.started, 60)
      for (const key of ["a", "b", "c", "d"]) {
        assert.strictEqual(gate.most.get(key), 1)
        assert.deepStrictEqual(gate.started.filter((id) => keyOf(id) === key), all.filter((id) => keyOf(id) === key))
      }
    })
  )

  claim(
    "a partition may have a concurrency of its own, within the queue's",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { concurrency: 3, partitioned: { concurrency: 2 } })
      const gate = new Gate(keyOf)
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, ids(["a", 3], ["b", 3])))
      yield* eventually("three starts", Effect.sync(() => gate.started), (started) => started.length >= 3)
      yield* use(passes(gate, "fence"))
      assert.lengthOf(gate.started, 4)
      yield* gate.openAll
      yield* use(Effect.forEach(ids(["a", 3], ["b", 3]), (id) => reaches(id, "SUCCESS")))
      assert.isAtMost(gate.most.get("a")!, 2)
      assert.isAtMost(gate.most.get("b")!, 2)
    })
  )

  claim(
    "a partition may have a rate of its own",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { partitioned: { rateLimit: { limit: 1, period: "1 hour" } } })
      const gate = new Gate(keyOf)
      yield* gate.openAll
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, ids(["a", 2], ["b", 2])))
      yield* use(Effect.forEach(["a-0", "b-0"], (id) => reaches(id, "SUCCESS")))
      yield* use(passes(gate, "fence"))
      assert.lengthOf(gate.started, 3)
      yield* given.store.adjustClock(hour)
      yield* use(Effect.forEach(["a-1", "b-1"], (id) => reaches(id, "SUCCESS")))
    })
  )

  claim(
    "a suspended workflow keeps its key to itself",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { partitioned: true })
      const Sleeper = Workflow.make("Sleeper")
      const gate = new Gate(keyOf)
      yield* gate.openAll
      const live = Sleeper.toLayer(() => Effect.sleep("1 day"))
      const { use } = yield* given.engine([live, gate.live], unpolled)
      yield* use(queue.enqueue(Sleeper, undefined, { workflowId: "sleeper", partitionKey: "a" }))
      yield* use(suspends("sleeper"))
      yield* use(enqueue(queue, ["a-0", "b-0"]))
      yield* use(reaches("b-0", "SUCCESS"))
      assert.strictEqual((yield* given.store.get("a-0"))?.status, "ENQUEUED")
      yield* given.store.adjustClock(day)
      yield* use(reaches("a-0", "SUCCESS"))
    })
  )

  claim(
    "the first of a key holds it up while nobody has its code; other keys go on",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { partitioned: true })
      const Foreign = Workflow.make("Foreign")
      const gate = new Gate(keyOf)
      yield* gate.openAll
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(queue.enqueue(Foreign, undefined, { workflowId: "foreign", partitionKey: "a" }))
      yield* use(enqueue(queue, ["a-0", "b-0"]))
      yield* use(reaches("b-0", "SUCCESS"))
      assert.strictEqual((yield* given.store.get("a-0"))?.status, "ENQUEUED")
      const other = yield* given.engine(Foreign.toLayer(() => Effect.void), unpolled)
      yield* other.use(reaches("a-0", "SUCCESS"))
    })
  )

  claim(
    "a cancelled workflow frees its key",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { partitioned: true })
      const gate = new Gate(keyOf)
      const { use } = yield* given.engine(gate.live, unpolled)
      yield* use(enqueue(queue, ids(["a", 3])))
      yield* gate.has("a-0")
      yield* use(Client.cancel(["a-1", "a-0"]))
      yield* gate.has("a-2")
      assert.deepStrictEqual(gate.started, ["a-0", "a-2"])
    })
  )

  claim(
    "a deduplication id works together with a key",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("parted", { partitioned: true })
      const gate = new Gate(keyOf)
      const { use } = yield* given.engine(gate.live, unpolled)
      const options = { partitionKey: "a", deduplicationId: "d" }
      const [first, second] = yield* use(Effect.all([
        queue.enqueue(Task, { id: "a-0" }, options),
        queue.enqueue(Task, { id: "a-1" }, options)
      ]))
      assert.strictEqual(first.workflowId, second.workflowId)
      yield* gate.openAll
      assert.strictEqual(yield* use(second.result), "a-0")
    })
  )
})
