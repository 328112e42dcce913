import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import {
  advance,
  attempt,
  block,
  childOf,
  deliver,
  entry,
  event,
  fail,
  record,
  release,
  send,
  start,
  succeed,
  suspend
} from "../builders.ts"
import {
  acknowledge,
  cancel,
  claimUntil,
  historyOf,
  isDue,
  join,
  race,
  recorded,
  rounds,
  startDone,
  startOwned,
  submit
} from "../verbs.ts"

const remove = (store: StoreService, workflowIds: ReadonlyArray<string>, children = false) =>
  store.delete(workflowIds, { children })

const exists = (store: StoreService, ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (id) => Effect.map(store.get(id), (row) => row !== null))

/** `p` with the children `p-0` and (detached) `p-1`, and `p-0` with `p-0-0`; all owned by `i`. */
const family = Effect.fnUntraced(function*(store: StoreService) {
  yield* join(store, "i")
  yield* startOwned(store, "p", "i")
  const children = [childOf("p", 0, { owner: "i" }), childOf("p", 1, { owner: "i", detached: true })]
  yield* recorded(store, advance("p", 1, { records: [record(0), record(1)], children }))
  yield* recorded(store, advance("p-0", 1, { records: [record(0)], children: [childOf("p-0", 0, { owner: "i" })] }))
})

const end = (store: StoreService, ...ids: ReadonlyArray<string>) =>
  Effect.forEach(ids, (id) => recorded(store, advance(id, 1, { end: succeed })))

export const deleting: Suite = (claim) => {
  claim(
    "who owned a deleted workflow writes nothing to another one of its id",
    ({ sql, store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "other", "i")
        yield* submit(store, deliver(send("other", "m")))
        yield* startOwned(store, "w", "i", { epoch: 41 })
        yield* recorded(store, advance("w", 41, { records: [record(0)], end: succeed }))
        yield* remove(store, ["w"])
        yield* startOwned(store, "w", "i", { epoch: 50 })
        yield* submit(store, deliver(send("w", "m")))
        const writes: ReadonlyArray<Parameters<typeof advance>[2]> = [
          {},
          { records: [record(0)] },
          { records: [record(1)] },
          { attempts: [attempt(1, 0)] },
          { children: [childOf("w", 1, { owner: "i" })] },
          { sends: [send("other", "n")] },
          { consumes: [{ seq: 1, stepId: 1 }] },
          { events: [event("e", "1")] },
          { entries: [entry(0)] },
          { records: [record(1)], supersedes: [{ stepId: 1, attempt: 1 }] },
          ...[succeed, fail, suspend({ inbox: 1 }), block, release].flatMap((
            end
          ) => [{ end }, { records: [record(0)], end }])
        ]
        for (const write of writes) {
          assert.deepStrictEqual(
            yield* submit(store, advance("w", 41, write)),
            { _tag: "Fenced" },
            JSON.stringify(write)
          )
        }
        const pay = store.transaction(
          "w",
          41,
          Effect.succeed(5),
          () => Effect.succeed(record(1, { kind: "transaction" })),
          {
            isolation: undefined,
            timeoutMs: 60_000
          }
        )
        const why = yield* Effect.flip(Effect.provideService(pay, SqlClient, sql))
        assert.deepInclude(why, { _tag: "TransactionAborted", why: "fenced" })
        assert.deepInclude(yield* store.get("w"), { status: "PENDING", epoch: 50, output: null })
        assert.deepStrictEqual(
          [yield* historyOf(store, "w"), yield* store.steps("w"), yield* store.events("w"), yield* store.streams("w")],
          [[], [], [], []]
        )
        assert.isNull(yield* store.get("w-1"))
        for (const id of ["w", "other"]) {
          assert.lengthOf(yield* store.messages(id, { topic: null, limit: 9 }), 1)
        }
        yield* recorded(store, advance("w", 50, { records: [record(0)], end: succeed }))
      })
  )

  claim(
    "a workflow that nobody owned, and a fork, begin with the epoch that they are given",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* submit(store, start({ workflowId: "w", epoch: 41 }))
        assert.isAbove((yield* claimUntil(store, "i", "w")).row.epoch, 41)
        yield* store.fork({
          sourceId: "w",
          workflowId: "f",
          token: "t",
          epoch: 61,
          fromStep: 0,
          version: null,
          payload: null,
          timeoutMs: null
        })
        assert.isAbove((yield* claimUntil(store, "i", "f")).row.epoch, 61)
      })
  )

  claim(
    "a done workflow goes with everything that is stored of it, and its id is free",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* startOwned(store, "w", "i", { attributes: { a: 1 }, timeoutMs: 1e9 })
        yield* submit(store, deliver(send("w", "m")))
        yield* recorded(
          store,
          advance("w", 1, {
            records: [record(0)],
            attempts: [attempt(0, 0)],
            events: [event("e", "1")],
            entries: [entry(0)],
            end: succeed
          })
        )
        assert.deepStrictEqual(yield* remove(store, ["w"]), [{ workflowId: "w", result: "deleted" }])
        assert.isNull(yield* store.get("w"))
        assert.deepStrictEqual((yield* store.outcomes(["w"])).unknown, ["w"])
        yield* startOwned(store, "w", "i")
        assert.deepStrictEqual((yield* store.get("w"))!.attributes, {})
        assert.deepStrictEqual(
          [
            yield* historyOf(store, "w"),
            yield* store.steps("w"),
            yield* store.messages("w", { topic: null, limit: 9, consumed: true }),
            yield* store.events("w"),
            yield* store.streams("w"),
            yield* store.list({ attributes: { a: 1 }, order: "asc", limit: 9 })
          ],
          [[], [], [], [], [], []]
        )
      })
  )

  claim(
    "what is not done, or not there, is not deleted; each id is answered, in order",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* submit(store, start({ workflowId: "enqueued" }))
        for (const id of ["running", "undoing"]) yield* startOwned(store, id, "i")
        yield* recorded(store, advance("undoing", 1, { records: [record(0, { rollback: true })] }))
        yield* cancel(store, ["undoing"])
        yield* startDone(store, "done", "i")
        const ids = ["done", "nobody", "running", "enqueued", "undoing", "done"]
        assert.deepStrictEqual(yield* remove(store, ids), [
          { workflowId: "done", result: "deleted" },
          { workflowId: "nobody", result: "unknown" },
          { workflowId: "running", result: "running", status: "PENDING" },
          { workflowId: "enqueued", result: "running", status: "ENQUEUED" },
          { workflowId: "undoing", result: "running", status: "CANCELLED" },
          { workflowId: "done", result: "deleted" }
        ])
        assert.deepStrictEqual(yield* exists(store, ...ids), [false, false, true, true, true, false])
        assert.deepStrictEqual(yield* remove(store, []), [])
      })
  )

  claim("without children these stay", ({ store }) =>
    Effect.gen(function*() {
      yield* family(store)
      yield* end(store, "p")
      assert.deepStrictEqual(yield* remove(store, ["p"]), [{ workflowId: "p", result: "deleted" }])
      assert.deepStrictEqual(yield* exists(store, "p", "p-0", "p-1", "p-0-0"), [false, true, true, true])
      yield* end(store, "p-0", "p-0-0")
    }))

  claim("with children these go too, however deep, detached ones too", ({ store }) =>
    Effect.gen(function*() {
      yield* family(store)
      yield* end(store, "p", "p-0", "p-0-0", "p-1")
      yield* startDone(store, "other", "i")
      assert.deepStrictEqual(yield* remove(store, ["p-0", "p"], true), [
        { workflowId: "p-0", result: "deleted" },
        { workflowId: "p", result: "deleted" }
      ])
      assert.deepStrictEqual(yield* exists(store, "p", "p-0", "p-1", "p-0-0", "other"), [
        false,
        false,
        false,
        false,
        true
      ])
    }))

  claim("with a child that is not done nothing goes", ({ store }) =>
    Effect.gen(function*() {
      yield* family(store)
      yield* end(store, "p", "p-0", "p-1")
      assert.deepStrictEqual(yield* remove(store, ["p"], true), [
        { workflowId: "p", result: "running", status: "PENDING" }
      ])
      assert.deepStrictEqual(yield* exists(store, "p", "p-0", "p-1", "p-0-0"), [true, true, true, true])
    }))

  claim("more than a thousand at once are deleted", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      const ids = rounds(1_500).map((round) => `w${round}`)
      yield* store.write(ids.map((workflowId) => start({ workflowId, owner: "i" })))
      yield* store.write(ids.map((id) => advance(id, 1, { records: [record(0)], end: succeed })))
      const answers = yield* remove(store, ids)
      assert.isTrue(answers.length === 1_500 && answers.every(({ result }) => result === "deleted"))
      assert.strictEqual(yield* store.count({ order: "asc", limit: 9 }), 0)
    }))

  claim("who would wait for one that is deleted is told to look", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startDone(store, "gone", "i")
      yield* startOwned(store, "w", "i")
      yield* remove(store, ["gone"])
      const answer = yield* submit(store, advance("w", 1, { end: suspend({ awaiting: ["gone"] }) }))
      assert.strictEqual(answer._tag, "Stirred")
      assert.isFalse(yield* isDue(store, "gone"))
    }))

  claim("of a resumption and a deletion at the same time one is made", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(50)) {
        const id = `w${round}`
        yield* startOwned(given.store, id, "i")
        yield* recorded(given.store, advance(id, 1, { records: [record(0)] }))
        yield* cancel(given.store, [id])
        yield* acknowledge(given.store, "i")
        const [[deleted], [resumed]] = yield* race(round, remove(given.store, [id]), other.store.resume([id]))
        const there = yield* given.store.get(id)
        assert.strictEqual(deleted!.result === "deleted", there === null)
        assert.strictEqual(resumed!.result === "resumed", there !== null)
        assert.lengthOf(yield* historyOf(given.store, id), there === null ? 0 : 1)
      }
    }))
}
