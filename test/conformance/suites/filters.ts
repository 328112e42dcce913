import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ListFilter, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, childOf, fail, record, start, succeed } from "../builders.ts"
import { limits, perKey, place } from "../queues.ts"
import {
  acknowledge,
  cancel,
  claimIds,
  claimUntil,
  join,
  lapse,
  recorded,
  rounds,
  startOwned,
  submit,
  sweep
} from "../verbs.ts"

const idsOf = (store: StoreService, filter: Partial<ListFilter>) =>
  Effect.map(
    store.list({ order: "asc", limit: 100, ...filter }),
    (rows) => rows.map(({ workflowId }) => workflowId).sort()
  )

const countOf = (store: StoreService, filter: Partial<ListFilter>) =>
  store.count({ order: "asc", limit: 100, ...filter })

/** What a list shows is what is counted. */
const shows = Effect.fnUntraced(function*(
  store: StoreService,
  filter: Partial<ListFilter>,
  ids: ReadonlyArray<string>
) {
  assert.deepStrictEqual(yield* idsOf(store, filter), ids)
  assert.strictEqual(yield* countOf(store, filter), ids.length)
})

export const filters: Suite = (claim) => {
  claim("by ids, of which some may be unknown", ({ store }) =>
    Effect.gen(function*() {
      for (const workflowId of ["a", "b", "c"]) yield* submit(store, start({ workflowId }))
      yield* shows(store, { ids: ["c", "nobody", "a"] }, ["a", "c"])
      yield* shows(store, { ids: ["b"] }, ["b"])
      yield* shows(store, { ids: [] }, [])
      yield* shows(store, {}, ["a", "b", "c"])
    }))

  claim(
    "shows them without their values where it is asked to, but for how they failed",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["bad", "good"]) yield* submit(store, start({ workflowId: id, owner: "i", payload: "[1]" }))
        yield* recorded(store, advance("bad", 1, { end: fail }))
        yield* recorded(store, advance("good", 1, { end: succeed }))
        const rows = yield* store.list({ ids: ["bad", "good"], order: "asc", limit: 10, values: false })
        const values = rows.map(({ output, payload, workflowId }) => [workflowId, payload, output])
        assert.sameDeepMembers(values, [["bad", "null", fail.output], ["good", "null", null]])
        const whole = yield* store.list({ ids: ["good"], order: "asc", limit: 10 })
        assert.deepStrictEqual([whole[0]!.payload, whole[0]!.output], ["[1]", succeed.output])
        assert.deepStrictEqual(
          rows.map((row) => ({ ...row, payload: "", output: "" })).find(({ workflowId }) => workflowId === "good"),
          { ...whole[0]!, payload: "", output: "" }
        )
      })
  )

  claim(
    "by how they did not end well, whatever brought them there, as long as they are there",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["bad", "gone", "undone", "lost", "over"]) {
          yield* submit(store, start({ workflowId: id, owner: "i", maxRecoveryAttempts: 0 }))
        }
        yield* recorded(store, advance("undone", 1, { records: [record(0, { rollback: true })] }))
        yield* recorded(store, advance("bad", 1, { end: fail }))
        yield* cancel(store, ["gone", "undone"])
        // Its rollbacks are still to run.
        yield* shows(store, { status: ["CANCELLED"] }, ["gone", "undone"])
        yield* acknowledge(store, "i")
        yield* store.resume(["gone"])
        yield* shows(store, { status: ["CANCELLED"] }, ["undone"])
        yield* lapse(store)
        yield* sweep(store)
        yield* shows(store, { status: ["DEAD_LETTER"] }, ["lost", "over"])
        yield* shows(store, { status: ["ERROR", "DEAD_LETTER"], names: ["Order"] }, ["bad", "lost", "over"])
        yield* shows(store, { status: ["ERROR", "ENQUEUED", "PENDING", "CANCELLED"] }, ["bad", "gone", "undone"])
        yield* store.resume(["lost"])
        yield* cancel(store, ["lost"])
        yield* shows(store, { status: ["CANCELLED"] }, ["lost", "undone"])
        yield* store.delete(["bad", "over"], { children: false })
        yield* shows(store, { status: ["ERROR", "DEAD_LETTER"] }, [])
        assert.strictEqual(yield* store.count({ status: ["CANCELLED"], order: "asc", limit: 10 }), 2)
      })
  )

  claim("by status, of which some mean that it is done and some that it is not", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const id of ["good", "bad", "gone", "running"]) yield* startOwned(store, id, "i")
      yield* submit(store, start({ workflowId: "waits" }))
      yield* submit(store, start({ workflowId: "later", delayMs: 1e9 }))
      yield* recorded(store, advance("good", 1, { end: succeed }))
      yield* recorded(store, advance("bad", 1, { end: fail }))
      yield* cancel(store, ["gone"])
      yield* shows(store, { status: ["SUCCESS", "ERROR"] }, ["bad", "good"])
      yield* shows(store, { status: ["PENDING"] }, ["running"])
      yield* shows(store, { status: ["DELAYED", "ENQUEUED"] }, ["later", "waits"])
      yield* shows(store, { status: ["CANCELLED", "PENDING"] }, ["gone", "running"])
      yield* shows(store, { status: ["BLOCKED"] }, [])
      yield* shows(store, { status: [] }, [])
    }))

  claim("by parent, and by having one", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const id of ["p", "q"]) {
        yield* startOwned(store, id, "i")
        yield* recorded(store, advance(id, 1, { records: [record(0)], children: [childOf(id, 0), childOf(id, 1)] }))
      }
      yield* shows(store, { parentId: "q" }, ["q-0", "q-1"])
      yield* shows(store, { hasParent: true }, ["p-0", "p-1", "q-0", "q-1"])
      yield* shows(store, { hasParent: false }, ["p", "q"])
      yield* shows(store, { hasParent: false, parentId: "p" }, [])
    }))

  claim("by name, version, user and executor", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* join(store, "j")
      yield* submit(store, start({ workflowId: "a", version: "1", user: "ada" }))
      yield* submit(store, start({ workflowId: "b", version: "2", user: "Ada", name: "Other" }))
      yield* submit(store, start({ workflowId: "c", version: "", name: "Third" }))
      yield* startOwned(store, "mine", "i", { version: "3" })
      yield* startOwned(store, "theirs", "j", { version: "3", user: "ada" })
      yield* recorded(store, advance("theirs", 1, { end: succeed }))
      yield* shows(store, { versions: ["1", "2"] }, ["a", "b"])
      yield* shows(store, { versions: [""] }, ["c"])
      yield* shows(store, { user: "ada" }, ["a", "theirs"])
      yield* shows(store, { names: ["Other", "Third", "Nobody"] }, ["b", "c"])
      yield* shows(store, { executorId: "executor of j" }, ["theirs"])
      yield* shows(store, { executorId: "executor of i", versions: ["3"] }, ["mine"])
    }))

  claim(
    "by queue, partition, deduplication id and schedule, also when it has left the queue",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* store.registerQueue("q", limits())
        yield* store.registerQueue("r", limits({ partitioned: perKey() }))
        yield* submit(store, start({ workflowId: "none" }))
        yield* submit(store, start({ workflowId: "q1", queue: place({ deduplicationId: "d" }) }))
        yield* submit(store, start({ workflowId: "r1", queue: place({ queue: "r", partitionKey: "x" }) }))
        yield* submit(store, start({ workflowId: "r2", queue: place({ queue: "r", partitionKey: "y" }) }))
        yield* submit(store, start({ workflowId: "s1", schedule: { name: "s", at: 1 } }))
        const { row } = yield* claimUntil(store, "i", "q1")
        yield* recorded(store, advance("q1", row.epoch, { end: succeed }))
        yield* shows(store, { queues: ["q"] }, ["q1"])
        yield* shows(store, { queues: ["q", "r"] }, ["q1", "r1", "r2"])
        yield* shows(store, { queued: true }, ["q1", "r1", "r2"])
        yield* shows(store, { queued: false }, ["none", "s1"])
        yield* shows(store, { partitionKey: "y" }, ["r2"])
        yield* shows(store, { deduplicationId: "d", queues: ["q"] }, ["q1"])
        yield* shows(store, { scheduleName: "s" }, ["s1"])
      })
  )

  claim(
    "by when it was made, began and ended: from a time on, and before a time",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        for (const id of ["a", "b", "c"]) {
          yield* submit(store, start({ workflowId: id }))
          yield* store.adjustClock(1_000)
        }
        for (const id of ["a", "b", "c"]) {
          assert.deepStrictEqual(yield* claimIds(store, "i", { limit: 1 }), [id])
          yield* store.adjustClock(1_000)
          yield* recorded(store, advance(id, 1, { end: succeed }))
          yield* store.adjustClock(1_000)
        }
        yield* submit(store, start({ workflowId: "new" }))
        const b = (yield* store.get("b"))!
        yield* shows(store, { createdFrom: b.createdAt }, ["b", "c", "new"])
        yield* shows(store, { createdTo: b.createdAt }, ["a"])
        yield* shows(store, { startedFrom: b.startedAt! }, ["b", "c"])
        yield* shows(store, { startedTo: b.startedAt! }, ["a"])
        yield* shows(store, { completedFrom: b.completedAt! }, ["b", "c"])
        yield* shows(store, { completedTo: b.completedAt! }, ["a"])
        yield* shows(store, { completedFrom: b.completedAt!, completedTo: b.completedAt! }, [])
      })
  )

  claim("by attributes, all of them, each with its type", ({ store }) =>
    Effect.gen(function*() {
      const given = {
        a: { customer: "ada", size: 1, urgent: true },
        b: { customer: "ada", size: "1" },
        c: { customer: "Ada", "a key": "\u{1F600}", urgent: "true" },
        d: {}
      }
      for (const [workflowId, attributes] of Object.entries(given)) {
        yield* submit(store, start({ workflowId, attributes }))
        assert.deepStrictEqual((yield* store.get(workflowId))!.attributes, attributes)
      }
      yield* shows(store, { attributes: { customer: "ada" } }, ["a", "b"])
      yield* shows(store, { attributes: { size: 1 } }, ["a"])
      yield* shows(store, { attributes: { size: "1" } }, ["b"])
      yield* shows(store, { attributes: { urgent: true, customer: "ada" } }, ["a"])
      yield* shows(store, { attributes: { urgent: true, customer: "Ada" } }, [])
      yield* shows(store, { attributes: { "a key": "\u{1F600}" } }, ["c"])
      yield* shows(store, { attributes: {} }, ["a", "b", "c", "d"])
      yield* shows(store, { attributes: { customer: "ada" }, ids: ["b", "d"] }, ["b"])
    }))

  claim("a count goes up to its limit, and looks at nothing before a page", ({ store }) =>
    Effect.gen(function*() {
      yield* store.write(rounds(30).map((round) => start({ workflowId: `w${round}` })))
      assert.strictEqual(yield* countOf(store, { limit: 1_000 }), 30)
      assert.strictEqual(yield* countOf(store, { limit: 7 }), 7)
      assert.strictEqual(yield* countOf(store, { limit: 1_000, idPrefix: "w1" }), 11)
    }))

  claim("many filters at once narrow to what fits all of them", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const [index, workflowId] of ["a", "b", "c", "d"].entries()) {
        yield* submit(
          store,
          start({ workflowId, user: index % 2 === 0 ? "ada" : "bob", attributes: { n: index < 2 ? 1 : 2 } })
        )
      }
      yield* shows(store, { user: "ada", attributes: { n: 2 }, status: ["ENQUEUED"], names: ["Order"] }, ["c"])
      const [first] = yield* store.list({ order: "desc", limit: 1, user: "bob" })
      assert.strictEqual(first!.workflowId, "d")
      const { createdAt, workflowId } = first!
      const [second] = yield* store.list({ order: "desc", limit: 9, user: "bob", after: { createdAt, workflowId } })
      assert.strictEqual(second!.workflowId, "b")
    }))
}
