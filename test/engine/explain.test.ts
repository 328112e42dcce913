/** What a workflow waits for, and what would wake it: for every state that one can be in. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { start } from "../conformance/builders.ts"
import { onBothStores } from "./harness.ts"
import { eventually, Log, reaches, reasonOf, recorded, suspends } from "./observing.ts"

const hour = 3_600_000
const Long = Workflow.make("Long")
const Quick = Workflow.make("Quick", { success: Schema.Number })
const long = Long.toLayer(() => Effect.sleep("1 day"))
const quick = Quick.toLayer(() => Effect.succeed(1))

const Approval = Message.make("approval")
const Ready = WorkflowEvent.make("ready", { value: Schema.Number })
const Lines = WorkflowStream.make("lines", { value: Schema.String })
const Waiter = Workflow.make("Waiter", { payload: { what: Schema.String } })
const waiter = Waiter.toLayer(Effect.fnUntraced(function*({ what }) {
  if (what === "message") yield* Approval.receive()
  if (what === "limited") yield* Approval.receive({ timeout: "2 hours" })
  if (what === "result") yield* Long.handle("long").result
  if (what === "event") yield* Ready.get("long")
  if (what === "stream") yield* Stream.runDrain(Lines.read("long"))
}))

const why = (id: string) => Effect.map(Client.explain(id), (explanation) => explanation.why)

onBothStores("explain", (claim) => {
  claim(
    "tells of what is done, how it ended and when",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(quick)
      yield* use(Quick.execute(undefined, { workflowId: "w" }))
      const explanation = yield* use(Client.explain("w"))
      assert.deepStrictEqual(explanation.why, { _tag: "Done", status: "SUCCESS" })
      assert.deepStrictEqual(explanation.since, (yield* use(Client.get("w"))).completedAt)
      assert.match(explanation.text, /SUCCESS/)
      assert.strictEqual((yield* reasonOf(use(Client.explain("nowhere"))))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "tells who runs it, whether here or elsewhere",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Long.toLayer(() => Effect.asVoid(Step.run("hangs", Effect.andThen(log.add("began"), Effect.never))))
      const { use } = yield* given.engine(live, { executorId: "one" })
      const client = yield* given.client
      yield* use(Long.start(undefined, { workflowId: "w", timeout: "1 hour" }))
      yield* log.has("began")
      assert.deepStrictEqual(yield* use(why("w")), { _tag: "Running", executorId: "one", here: true, lost: false })
      assert.deepStrictEqual(yield* client.use(why("w")), {
        _tag: "Running",
        executorId: "one",
        here: false,
        lost: false
      })
      const { deadline, text } = yield* client.use(Client.explain("w"))
      assert.isDefined(deadline)
      assert.match(text, /running in "one"/)
    })
  )

  claim(
    "tells a suspended workflow's time, message, result, event or stream",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([long, waiter])
      yield* use(Long.start(undefined, { workflowId: "long" }))
      const all = ["message", "limited", "result", "event", "stream"] as const
      for (const what of all) yield* use(Waiter.start({ what }, { workflowId: what }))
      for (const id of ["long", ...all]) yield* use(suspends(id))
      const waits = (id: string) =>
        Effect.map(use(why(id)), (one) => {
          assert.strictEqual(one._tag, "Suspended")
          return one._tag === "Suspended" ? one.waits : []
        })
      const wakes = (yield* use(Client.get("long"))).waits[0]?.until
      assert.deepStrictEqual(yield* waits("long"), [{ _tag: "Time", until: wakes! }])
      assert.deepStrictEqual(yield* waits("message"), [{ _tag: "Message", topic: "approval", until: undefined }])
      const [limited] = yield* waits("limited")
      assert.strictEqual(limited?._tag, "Message")
      assert.isTrue(limited?._tag === "Message" && limited.until!.getTime() - (yield* given.store.now) <= 2 * hour)
      assert.deepStrictEqual(yield* waits("result"), [{ _tag: "Result", workflowId: "long", status: "PENDING" }])
      assert.deepStrictEqual(yield* waits("event"), [
        { _tag: "Event", workflowId: "long", key: "ready", status: "PENDING", until: undefined }
      ])
      assert.match((yield* use(Client.explain("event"))).text, /event "ready" of "long" \(PENDING\)/)
      assert.deepStrictEqual(yield* waits("stream"), [
        { _tag: "Stream", workflowId: "long", key: "lines", status: "PENDING", until: undefined }
      ])
      assert.match((yield* use(Client.explain("stream"))).text, /stream "lines" of "long" \(PENDING\)/)
    })
  )

  claim(
    "tells until when it is delayed, and in what queue it will wait then",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("later")
      const { use } = yield* given.engine(quick)
      yield* use(Quick.start(undefined, { workflowId: "plain", delay: "1 hour" }))
      yield* use(queue.enqueue(Quick, undefined, { workflowId: "queued", delay: "1 hour" }))
      for (const [id, name] of [["plain", undefined], ["queued", "later"]] as const) {
        const one = yield* use(why(id))
        assert.strictEqual(one._tag, "Delayed")
        if (one._tag !== "Delayed") continue
        assert.strictEqual(one.queue, name)
        const left = one.until!.getTime() - (yield* given.store.now)
        assert.isTrue(left > 0 && left <= hour, String(left))
      }
    })
  )

  claim(
    "tells its place in a queue, and which of the queue's limits holds it",
    Effect.fnUntraced(function*(given) {
      const one = WorkflowQueue.make("one", { concurrency: 1 })
      const rated = WorkflowQueue.make("rated", { rateLimit: { limit: 1, period: "1 day" } })
      const keyed = WorkflowQueue.make("keyed", { partitioned: true })
      const { use } = yield* given.engine(long, { executorId: "e" })
      yield* use(
        eventually("what it serves to be told", Client.executors, (all) => all.some((one) => one.served.length > 0))
      )
      for (const id of ["a", "b", "c"]) yield* use(one.enqueue(Long, undefined, { workflowId: id }))
      for (const id of ["ra", "rb"]) yield* use(rated.enqueue(Long, undefined, { workflowId: id }))
      for (const id of ["ka", "kb"]) {
        yield* use(keyed.enqueue(Long, undefined, { workflowId: id, partitionKey: "k" }))
      }
      for (const id of ["a", "ra", "ka"]) yield* use(suspends(id))
      const queued = (id: string) =>
        Effect.map(use(why(id)), (found) => {
          assert.strictEqual(found._tag, "Queued", JSON.stringify(found))
          return found._tag === "Queued" ? [found.queue, found.before, found.holds, found.servedBy] as const : []
        })
      const servedBy = [{ executorId: "e", version: "" }]
      assert.deepStrictEqual(yield* queued("b"), ["one", 0, ["concurrency"], servedBy])
      assert.deepStrictEqual(yield* queued("c"), ["one", 1, ["concurrency", "others before it"], servedBy])
      assert.deepStrictEqual(yield* queued("rb"), ["rated", 0, ["rateLimit"], servedBy])
      assert.deepStrictEqual(yield* queued("kb"), ["keyed", 0, ["partition concurrency"], servedBy])
      yield* use(Client.queues.pause("one"))
      assert.deepStrictEqual(yield* queued("b"), ["one", 0, ["paused", "concurrency"], servedBy])
    })
  )

  claim(
    "tells that no living executor has its name, its version or its queue, and what there is",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("unserved")
      const client = yield* given.client
      yield* client.use(Long.start(undefined, { workflowId: "nobody" }))
      const nobody = yield* client.use(Client.explain("nobody"))
      assert.deepStrictEqual([nobody.why._tag, (nobody.why as any).living], ["NoExecutor", []])
      assert.match(nobody.text, /No executor lives/)

      const { use } = yield* given.engine(quick, { executorId: "e", version: "2", queues: [] })
      yield* use(
        eventually("what it serves to be told", Client.executors, (all) => all.some((one) => one.served.length > 0))
      )
      yield* use(Quick.start(undefined, { workflowId: "old", version: "1" }))
      assert.deepStrictEqual(yield* use(why("old")), {
        _tag: "NoExecutor",
        name: "Quick",
        version: "1",
        queue: undefined,
        versions: ["2"],
        living: [{ executorId: "e", version: "2" }]
      })
      assert.match((yield* use(Client.explain("old"))).text, /version "1".*version "2"/)
      assert.match((yield* use(Client.explain("nobody"))).text, /none has this name/)
      yield* use(queue.enqueue(Quick, undefined, { workflowId: "queued" }))
      const queued = yield* use(why("queued"))
      assert.deepStrictEqual([queued._tag, (queued as any).queue], ["NoExecutor", "unserved"])
    })
  )

  claim(
    "tells what a blocked workflow's code and history disagree about",
    Effect.fnUntraced(function*(given) {
      const live = (name: string) => Long.toLayer(() => Effect.andThen(Step.run(name, Effect.void), Effect.never))
      const first = yield* given.engine(live("a"))
      yield* first.use(Long.start(undefined, { workflowId: "w" }))
      yield* first.use(recorded("w", 1))
      yield* first.close
      const { use } = yield* given.engine(live("b"))
      yield* use(reaches("w", "BLOCKED"))
      const { text, why } = yield* use(Client.explain("w"))
      assert.strictEqual(why._tag, "Blocked")
      assert.include((why as any).expected, "\"a\"")
      assert.include((why as any).actual, "\"b\"")
      assert.match(text, /expected step "a".*found step "b"/)
    })
  )

  claim(
    "tells that its owner is lost, and that another takes it over",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const { store } = given
      yield* store.join({ incarnation: "i", executorId: "gone", version: "" }, hour)
      yield* store.write([start({ workflowId: "w", name: "Long", version: "", owner: "i" })])
      assert.deepInclude(yield* use(why("w")), { _tag: "Running", executorId: "gone", lost: false })
      yield* store.adjustClock(2 * hour)
      const { text, why: lost } = yield* use(Client.explain("w"))
      assert.deepStrictEqual(lost, { _tag: "Running", executorId: "gone", here: false, lost: true })
      assert.match(text, /"gone", which is lost/)
    })
  )

  claim(
    "tells how often a dead-lettered workflow's executors were lost, and what takes it out",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const Poison = Workflow.make("Poison", { maxRecoveryAttempts: 1 })
      const live = Poison.toLayer(() =>
        Effect.asVoid(Step.run("poison", Effect.andThen(log.add("poison"), Effect.never)))
      )
      const { use } = yield* given.engine(live, { lease: "1 hour", heartbeat: "100 millis", suspendAfter: "1 day" })
      yield* use(Poison.start(undefined, { workflowId: "w" }))
      for (const times of [1, 2]) {
        yield* log.has("poison", times)
        yield* given.store.adjustClock(2 * hour)
      }
      yield* use(reaches("w", "DEAD_LETTER"))
      const { since, status, text, why: dead } = yield* use(Client.explain("w"))
      assert.deepStrictEqual([status, dead._tag, (dead as any).attempts], ["DEAD_LETTER", "DeadLettered", 2])
      assert.deepStrictEqual(since, (yield* use(Client.get("w"))).completedAt)
      assert.match(text, /resume/)
    })
  )

  claim(
    "tells that rollbacks are to run",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Long.toLayer(() =>
        Effect.andThen(
          Step.run("reserve", Effect.void, { rollback: () => Effect.andThen(log.add("rolls back"), Effect.never) }),
          Effect.sleep("1 day")
        )
      )
      const { use } = yield* given.engine(live)
      yield* use(Long.start(undefined, { workflowId: "w" }))
      yield* use(suspends("w"))
      yield* use(Client.cancel("w"))
      yield* log.has("rolls back")
      const { status, text, why } = yield* use(Client.explain("w"))
      assert.deepStrictEqual([status, why._tag, (why as any).by], ["CANCELLED", "RollingBack", "user"])
      assert.match(text, /rollbacks/)
    })
  )
})
