/** What a workflow costs each database, to the statement; and that what waits costs nothing. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Engine, Step, Workflow } from "perdure"
import { Store, type StoreService } from "perdure/Store"
import { eventually } from "./harness/eventually.ts"
import { type Counted, type Meter, postgres, sqlite } from "./harness/meter.ts"
import { storeLayer } from "./harness/Place.ts"

const Plain = Workflow.make("Plain", { payload: { steps: Schema.Int }, success: Schema.Int })

const PlainLive = Plain.toLayer(Effect.fnUntraced(function*({ steps }) {
  let sum = 0
  for (let i = 0; i < steps; i++) sum += yield* Step.run(`step ${i}`, Effect.sync(() => i))
  return sum
}))

/** Its loops do nothing unless they are asked to. */
const quiet = Engine.layer({ lease: "3 hours", heartbeat: "1 hour", poll: "1 hour" })

/**
 * How often an executor claims while workflows end depends on the time that they take: at most every 20 ms. Here none is
 * to be claimed, since all are started by who runs them.
 */
const withoutClaims = Layer.effect(
  Store,
  Effect.map(Store, (store): StoreService => ({
    ...store,
    claim: () => Effect.succeed({ now: Date.now(), claimed: [], nextDueAt: null, contended: false, waiting: false })
  }))
)

/** All that so many workflows cost, one after another, with the opening and the closing of the engine. */
const costOf = Effect.fnUntraced(function*(meter: Meter, steps: number, count: number) {
  const before = yield* meter.read
  yield* Effect.forEach(Array.from({ length: count }), () => Plain.execute({ steps }), { discard: true }).pipe(
    Effect.provide(PlainLive),
    Effect.provide(quiet),
    Effect.provide(withoutClaims),
    Effect.provide(storeLayer(meter.place))
  )
  const after = yield* meter.read
  return difference(after, before)
})

const difference = (a: Counted, b: Counted): Counted => ({
  statements: a.statements - b.statements,
  commits: a.commits - b.commits,
  rows: a.rows - b.rows
})

const more = 50

/** What fifty workflows more cost more, each: opening and closing the engine does not count. */
const costOfEach = Effect.fnUntraced(function*(meter: Meter, steps: number) {
  const { commits, rows, statements } = difference(
    yield* costOf(meter, steps, 10 + more),
    yield* costOf(meter, steps, 10)
  )
  return { statements: statements / more, commits: commits / more, rows: rows / more }
})

/** `statements` and `commits` without hints to other processes: there may be one of these for each workflow, or fewer. */
const expected = {
  postgres: {
    0: { statements: 2, commits: 2, rows: 4 },
    1: { statements: 2, commits: 2, rows: 5 },
    10: { statements: 11, commits: 11, rows: 14 }
  },
  sqlite: {
    0: { statements: 17, commits: 2, rows: 4 },
    1: { statements: 18, commits: 2, rows: 5 },
    10: { statements: 72, commits: 11, rows: 14 }
  }
} as const

/** Of the loops: what they do as they begin and end depends on the time. */
const slack = 0.25

const assertCosts = Effect.fnUntraced(function*(meter: Meter, hints: number) {
  // The first one creates the schema.
  yield* costOf(meter, 1, 1)
  for (const steps of [0, 1, 10] as const) {
    const each = yield* costOfEach(meter, steps)
    const wanted = expected[meter.place.kind][steps]
    const text = `${meter.place.kind}, ${steps} steps: ${JSON.stringify(each)}`
    console.log(text)
    assert.isAtMost(each.statements, wanted.statements + hints + slack, text)
    assert.isAtMost(each.commits, wanted.commits + hints + slack, text)
    assert.closeTo(each.rows, wanted.rows, slack, text)
    // Else the meter has not seen what it is there for.
    assert.isAtLeast(each.statements, wanted.statements - slack, text)
    assert.isAtLeast(each.commits, wanted.commits - slack, text)
  }
})

it.live("on PostgreSQL a workflow of n steps costs n + 1 statements and commits, and a hint", () =>
  Effect.gen(function*() {
    yield* assertCosts(yield* postgres, 1)
  }))

it.live("on SQLite a workflow of n steps costs n + 1 commits, and no statement more than it did", () =>
  Effect.gen(function*() {
    yield* assertCosts(yield* sqlite, 0)
  }))

const Child = Workflow.make("Child", { success: Schema.Int })
const Family = Workflow.make("Family", { payload: { children: Schema.Int }, success: Schema.Int })
const FamilyLive = Layer.merge(
  Child.toLayer(() => Step.run("one", Effect.succeed(1))),
  Family.toLayer(({ children }) =>
    Effect.map(
      Workflow.forEach(Array.from({ length: children }), () => Child.execute(), { concurrency: "unbounded" }),
      (results) => results.length
    )
  )
)

/** What a family costs, with the opening and the closing of the engine. */
const costOfFamily = Effect.fnUntraced(function*(meter: Meter, children: number) {
  const before = yield* meter.read
  assert.strictEqual(
    yield* Family.execute({ children }).pipe(
      Effect.provide(FamilyLive),
      Effect.provide(quiet),
      Effect.provide(withoutClaims),
      Effect.provide(storeLayer(meter.place))
    ),
    children
  )
  return difference(yield* meter.read, before)
})

/** They are started by one write, and end by few: how many goes by the time that they take. */
const assertFamily = Effect.fnUntraced(function*(meter: Meter) {
  yield* costOfFamily(meter, 1)
  const { commits, rows } = difference(yield* costOfFamily(meter, 510), yield* costOfFamily(meter, 10))
  const text = `${meter.place.kind}, 500 children: ${JSON.stringify({ commits, rows })}`
  console.log(text)
  assert.isAtMost(commits, 100, text)
  // Two records of the parent, the child's row, ownership and record.
  assert.isAtLeast(rows, 500 * 4, text)
})

it.live("on PostgreSQL children that are started at once share their commits", () =>
  Effect.gen(function*() {
    yield* assertFamily(yield* postgres)
  }))

it.live("on SQLite children that are started at once share their commits", () =>
  Effect.gen(function*() {
    yield* assertFamily(yield* sqlite)
  }))

const Sleeper = Workflow.make("Sleeper")
const SleeperLive = Sleeper.toLayer(() => Effect.sleep("1 day"))

/** Every loop at the same interval, so that a round is one of each. */
const interval = "100 millis"
const rounds = 20

/**
 * Statements per round of the loops, once so many workflows sleep in the store and none is in memory. Each loop waits for
 * its answer and then for the interval, so on a slow database some make more rounds than others: the most rounds count.
 */
const idleCost = Effect.fnUntraced(function*(meter: Meter, sleepers: number) {
  const made = { beats: 0, claims: 0, sweeps: 0 }
  const counting = <A, E>(loop: keyof typeof made, call: Effect.Effect<A, E>) =>
    Effect.tap(call, () => Effect.sync(() => made[loop]++))
  const counted = Layer.effect(
    Store,
    Effect.map(Store, (store): StoreService => ({
      ...store,
      heartbeat: (...args) => counting("beats", store.heartbeat(...args)),
      claim: (...args) => counting("claims", store.claim(...args)),
      sweep: (...args) => counting("sweeps", store.sweep(...args))
    }))
  )
  return yield* Effect.gen(function*() {
    const store = yield* Store
    yield* Effect.forEach(Array.from({ length: sleepers }), () => Sleeper.start(), {
      concurrency: "unbounded",
      discard: true
    })
    yield* eventually(
      `${sleepers} to sleep in the store`,
      Effect.map(
        store.list({ names: ["Sleeper"], order: "asc", limit: 1000 }),
        (rows) => rows.length === sleepers && rows.every(({ wakeAt }) => wakeAt !== null)
      )
    )
    const begun = made.beats + 3
    yield* eventually("the loops to go on", Effect.sync(() => made.beats >= begun))
    const statements = meter.statements()
    const from = { ...made }
    yield* eventually(`${rounds} rounds`, Effect.sync(() => made.beats >= from.beats + rounds))
    const { beats, claims, sweeps } = made
    return (meter.statements() - statements) / Math.max(beats - from.beats, claims - from.claims, sweeps - from.sweeps)
  }).pipe(
    Effect.provide(SleeperLive),
    Effect.provide(Engine.layer({ lease: "1 hour", heartbeat: interval, poll: interval, suspendAfter: interval })),
    Effect.provide(counted),
    Effect.provide(storeLayer(meter.place))
  )
})

/** A round of all loops is 7 statements on PostgreSQL and 28 on SQLite. Their rounds are not quite of one length. */
const mostPerRound = { postgres: 9, sqlite: 34 } as const

const assertIdle = Effect.fnUntraced(function*(meter: Meter) {
  for (const sleepers of [0, 500]) {
    const perRound = yield* idleCost(meter, sleepers)
    const text = `${meter.place.kind}, ${sleepers} sleepers: ${perRound} statements per round of the loops`
    console.log(text)
    assert.isAtMost(perRound, mostPerRound[meter.place.kind], text)
  }
})

it.live("on PostgreSQL an idle executor asks as much beside 500 sleepers as beside none", () =>
  Effect.gen(function*() {
    yield* assertIdle(yield* postgres)
  }))

it.live("on SQLite an idle executor asks as much beside 500 sleepers as beside none", () =>
  Effect.gen(function*() {
    yield* assertIdle(yield* sqlite)
  }))
