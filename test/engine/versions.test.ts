/** Which code runs which workflow. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import { unpolled } from "./gate.ts"
import { type Given, onBothStores } from "./harness.ts"
import { eventually, reaches, reasonOf, suspends } from "./observing.ts"

const day = 86_400_000
/** The version of the code that runs it. */
const Which = Workflow.make("Which", { success: Schema.String })
const which = Which.toLayer(() => Effect.map(WorkflowContext.current, (context) => context.applicationVersion ?? ""))
const queue = WorkflowQueue.make("queue")
const engine = (given: Given, version: string, compatible: ReadonlyArray<string> = []) =>
  given.engine(which, { ...unpolled, version, compatible, executorId: `v${version}` })
const statusOf = (given: Given, id: string) => Effect.map(given.store.get(id), (row) => row?.status)

onBothStores("versions", (claim) => {
  claim(
    "a workflow is run by the version that it is of, in a queue and in none",
    Effect.fnUntraced(function*(given) {
      const one = yield* engine(given, "1")
      yield* one.close
      const client = yield* given.client
      const start = Which.start(undefined, { workflowId: "start", version: "1" })
      const enqueue = queue.enqueue(Which, undefined, { workflowId: "enqueue", version: "1" })
      yield* client.use(Effect.all([start, enqueue]))
      const two = yield* engine(given, "2")
      assert.strictEqual(yield* two.use(Which.execute()), "2")
      assert.strictEqual(yield* two.use(Effect.flatMap(queue.enqueue(Which), (handle) => handle.result)), "2")
      assert.deepStrictEqual([yield* statusOf(given, "start"), yield* statusOf(given, "enqueue")], [
        "ENQUEUED",
        "ENQUEUED"
      ])
      const again = yield* engine(given, "1")
      assert.strictEqual(yield* again.use(Which.handle("start").result), "1")
      assert.strictEqual(yield* again.use(Which.handle("enqueue").result), "1")
    })
  )

  claim(
    "what is of no version is run by the latest, and is of it from then on",
    Effect.fnUntraced(function*(given) {
      const one = yield* engine(given, "1")
      const two = yield* engine(given, "2")
      const client = yield* given.client
      const ids = ["a", "b", "c", "d"]
      yield* client.use(Effect.forEach(ids, (workflowId) => queue.enqueue(Which, undefined, { workflowId })))
      yield* one.use(Which.start(undefined, { workflowId: "e", version: "" }))
      const results = yield* two.use(Effect.forEach([...ids, "e"], (id) => Which.handle(id).result))
      assert.deepStrictEqual(results, ["2", "2", "2", "2", "2"])
      assert.strictEqual((yield* given.store.get("a"))?.version, "2")
    })
  )

  claim(
    "one that was the latest takes nothing of no version any more, though it does not know that it was",
    Effect.fnUntraced(function*(given) {
      const one = yield* given.engine(which, { ...unpolled, version: "1", lease: "5 hours" })
      yield* one.use(
        eventually(
          "it to take what is of no version",
          Client.executors,
          ([only]) => only!.served.some(({ version }) => version === "")
        )
      )
      const two = yield* engine(given, "2")
      yield* two.close
      const client = yield* given.client
      yield* client.use(queue.enqueue(Which, undefined, { workflowId: "queued" }))
      yield* client.use(Which.start(undefined, { workflowId: "started" }))
      // what came later, it does take
      yield* one.use(Effect.flatMap(queue.enqueue(Which), (handle) => handle.result))
      yield* one.use(Which.execute(undefined, { delay: "1 milli" }))
      assert.deepStrictEqual(
        [yield* statusOf(given, "queued"), yield* statusOf(given, "started")],
        ["ENQUEUED", "ENQUEUED"]
      )
      const again = yield* engine(given, "2")
      assert.strictEqual(yield* again.use(Which.handle("queued").result), "2")
      assert.strictEqual(yield* again.use(Which.handle("started").result), "2")
    })
  )

  claim(
    "an operator can make an older version the latest again",
    Effect.fnUntraced(function*(given) {
      yield* engine(given, "1")
      const two = yield* engine(given, "2")
      assert.isTrue(yield* given.store.setLatestVersion("1"))
      const handle = yield* two.use(queue.enqueue(Which, undefined, { version: "" }))
      assert.strictEqual(yield* two.use(handle.result), "1")
    })
  )

  claim(
    "code that calls itself compatible runs what is of another version, and goes on with it",
    Effect.fnUntraced(function*(given) {
      const Long = Workflow.make("Long", { success: Schema.Array(Schema.String) })
      const body = Long.toLayer(() =>
        Effect.gen(function*() {
          const version = Effect.map(WorkflowContext.current, (context) => context.applicationVersion ?? "")
          const before = yield* Step.run("before", version)
          yield* Effect.sleep("1 day")
          return [before, yield* Step.run("after", version)]
        })
      )
      const one = yield* given.engine(body, { ...unpolled, version: "1" })
      yield* one.use(Long.start(undefined, { workflowId: "long" }))
      yield* one.use(suspends("long"))
      yield* one.close
      const client = yield* given.client
      yield* client.use(queue.enqueue(Long, undefined, { workflowId: "fresh", version: "1" }))
      const two = yield* given.engine(body, { ...unpolled, version: "2", compatible: ["1"] })
      yield* two.use(suspends("fresh"))
      yield* given.store.adjustClock(day)
      assert.deepStrictEqual(yield* two.use(Long.handle("long").result), ["1", "2"])
      assert.deepStrictEqual(yield* two.use(Long.handle("fresh").result), ["2", "2"])
      assert.strictEqual((yield* given.store.get("long"))?.version, "1")
    })
  )

  claim(
    "children are of the version of the code that starts them",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.String })
      const parent = Parent.toLayer(() => Effect.orDie(Which.execute()))
      const client = yield* given.client
      yield* client.use(Parent.start(undefined, { workflowId: "p", version: "1" }))
      const two = yield* given.engine([which, parent], { ...unpolled, version: "2", compatible: ["1"] })
      assert.strictEqual(yield* two.use(Parent.handle("p").result), "2")
      assert.deepStrictEqual(
        [(yield* given.store.get("p"))?.version, (yield* given.store.get("p-0"))?.version],
        ["1", "2"]
      )
    })
  )

  claim(
    "the store is told what an executor serves, and told again when that changes",
    Effect.fnUntraced(function*(given) {
      yield* given.engine(which, { ...unpolled, version: "2", compatible: ["1"], queues: [queue] })
      const [executor] = yield* eventually(
        "what is served",
        given.store.executors,
        ([one]) => one !== undefined && one.served.length === 3
      )
      assert.deepStrictEqual(executor!.served.map(({ name, version }) => `${name} ${version}`).sort(), [
        "Which ",
        "Which 1",
        "Which 2"
      ])
      assert.include(executor!.queues ?? [], "queue")
      const other = yield* given.engine([], { ...unpolled, version: "3" })
      yield* other.use(eventually(
        "the older one to serve no unpinned ones",
        given.store.executors,
        (all) => all.find((one) => one.version === "2")?.served.length === 2
      ))
    })
  )

  claim(
    "a version that cannot be stored is refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      for (const version of ["x".repeat(257), "a\nb"]) {
        assert.strictEqual((yield* reasonOf(use(Which.start(undefined, { version })))).argument, "version")
        const engine = given.engine([], { compatible: [version] })
        assert.strictEqual((yield* reasonOf(engine)).argument, "compatible version")
      }
    })
  )
})

onBothStores("attributes", (claim) => {
  claim(
    "attributes are stored with the workflow, and not with its children",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.String })
      const parent = Parent.toLayer(() => Effect.orDie(Which.execute()))
      const { use } = yield* given.engine([which, parent])
      const attributes: Record<string, string | number | boolean> = {
        tenant: "t1",
        size: 3,
        urgent: true,
        ["__proto__"]: "data"
      }
      yield* use(Parent.execute(undefined, { workflowId: "p", attributes }))
      assert.deepStrictEqual({ ...(yield* given.store.get("p"))?.attributes }, attributes)
      assert.deepStrictEqual({ ...(yield* given.store.get("p-0"))?.attributes }, {})
      yield* use(queue.enqueue(Which, undefined, { workflowId: "q", attributes: { tenant: "t1" } }))
      yield* use(reaches("q", "SUCCESS"))
      const found = yield* given.store.list({ order: "asc", limit: 10, attributes: { tenant: "t1" } })
      assert.deepStrictEqual(found.map((row) => row.workflowId), ["p", "q"])
      assert.strictEqual((yield* use(Client.get("q"))).status, "SUCCESS")
    })
  )

  claim(
    "attributes that cannot be stored and found are refused",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const bad: ReadonlyArray<any> = [
        "text",
        null,
        [1],
        { "": 1 },
        { a: undefined },
        { a: null },
        { a: {} },
        { a: Number.NaN },
        { a: 1n },
        { a: "x".repeat(1025) },
        { a: "\0" },
        { a: "\ud800" },
        { ["x".repeat(257)]: 1 },
        Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`a${n}`, n]))
      ]
      for (const attributes of bad) {
        const reason = yield* reasonOf(use(Which.start(undefined, { attributes })))
        assert.strictEqual(reason._tag, "InvalidArgument")
        assert.include(reason.argument, "attribute")
      }
      assert.strictEqual(yield* Effect.map(given.store.list({ order: "asc", limit: 10 }), (rows) => rows.length), 0)
    })
  )
})
