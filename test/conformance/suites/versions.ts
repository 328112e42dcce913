import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService, VersionRow } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { lapse, leaseMs, race, rounds } from "../verbs.ts"

const joinAs = (store: StoreService, incarnation: string, version: string) =>
  store.join({ incarnation, executorId: incarnation, version }, leaseMs)

const namesOf = (store: StoreService) => Effect.map(store.versions, (rows) => rows.map(({ version }) => version))

export const versions: Suite = (claim) => {
  claim(
    "a version is known from the first executor that has it, and is the latest then",
    ({ store }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* store.versions, [])
        yield* joinAs(store, "none", "")
        assert.deepStrictEqual(yield* store.versions, [])
        assert.strictEqual((yield* store.heartbeat("none", leaseMs, [])).latestVersion, "")
        const before = yield* store.now
        yield* joinAs(store, "i", "1")
        yield* joinAs(store, "j", "2")
        const [two, one] = yield* store.versions
        assert.deepStrictEqual([two!.version, one!.version], ["2", "1"])
        assert.isTrue(one!.createdAt >= before && two!.latestAt > one!.latestAt)
        // An older one that comes back, or one that is renewed, changes nothing.
        yield* joinAs(store, "k", "1")
        yield* joinAs(store, "i", "1")
        assert.deepStrictEqual(yield* store.versions, [two!, one!])
        for (const id of ["i", "j", "none"]) {
          assert.strictEqual((yield* store.heartbeat(id, leaseMs, [])).latestVersion, "2")
        }
      })
  )

  claim(
    "another version is made the latest, and one that nobody has had is not",
    ({ store }) =>
      Effect.gen(function*() {
        for (const version of ["1", "2", "3"]) yield* joinAs(store, version, version)
        const before = yield* store.versions
        assert.isTrue(yield* store.setLatestVersion("1"))
        assert.deepStrictEqual(yield* namesOf(store), ["1", "3", "2"])
        assert.strictEqual((yield* store.heartbeat("3", leaseMs, [])).latestVersion, "1")
        assert.isTrue(yield* store.setLatestVersion("1"))
        assert.deepStrictEqual(yield* namesOf(store), ["1", "3", "2"])
        assert.isFalse(yield* store.setLatestVersion("4"))
        assert.isFalse(yield* store.setLatestVersion(""))
        assert.deepStrictEqual(yield* namesOf(store), ["1", "3", "2"])
        const after = yield* store.versions
        for (const { createdAt, version } of before) {
          assert.strictEqual(after.find((row) => row.version === version)!.createdAt, createdAt)
        }
        yield* joinAs(store, "4", "4")
        assert.deepStrictEqual(yield* namesOf(store), ["4", "1", "3", "2"])
      })
  )

  claim("versions outlive their executors", ({ store }) =>
    Effect.gen(function*() {
      yield* joinAs(store, "i", "1")
      yield* lapse(store)
      yield* store.adjustClock(2 * 3_600_000)
      yield* store.sweep(10)
      assert.deepStrictEqual(yield* namesOf(store), ["1"])
    }))

  claim(
    "of two new versions at the same time both are there, and one is the latest",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        for (const round of rounds(30)) {
          yield* race(
            round,
            joinAs(given.store, `a${round}`, `a${round}`),
            joinAs(other.store, `b${round}`, `b${round}`)
          )
        }
        const rows = yield* given.store.versions
        assert.strictEqual(new Set(rows.map(({ version }) => version)).size, 60)
        // Two that come at the very same time are told apart by their names.
        const isAfter = (a: VersionRow, b: VersionRow) =>
          a.latestAt > b.latestAt || (a.latestAt === b.latestAt && a.version > b.version)
        assert.isTrue(rows.every((row, index) => index === 0 || isAfter(rows[index - 1]!, row)))
      })
  )
}
