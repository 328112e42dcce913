import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { ScheduleDefinition, StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, start, succeed } from "../builders.ts"
import { limits, place } from "../queues.ts"
import { claimUntil, join, race, recorded, rounds, submit } from "../verbs.ts"

const definition = (name: string, given: Partial<ScheduleDefinition> = {}): ScheduleDefinition => ({
  name,
  workflowName: "Order",
  rule: "{\"every\":1000}",
  start: "{\"payload\":{}}",
  ...given
})

const one = Effect.fnUntraced(function*(store: StoreService, name: string) {
  return (yield* store.schedules({ names: [name] }))[0]!
})

const namesOf = (store: StoreService, filter: Parameters<StoreService["schedules"]>[0]) =>
  Effect.map(store.schedules(filter), (rows) => rows.map(({ name }) => name))

/** What a tick starts. */
const tick = (name: string, at: number, given: Parameters<typeof start>[0] = { workflowId: `${name}-${at}` }) =>
  start({ schedule: { name, at }, ...given })

export const schedules: Suite = (claim) => {
  claim(
    "what code declares is made once, and changed only when it says something else",
    ({ store }) =>
      Effect.gen(function*() {
        const before = yield* store.now
        assert.strictEqual(yield* store.writeSchedule("declare", definition("s"), 5_000), "written")
        const { createdAt, updatedAt, ...made } = yield* one(store, "s")
        assert.deepStrictEqual(made, {
          ...definition("s"),
          origin: "code",
          paused: false,
          nextFireAt: 5_000,
          lastFireAt: null,
          lastWorkflowId: null
        })
        assert.isTrue(createdAt >= before && updatedAt === createdAt)
        yield* store.adjustClock(1_000)
        assert.strictEqual(yield* store.writeSchedule("declare", definition("s"), 9_000), "same")
        assert.deepStrictEqual(yield* one(store, "s"), { ...made, createdAt, updatedAt })
        const changed = definition("s", { start: "{\"payload\":{\"é\":1}}", workflowName: "Other" })
        assert.strictEqual(yield* store.writeSchedule("declare", changed, 9_000), "written")
        const row = yield* one(store, "s")
        assert.deepStrictEqual([row.start, row.workflowName, row.nextFireAt], [changed.start, "Other", 5_000])
        assert.isAbove(row.updatedAt, updatedAt)
        yield* store.writeSchedule("declare", { ...changed, rule: "{\"every\":7}" }, 9_000)
        assert.strictEqual((yield* one(store, "s")).nextFireAt, 9_000)
      })
  )

  claim("a pause outlives what code declares", ({ store }) =>
    Effect.gen(function*() {
      yield* store.writeSchedule("declare", definition("s"), 5_000)
      assert.isTrue(yield* store.pauseSchedule("s", { paused: true }))
      yield* store.writeSchedule("declare", definition("s", { start: "{}" }), 9_000)
      assert.isTrue((yield* one(store, "s")).paused)
    }))

  claim(
    "one made by a client has a name of its own, and is changed only when it is there",
    ({ store }) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* store.writeSchedule("update", definition("s"), 1), "unknown")
        assert.strictEqual(yield* store.writeSchedule("create", definition("s"), 5_000), "written")
        assert.strictEqual((yield* one(store, "s")).origin, "runtime")
        assert.strictEqual(yield* store.writeSchedule("create", definition("s"), 5_000), "exists")
        assert.strictEqual(yield* store.writeSchedule("update", definition("s", { start: "{}" }), 9_000), "written")
        assert.deepInclude(yield* one(store, "s"), { start: "{}", nextFireAt: 5_000, origin: "runtime" })
        yield* store.writeSchedule("update", definition("s", { rule: "{\"every\":7}" }), null)
        assert.deepInclude(yield* one(store, "s"), { rule: "{\"every\":7}", nextFireAt: null, origin: "runtime" })
        assert.strictEqual(yield* store.writeSchedule("declare", definition("s"), 7), "written")
        assert.strictEqual((yield* one(store, "s")).origin, "code")
      })
  )

  claim(
    "several are made or changed at once; what is the same is left alone, and a pause and an origin stay",
    ({ store }) =>
      Effect.gen(function*() {
        yield* store.writeSchedule("declare", definition("same"), 5_000)
        yield* store.writeSchedule("declare", definition("paused"), 5_000)
        yield* store.pauseSchedule("paused", { paused: true })
        yield* store.writeSchedule("create", definition("ruled"), 5_000)
        yield* store.writeSchedule("create", definition("other"), 5_000)
        const before = yield* store.schedules({ names: ["same", "other"] })
        yield* store.adjustClock(1_000)
        const all = [
          definition("same"),
          definition("new"),
          definition("paused", { start: "{}", workflowName: "Other" }),
          definition("ruled", { rule: "{\"every\":7}" })
        ].map((definition) => ({ definition, nextFireAt: 9_000 }))
        assert.deepStrictEqual(yield* store.applySchedules(all), ["same", "written", "written", "written"])
        assert.deepStrictEqual(yield* store.schedules({ names: ["same", "other"] }), before)
        const shown = Effect.fnUntraced(function*(name: string) {
          const { nextFireAt, origin, paused, rule, start, workflowName } = yield* one(store, name)
          return [workflowName, rule, start, origin, paused, nextFireAt]
        })
        const { rule, start, workflowName } = definition("new")
        assert.deepStrictEqual(yield* shown("new"), [workflowName, rule, start, "runtime", false, 9_000])
        assert.deepStrictEqual(yield* shown("paused"), ["Other", rule, "{}", "code", true, 5_000])
        assert.deepStrictEqual(yield* shown("ruled"), [workflowName, "{\"every\":7}", start, "runtime", false, 9_000])
        assert.deepStrictEqual(yield* store.applySchedules(all), ["same", "same", "same", "same"])
        assert.deepStrictEqual(yield* store.applySchedules([]), [])
      })
  )

  claim("of several at once, with one that cannot be stored, none is made", ({ store }) =>
    Effect.gen(function*() {
      const all = [definition("a"), definition("b", { rule: null as unknown as string })]
        .map((definition) => ({ definition, nextFireAt: 9_000 }))
      assert.strictEqual((yield* Effect.exit(store.applySchedules(all)))._tag, "Failure")
      assert.deepStrictEqual(yield* store.schedules({}), [])
    }))

  claim("processes that apply the same at once all find it so", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      for (const round of rounds(20)) {
        const all = ["a", "b", "c"].map((name) => ({
          definition: definition(name, { start: `{"n":${round}}` }),
          nextFireAt: 9_000
        }))
        const [mine, theirs] = yield* race(
          round,
          given.store.applySchedules(all),
          other.store.applySchedules([...all].reverse())
        )
        assert.sameMembers([mine.join(), theirs.join()], ["written,written,written", "same,same,same"])
      }
    }))

  claim(
    "schedules are listed by name, and found by name, prefix, workflow and pause",
    ({ store }) =>
      Effect.gen(function*() {
        for (const name of ["b", "a_1", "a%2", "A"]) yield* store.writeSchedule("create", definition(name), 1)
        yield* store.writeSchedule("create", definition("other", { workflowName: "Other" }), 1)
        yield* store.pauseSchedule("b", { paused: true })
        assert.deepStrictEqual(yield* namesOf(store, {}), ["A", "a%2", "a_1", "b", "other"])
        assert.deepStrictEqual(yield* namesOf(store, { names: ["b", "nobody", "A"] }), ["A", "b"])
        assert.deepStrictEqual(yield* namesOf(store, { names: [] }), [])
        assert.deepStrictEqual(yield* namesOf(store, { namePrefix: "a_" }), ["a_1"])
        assert.deepStrictEqual(yield* namesOf(store, { namePrefix: "a" }), ["a%2", "a_1"])
        assert.deepStrictEqual(yield* namesOf(store, { workflowName: "Other" }), ["other"])
        assert.deepStrictEqual(yield* namesOf(store, { paused: true }), ["b"])
        assert.deepStrictEqual(yield* namesOf(store, { paused: false, namePrefix: "o" }), ["other"])
        assert.deepStrictEqual(yield* namesOf(store, { limit: 2 }), ["A", "a%2"])
        assert.deepStrictEqual(yield* namesOf(store, { after: "a%2", limit: 2 }), ["a_1", "b"])
        assert.deepStrictEqual(yield* namesOf(store, { after: "a_2", workflowName: "Other" }), ["other"])
        assert.isTrue(yield* store.deleteSchedule("b"))
        assert.isFalse(yield* store.deleteSchedule("b"))
        assert.deepStrictEqual(yield* namesOf(store, { paused: true }), [])
      })
  )

  claim(
    "those that are due come oldest first, up to the limit, with the clock and the next of all",
    ({ store }) =>
      Effect.gen(function*() {
        assert.deepInclude(yield* store.dueSchedules(10, null), { due: [], nextDueAt: null })
        const now = yield* store.now
        for (const [name, at] of [["late", now - 10], ["early", now - 30], ["soon", now + 60_000]] as const) {
          yield* store.writeSchedule("create", definition(name), at)
        }
        yield* store.writeSchedule("create", definition("never"), null)
        yield* store.writeSchedule("create", definition("paused"), now - 50)
        yield* store.pauseSchedule("paused", { paused: true })
        const all = yield* store.dueSchedules(10, null)
        assert.deepStrictEqual(all.due.map(({ name, running }) => [name, running]), [["early", false], ["late", false]])
        assert.isAtLeast(all.now, now)
        assert.strictEqual(all.nextDueAt, now - 30)
        assert.deepStrictEqual((yield* store.dueSchedules(1, null)).due.map(({ name }) => name), ["early"])
      })
  )

  claim(
    "those that are due are read on after any of them, that is there or not",
    ({ store }) =>
      Effect.gen(function*() {
        const now = yield* store.now
        const dues = [["e", now - 30], ["b", now - 20], ["c", now - 20], ["é", now - 20], ["a", now - 10]] as const
        for (const [name, at] of dues) yield* store.writeSchedule("create", definition(name), at)
        yield* store.writeSchedule("create", definition("soon"), now + 60_000)
        const after = (limit: number, name: string, nextFireAt: number) =>
          Effect.map(store.dueSchedules(limit, { name, nextFireAt }), ({ due }) => due.map((row) => row.name))
        for (const [index, [name, at]] of dues.entries()) {
          assert.deepStrictEqual(yield* after(10, name, at), dues.slice(index + 1).map(([later]) => later))
        }
        assert.deepStrictEqual(yield* after(2, "e", now - 30), ["b", "c"])
        assert.isTrue(yield* store.deleteSchedule("b"))
        assert.deepStrictEqual(yield* after(2, "b", now - 20), ["c", "é"])
        assert.deepStrictEqual(yield* after(2, "", now - 10), ["a"])
        assert.strictEqual((yield* store.dueSchedules(10, { name: "a", nextFireAt: now - 10 })).nextDueAt, now - 30)
      })
  )

  claim(
    "a paused schedule stands still, and goes on with the time that it is given, once",
    ({ store }) =>
      Effect.gen(function*() {
        assert.isFalse(yield* store.pauseSchedule("s", { paused: true }))
        yield* store.writeSchedule("create", definition("s"), 1_000)
        yield* store.pauseSchedule("s", { paused: true })
        assert.deepInclude(yield* one(store, "s"), { paused: true, nextFireAt: 1_000 })
        const fire = { name: "s", expected: 1_000, next: 2_000, starts: [tick("s", 1_000)] }
        assert.isFalse(yield* store.fire(fire))
        assert.isNull(yield* store.get("s-1000"))
        assert.isTrue(yield* store.pauseSchedule("s", { paused: false, nextFireAt: 3_000 }))
        assert.isTrue(yield* store.pauseSchedule("s", { paused: false, nextFireAt: 4_000 }))
        assert.deepInclude(yield* one(store, "s"), { paused: false, nextFireAt: 3_000 })
      })
  )

  claim(
    "a fire moves the schedule and starts its workflows in one commit, once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* join(store, "i")
        yield* store.writeSchedule("create", definition("s"), 1_000)
        const starts = [tick("s", 1_000), tick("s", 2_000, { workflowId: "second", payload: "7" })]
        assert.isTrue(yield* store.fire({ name: "s", expected: 1_000, next: 3_000, starts }))
        assert.isFalse(yield* store.fire({ name: "s", expected: 1_000, next: 3_000, starts: [tick("s", 9)] }))
        assert.isFalse(yield* store.fire({ name: "nobody", expected: 1_000, next: 3_000, starts: [tick("n", 9)] }))
        assert.deepStrictEqual([yield* store.get("s-9"), yield* store.get("n-9")], [null, null])
        assert.deepInclude(yield* one(store, "s"), { nextFireAt: 3_000, lastFireAt: 2_000, lastWorkflowId: "second" })
        const row = (yield* store.get("second"))!
        assert.deepStrictEqual(
          [row.scheduleName, row.scheduledAt, row.payload, row.status],
          ["s", 2_000, "7", "ENQUEUED"]
        )
        assert.strictEqual((yield* claimUntil(store, "i", "s-1000")).row.scheduledAt, 1_000)
        assert.isTrue(yield* store.fire({ name: "s", expected: 3_000, next: null, starts: [] }))
        assert.deepInclude(yield* one(store, "s"), { nextFireAt: null, lastFireAt: 3_000, lastWorkflowId: "second" })
      })
  )

  claim("of executors that fire one tick at the same time one does", (given) =>
    Effect.gen(function*() {
      const other = yield* given.another
      yield* given.store.writeSchedule("create", definition("s"), 0)
      for (const round of rounds(50)) {
        const fire = (who: string) => ({
          name: "s",
          expected: round,
          next: round + 1,
          starts: [tick("s", round, { workflowId: `${who}-${round}` })]
        })
        const fired = yield* race(round, given.store.fire(fire("a")), other.store.fire(fire("b")))
        assert.deepStrictEqual([...fired].sort(), [false, true])
      }
      assert.strictEqual(yield* given.store.count({ scheduleName: "s", order: "asc", limit: 1_000 }), 50)
    }))

  claim(
    "a change at the same time as a fire leaves the schedule where the fire has moved it",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* given.store.writeSchedule("create", definition("s"), 0)
        for (const round of rounds(50)) {
          const fire = { name: "s", expected: round, next: round + 1, starts: [] }
          const change = definition("s", { start: `{"n":${round}}` })
          yield* race(round, given.store.fire(fire), other.store.writeSchedule("update", change, round))
          assert.deepInclude(yield* one(given.store, "s"), { ...change, nextFireAt: round + 1 })
        }
      })
  )

  claim("a due schedule tells whether its latest workflow still runs", ({ store }) =>
    Effect.gen(function*() {
      yield* join(store, "i")
      yield* store.writeSchedule("create", definition("s"), 1_000)
      yield* store.fire({ name: "s", expected: 1_000, next: 2_000, starts: [tick("s", 1_000)] })
      const running = Effect.map(store.dueSchedules(1, null), ({ due }) => due.map((row) => row.running))
      assert.deepStrictEqual(yield* running, [true])
      const { row } = yield* claimUntil(store, "i", "s-1000")
      yield* recorded(store, advance("s-1000", row.epoch, { end: succeed }))
      assert.deepStrictEqual(yield* running, [false])
    }))

  claim(
    "a tick whose workflow is there, or whose deduplication id is taken, starts nothing and goes on",
    ({ store }) =>
      Effect.gen(function*() {
        yield* store.registerQueue("q", limits())
        const queue = place({ deduplicationId: "d" })
        yield* submit(store, start({ workflowId: "taken", payload: "0" }))
        yield* submit(store, start({ workflowId: "holder", queue }))
        yield* store.writeSchedule("create", definition("s"), 1_000)
        const taken = tick("s", 1_000, { workflowId: "taken" })
        assert.isTrue(yield* store.fire({ name: "s", expected: 1_000, next: 2_000, starts: [taken] }))
        assert.deepInclude(yield* one(store, "s"), { nextFireAt: 2_000, lastWorkflowId: "taken" })
        assert.strictEqual((yield* store.get("taken"))!.payload, "0")
        const duplicate = tick("s", 2_000, { workflowId: "w", queue })
        assert.isTrue(yield* store.fire({ name: "s", expected: 2_000, next: 3_000, starts: [duplicate] }))
        assert.deepInclude(yield* one(store, "s"), { nextFireAt: 3_000, lastWorkflowId: "holder" })
        assert.isNull(yield* store.get("w"))
      })
  )

  claim("a tick whose start cannot be made is not passed over", ({ store }) =>
    Effect.gen(function*() {
      yield* store.writeSchedule("create", definition("s"), 1_000)
      const queue = place({ queue: "nowhere" })
      const starts = [tick("s", 1_000), tick("s", 1_001, { workflowId: "w", queue })]
      const error = yield* Effect.flip(store.fire({ name: "s", expected: 1_000, next: 2_000, starts }))
      assert.match(error.message, /nowhere/)
      assert.deepInclude(yield* one(store, "s"), { nextFireAt: 1_000, lastFireAt: null })
      assert.isNull(yield* store.get("s-1000"))
    }))
}
