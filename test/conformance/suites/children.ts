import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { Suite } from "../Backend.ts"
import { advance, childOf, record, records, start, succeed } from "../builders.ts"
import { historyOf, join, race, recorded, rounds, startOwned, submit, write } from "../verbs.ts"

const started = { _tag: "Started" } as const

export const children: Suite = (claim) => {
  claim("a child and its parent's record are written together", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      const child = childOf("p", 0, { owner: "i", detached: true, payload: "7", user: "ada", roles: ["r"] })
      const enqueued = childOf("p", 1)
      const answer = yield* recorded(
        store,
        advance("p", 1, {
          records: [record(0, { kind: "child", childId: "p-0" }), record(1, { kind: "child", childId: "p-1" })],
          children: [child, enqueued]
        })
      )
      assert.deepStrictEqual(answer.children, [started, started])
      const row = (yield* store.get("p-0"))!
      assert.deepStrictEqual(
        [row.parentId, row.parentStepId, row.detached, row.status, row.epoch, row.payload, row.user, row.roles],
        ["p", 0, true, "PENDING", 1, "7", "ada", ["r"]]
      )
      assert.deepStrictEqual((yield* store.get("p-1"))!.status, "ENQUEUED")
      assert.deepStrictEqual((yield* historyOf(store, "p")).map(({ childId }) => childId), ["p-0", "p-1"])
    }))

  claim("children submitted again are Started again and are there once", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      const starts = advance("p", 1, { records: records(0, 2), children: [childOf("p", 0), childOf("p", 1)] })
      const answer = { _tag: "Recorded", children: [started, started] } as const
      assert.deepStrictEqual(yield* submit(store, starts), answer)
      assert.deepStrictEqual(yield* submit(store, starts), answer)
      assert.lengthOf(yield* store.list({ parentId: "p", order: "asc", limit: 10 }), 2)
      assert.deepStrictEqual(yield* historyOf(store, "p"), records(0, 2))
    }))

  claim("a child whose id is taken by the same name and payload is joined", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      yield* submit(store, start({ workflowId: "shared", name: "Child" }))
      const answer = yield* recorded(
        store,
        advance("p", 1, {
          records: [record(0, { childId: "shared" })],
          children: [childOf("p", 0, { workflowId: "shared" }), childOf("p", 1)]
        })
      )
      assert.deepStrictEqual(answer.children, [{ _tag: "Exists", same: true, name: "Child" }, started])
      assert.isNull((yield* store.get("shared"))!.parentId)
    }))

  for (const [what, given] of Object.entries({ name: { name: "Other" }, payload: { payload: "other" } })) {
    claim(
      `a child whose id is taken by another ${what} is a ChildConflict that writes nothing`,
      ({ store }) =>
        Effect.gen(function*() {
          yield* join(store, "i")
          yield* startOwned(store, "p", "i")
          yield* startOwned(store, "q", "i")
          yield* submit(store, start({ workflowId: "taken", name: "Child", ...given }))
          const answers = yield* write(store, [
            advance("p", 1, {
              records: [record(0)],
              children: [childOf("p", 0), childOf("p", 1, { workflowId: "taken" })],
              end: succeed
            }),
            advance("q", 1, { records: [record(0)], children: [childOf("q", 0)] })
          ])
          const name = what === "name" ? "Other" : "Child"
          assert.deepStrictEqual(answers[0], { _tag: "ChildConflict", index: 1, name })
          assert.deepStrictEqual(yield* historyOf(store, "p"), [])
          assert.strictEqual((yield* store.get("p"))!.status, "PENDING")
          assert.isNull(yield* store.get("p-0"))
          assert.deepStrictEqual(answers[1], { _tag: "Recorded", children: [started] })
          assert.isNotNull(yield* store.get("q-0"))
        })
    )
  }

  claim("the children of a fenced advance are not created", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      const answer = yield* submit(store, advance("p", 2, { records: [record(0)], children: [childOf("p", 0)] }))
      assert.deepStrictEqual(answer, { _tag: "Fenced" })
      assert.isNull(yield* store.get("p-0"))
    }))

  claim("a child does not outlive a parent's advance that the database refuses", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* startOwned(store, "p", "i")
      const answer = yield* submit(
        store,
        advance("p", 1, { records: [record(0, { value: "\"\u0000\"" })], children: [childOf("p", 0)] })
      )
      const created = (yield* store.get("p-0")) !== null
      assert.strictEqual(created, answer._tag === "Recorded")
      assert.lengthOf(yield* historyOf(store, "p"), created ? 1 : 0)
    }))

  claim("two parents that start one child in the same batch share it", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      for (const id of ["p", "q"]) yield* startOwned(store, id, "i")
      const answers = yield* write(
        store,
        ["p", "q"].map((id) =>
          advance(id, 1, { records: [record(0)], children: [childOf(id, 0, { workflowId: "shared" })] })
        )
      )
      const tags = answers.flatMap((answer) => answer._tag === "Recorded" ? answer.children : [])
      assert.deepStrictEqual(tags.map(({ _tag }) => _tag).sort(), ["Exists", "Started"])
    }))

  claim("two parents that start one child at the same time share it", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* join(given.store, "i")
      for (const round of rounds(50)) {
        const workflowId = `shared ${round}`
        for (const id of ["p", "q"]) yield* startOwned(given.store, `${id}${round}`, "i")
        const begin = (id: string) =>
          advance(`${id}${round}`, 1, { records: [record(0)], children: [childOf(id, 0, { workflowId })] })
        const answers = yield* race(round, submit(given.store, begin("p")), submit(other.store, begin("q")))
        const tags = answers.flatMap((answer) => answer._tag === "Recorded" ? answer.children : [])
        assert.deepStrictEqual(tags.map(({ _tag }) => _tag).sort(), ["Exists", "Started"])
      }
    }))
}
