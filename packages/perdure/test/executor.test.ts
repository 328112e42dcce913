/**
 * The loops against a store that answers late or not. Hunts for a workflow that is run under an epoch that is over, or
 * given back while it is being taken.
 */
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/testing/TestClock"
import * as Codec from "../src/internal/codec.ts"
import type { Core } from "../src/internal/core.ts"
import { DatabaseClock } from "../src/internal/databaseClock.ts"
import { ExecutorLoops } from "../src/internal/executor.ts"
import { Journal } from "../src/internal/journal.ts"
import { leasesLost } from "../src/internal/metrics.ts"
import { CurrentRun } from "../src/internal/run.ts"
import { Waiters } from "../src/internal/waiters.ts"
import { Watching } from "../src/internal/watching.ts"
import { type Claimed, type Operation, StoreError, type StoreService, StoreUnavailable } from "../src/Store.ts"

type Answers = Pick<StoreService, "claim" | "history" | "owned"> & Partial<Pick<StoreService, "join" | "heartbeat">>

/**
 * The claim loop, and the heartbeat's where there is an answer to it, on a store of which these answers are given; `ran`
 * has the epochs of the runs.
 */
const loopOn = Effect.fnUntraced(function*(answers: Answers) {
  const written: Array<string> = []
  const ran: Array<number> = []
  const store = {
    name: "test",
    join: () => Effect.succeed(1),
    ...answers,
    outcomes: () => Effect.succeed({ done: [], blocked: [], unknown: [] }),
    write: (batch: ReadonlyArray<Operation>) =>
      Effect.sync(() => {
        for (const one of batch) if (one._tag === "Advance") written.push(`${one.end?._tag} of epoch ${one.epoch}`)
        return batch.map(() => ({ _tag: "Recorded", children: [] }))
      })
  } as unknown as StoreService
  const fork: Core["fork"] = (effect) => Effect.runFork(effect)
  // What the loop does not ask for is left out.
  const core = {
    store,
    clock: new DatabaseClock(),
    journal: new Journal(store, { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 1000 }, fork),
    waiters: new Waiters(store, fork, () => false, () => {}),
    settings: {
      executorId: "test",
      version: "",
      leaseMs: 3_600_000,
      heartbeatMs: 1000,
      pollMs: 100,
      suspendAfterMs: 3_600_000,
      replayGraceMs: 1000,
      shutdownMs: 1000,
      maxRunning: 10,
      maxSteps: 100,
      compatible: [],
      queues: null
    },
    watching: new Watching({
      store,
      tell: () => {},
      now: () => 0,
      fork,
      isRunning: () => false,
      lookForEnd: () => {},
      claim: () => {}
    }),
    executor: undefined,
    context: Context.empty(),
    fork
  } as unknown as Core
  const signal = Queue.dropping<void>(1)
  const executor = new ExecutorLoops(core, { claims: yield* signal, beats: yield* signal, sweeps: yield* signal })
  yield* executor.join
  yield* executor.register({
    definition: {
      name: "Subject",
      payload: Codec.make<any>(),
      payloadSchema: undefined,
      successSchema: undefined,
      success: Codec.make<any>(),
      error: undefined,
      requiredRoles: [],
      maxRecoveryAttempts: 10,
      timeoutMs: undefined
    },
    body: () =>
      Effect.withFiber((fiber) => {
        ran.push(fiber.getRef(CurrentRun)!.epoch)
        return Effect.never
      }),
    context: Context.empty()
  })
  const [beating, claiming] = executor.loops
  yield* Effect.forkScoped(claiming!)
  if (answers.heartbeat !== undefined) yield* Effect.forkScoped(beating!)
  return { executor, ran, written }
})

it.effect("a claim that is answered after it was given up is given back, and replaces no run", () =>
  Effect.gen(function*() {
    const late = yield* Deferred.make<Claim>()
    let claims = 0
    const { executor, ran, written } = yield* loopOn({
      claim: () => Effect.suspend(() => ++claims === 1 ? Deferred.await(late) : Effect.succeed(claimOf(3))),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([])
    })
    yield* until(() => ran.length === 1)
    yield* Deferred.succeed(late, claimOf(2))
    yield* until(() => written.length > 0 || ran.length > 1)
    assert.deepStrictEqual([ran, written, executor.isRunning("w")], [[3], ["Release of epoch 2"], true])
  }))

it.effect("a workflow whose history is still being read is not given back by a look at what is owned", () =>
  Effect.gen(function*() {
    const history = yield* Deferred.make<Pick<Claimed, "records" | "attempts" | "more">>()
    let claims = 0
    let looks = 0
    const { ran, written } = yield* loopOn({
      // A claim that fails has what is owned looked at.
      claim: () =>
        Effect.suspend(() =>
          ++claims === 1
            ? Effect.succeed(claimOf(2, true))
            : Effect.fail(away)
        ),
      history: () => Deferred.await(history),
      owned: () =>
        Effect.sync(() => {
          looks++
          return [{ workflowId: "w", epoch: 2 }]
        })
    })
    yield* until(() => looks > 2)
    yield* Deferred.succeed(history, { records: [], attempts: [], more: false })
    yield* until(() => written.length > 0 || ran.length > 0)
    assert.deepStrictEqual([ran, written], [[2], []])
  }))

it.effect("a lease that is lost while nobody can join is counted as lost once", () =>
  Effect.gen(function*() {
    const lost = Effect.map(Metric.value(leasesLost), ({ count }) => Number(count))
    const before = yield* lost
    let joins = 0
    let beats = 0
    yield* loopOn({
      claim: () => Effect.succeed(nothing),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([]),
      join: () => Effect.suspend(() => ++joins === 1 || joins > 5 ? Effect.succeed(1) : Effect.fail(away)),
      heartbeat: () =>
        Effect.sync(() => {
          beats++
          return { now: 1, latestVersion: "", alive: joins > 5, revoked: [] }
        })
    })
    yield* until(() => beats > 7)
    assert.deepStrictEqual([joins, (yield* lost) - before], [6, 1])
  }))

it.effect("a lease is asked for as long as it is, whatever the clock of the process says", () =>
  Effect.gen(function*() {
    const real = Date.now
    yield* Effect.acquireRelease(
      Effect.sync(() => (Date.now = () => real() + 600_000)),
      () => Effect.sync(() => (Date.now = real))
    )
    const leases = new Set<number>()
    let beats = 0
    yield* loopOn({
      claim: () => Effect.succeed(nothing),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([]),
      join: (_, leaseMs) => Effect.sync(() => leases.add(leaseMs).size),
      heartbeat: (_, leaseMs) =>
        Effect.sync(() => {
          beats++
          leases.add(leaseMs)
          return { now: 1, latestVersion: "", alive: true, revoked: [] }
        })
    })
    yield* until(() => beats > 2)
    assert.deepStrictEqual([...leases], [3_600_000])
  }))

it.effect("a beat that is answered after it was given up neither joins again nor stops what runs by then", () =>
  Effect.gen(function*() {
    const late = yield* Deferred.make<void>()
    let joins = 0
    let beats = 0
    let answered = 0
    let claims = 0
    const lapsed = { now: 1, latestVersion: "", alive: false, revoked: [] }
    const { executor, ran } = yield* loopOn({
      claim: () => Effect.sync(() => joins === 2 && ++claims === 1 ? claimOf(3) : nothing),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([]),
      join: () => Effect.sync(() => ++joins),
      // The connections of the first ones are silent; the third finds that the lease has lapsed meanwhile, as they do.
      heartbeat: () =>
        Effect.suspend(() => {
          beats++
          if (beats > 3) return Effect.succeed({ ...lapsed, alive: true })
          return beats === 3 ? Effect.succeed(lapsed) : Effect.tap(
            Effect.as(Deferred.await(late), lapsed),
            () => Effect.sync(() => answered++)
          )
        })
    })
    yield* until(() => ran.length === 1)
    const incarnation = executor.incarnation()
    yield* Deferred.succeed(late, undefined)
    const seen = beats
    yield* until(() => answered === 2 && beats > seen + 2)
    assert.deepStrictEqual([joins, executor.incarnation(), executor.isRunning("w")], [2, incarnation, true])
  }))

it.effect("what was taken under a lease that has lapsed does not begin, not even until there is another one", () =>
  Effect.gen(function*() {
    const late = yield* Deferred.make<Claim>()
    const rejoined = yield* Deferred.make<number>()
    const joined: Array<string> = []
    let [claims, lapsed] = [0, false]
    const { executor, ran, written } = yield* loopOn({
      claim: () => Effect.suspend(() => ++claims === 1 ? Deferred.await(late) : Effect.succeed(nothing)),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([]),
      join: ({ incarnation }) =>
        Effect.suspend(() => joined.push(incarnation) === 1 ? Effect.succeed(1) : Deferred.await(rejoined)),
      heartbeat: (incarnation) =>
        Effect.sync(() => ({ now: 1, latestVersion: "", alive: !lapsed || incarnation !== joined[0], revoked: [] }))
    })
    yield* until(() => claims === 1)
    lapsed = true
    yield* until(() => joined.length > 1)
    // Taken before the lapse, and only now is that known here.
    yield* Deferred.succeed(late, claimOf(2))
    executor.began({ ...life, workflowId: "started", incarnation: joined[0]!, epoch: 1 })
    yield* until(() => written.length + ran.length === 2)
    yield* Deferred.succeed(rejoined, 1)
    yield* until(() => executor.incarnation() !== joined[0] && executor.room() > 0)
    assert.deepStrictEqual([ran, written.toSorted()], [[], ["Release of epoch 1", "Release of epoch 2"]])
  }))

it.effect("a join that is answered after it was given up replaces no later one", () =>
  Effect.gen(function*() {
    const late = yield* Deferred.make<number>()
    const lost = Effect.map(Metric.value(leasesLost), ({ count }) => Number(count))
    const before = yield* lost
    const joined: Array<string> = []
    let beats = 0
    const { executor } = yield* loopOn({
      claim: () => Effect.succeed(nothing),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([]),
      join: ({ incarnation }) =>
        Effect.suspend(() => joined.push(incarnation) === 2 ? Deferred.await(late) : Effect.succeed(1)),
      heartbeat: (incarnation) =>
        Effect.sync(() => {
          beats++
          return { now: 1, latestVersion: "", alive: incarnation === joined[2], revoked: [] }
        })
    })
    yield* until(() => joined.length === 3)
    yield* Deferred.succeed(late, 1)
    const seen = beats
    yield* until(() => beats > seen + 2)
    assert.deepStrictEqual([executor.incarnation(), joined.length, (yield* lost) - before], [joined[2], 3, 1])
  }))

it.effect("what a claim may bring has its places while the claim is under way, and then what it brought", () =>
  Effect.gen(function*() {
    const late = yield* Deferred.make<Claim>()
    let claims = 0
    const { executor } = yield* loopOn({
      claim: () => Effect.suspend(() => ++claims === 1 ? Deferred.await(late) : Effect.succeed(nothing)),
      history: () => Effect.die("not asked for"),
      owned: () => Effect.succeed([])
    })
    assert.strictEqual(executor.room(), 10)
    yield* until(() => claims === 1)
    assert.strictEqual(executor.room(), 5)
    yield* Deferred.succeed(late, claimOf(2))
    yield* until(() => executor.isRunning("w"))
    assert.strictEqual(executor.room(), 9)
  }))

type Claim = Effect.Success<ReturnType<StoreService["claim"]>>

const away = new StoreError({ reason: new StoreUnavailable({ message: "away" }) })

const nothing: Claim = { claimed: [], nextDueAt: null, now: 1, contended: false, waiting: false }

/** Of whatever is run here. */
const life = {
  name: "Subject",
  payload: "null",
  startedAt: 1,
  deadlineAt: null,
  user: null,
  roles: [],
  assumedRole: null,
  parentId: null,
  trace: null
}

const claimOf = (epoch: number, more = false): Claim => ({
  ...nothing,
  claimed: [{
    row: {
      ...life,
      workflowId: "w",
      version: "",
      status: "PENDING",
      phase: "run",
      epoch
    } as any,
    records: [],
    attempts: [],
    more,
    inbox: 0
  }]
})

const turn = Effect.promise(() => new Promise<void>((resolve) => setTimeout(resolve)))

/** Lets the loop's time pass meanwhile. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.gen(function*() {
    const deadline = performance.now() + 60_000
    while (!holds()) {
      assert.isBelow(performance.now(), deadline, "waited in vain")
      yield* TestClock.adjust("1 second")
      yield* turn
    }
  })
