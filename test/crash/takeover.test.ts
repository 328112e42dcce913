/**
 * Several processes on one store, one of which is killed or frozen. Hunts for work that is lost with its process, for
 * two processes that both believe to own a workflow, and for a process that writes on after others have taken over.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Client } from "perdure"
import { Store } from "perdure/Store"
import { eventually } from "./harness/eventually.ts"
import { freeze } from "./harness/freeze.ts"
import * as Jobs from "./harness/jobs.ts"
import * as Lab from "./harness/Lab.ts"
import type { Program } from "./harness/Program.ts"

const engine = { lease: "1500 millis", heartbeat: "300 millis", poll: "100 millis", maxRunning: 20 }
/** With room for all jobs, so that one can take over from the other before it has ended its own. */
const roomy = { ...engine, maxRunning: 1000 }
/** One that is to be frozen has its lease until then, also on a slow machine; the other keeps what it takes over. */
const toBeFrozen = { lease: "5 seconds" }
const toTakeOver = { lease: "1 hour" }
/** Nobody waits for the end of such a lease. */
const long = { lease: "1 hour" }

/**
 * So many processes, each of them at work on its share of the jobs. What they write waits until `open`: however slow the
 * machine is, nothing has been done when the test goes on.
 */
const atWork = Effect.fnUntraced(function*(
  lab: Lab.Lab,
  processes: number,
  workMs: number,
  configOf: (index: number) => { readonly machine?: string; readonly lease?: string }
) {
  const programs = yield* Effect.forEach(
    Array.from({ length: processes }, (_, index) => configOf(index)),
    ({ machine, ...options }) =>
      lab.run("executor", {
        shut: true,
        ...(machine === undefined ? {} : { machine }),
        engine: { ...engine, maxRunning: Math.ceil(Jobs.count / processes), ...options }
      })
  )
  for (const program of programs) yield* program.hear("ready")
  const workflowIds = yield* Jobs.startAll(workMs)
  yield* eventually(
    "every process to be at work",
    Effect.sync(() => programs.every(({ pid }) => effectsOf(lab, pid) > 0)),
    { state: () => programs.map((program) => [effectsOf(lab, program.pid), program.state]) }
  )
  return { programs, workflowIds }
})

const open = (programs: ReadonlyArray<Program>) =>
  Effect.forEach(programs, (program) => program.ask({ do: "open" }), { discard: true })

const effectsOf = (lab: Lab.Lab, pid: number): number => lab.sideEffects().filter((effect) => effect.pid === pid).length

/** Leases that those who live have lost: on a slow machine also one that nobody froze. */
const losses = (programs: ReadonlyArray<Program>) =>
  Effect.map(
    Effect.forEach(programs, (program) => program.ask({ do: "counters" })),
    (counters) => counters.reduce((sum, one) => sum + Number(one["perdure_leases_lost"] ?? 0), 0)
  )

const triedBy = (lab: Lab.Lab, { pid }: Program) => lab.sideEffects().filter((effect) => effect.pid === pid)

const ownedBy = (program: Program) =>
  Effect.map(
    Client.list({ name: "Job", status: "PENDING", limit: 1000 }),
    ({ workflows }) => workflows.filter((one) => one.executorId === String(program.pid)).map((one) => one.workflowId)
  )

Lab.onBothStores("several processes", (kind) => {
  for (const processes of [2, 3]) {
    it.live(`finish the work of one of ${processes} machines that is gone, within the lease and a little`, () =>
      Effect.gen(function*() {
        const lab = yield* Lab.make(kind)
        yield* Effect.gen(function*() {
          const { programs: [victim, ...others], workflowIds } = yield* atWork(
            lab,
            processes,
            300,
            // It is the lease of the killed one that is waited for: nobody lives to see the end of the others'.
            (index) => ({ machine: `machine ${index}`, ...(index === 0 ? {} : long) })
          )
          const before = yield* losses([victim!])
          yield* victim!.kill
          const store = yield* Store
          const killedAt = yield* store.now
          const lost = yield* ownedBy(victim!)
          assert.isAbove(lost.length, 0, "nothing was under way in the killed process")
          yield* open(others)
          yield* Jobs.allDone
          const ends = yield* Effect.forEach(lost, (id) => Effect.map(Client.get(id), (info) => info.completedAt!))
          const tookMs = Math.max(...ends.map((end) => end.getTime())) - killedAt
          console.log(`${kind}: ${lost.length} workflows of a killed process done ${tookMs} ms after the kill`)
          yield* Jobs.assertJobs(workflowIds, lab.sideEffects(), 2 + before + (yield* losses(others)))
        }).pipe(Effect.provide(lab.client))
      }))
  }

  it.live("of one machine go on at once with what a killed one had, however long its lease is", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const { programs: [victim, ...others], workflowIds } = yield* atWork(lab, 2, 300, () => long)
        yield* victim!.kill
        assert.isAbove((yield* ownedBy(victim!)).length, 0, "nothing was under way in the killed process")
        yield* open(others)
        yield* Jobs.allDone
        yield* Jobs.assertJobs(workflowIds, lab.sideEffects(), 2)
      }).pipe(Effect.provide(lab.client))
    }))

  it.live("of one machine leave one that is frozen to its lease", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        const { programs: [frozen, other] } = yield* atWork(lab, 2, 300, () => long)
        yield* freeze(frozen!)
        const owned = yield* ownedBy(frozen!)
        assert.isAbove(owned.length, 0)
        yield* open([other!])
        // Long enough for several sweeps of the other.
        yield* eventually(
          "the other to end what is its own",
          Effect.map(ownedBy(other!), ({ length }) => length === 0),
          { state: () => other!.state }
        )
        yield* Effect.sleep("2 seconds")
        // Its database may have answered a claim of it since.
        assert.includeMembers([...(yield* ownedBy(frozen!))], [...owned])
      }).pipe(Effect.provide(lab.client))
    }))

  it.live("are not disturbed by one that was frozen past its lease and goes on", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      yield* Effect.gen(function*() {
        // Its writes wait on their way, so that they reach the database when another owns the workflows.
        const frozen = yield* lab.run("executor", { shut: true, engine: { ...roomy, ...toBeFrozen } })
        yield* frozen.hear("ready")
        const workflowIds = yield* Jobs.startAll(300)
        yield* eventually(
          "a write to be under way",
          Effect.map(frozen.ask({ do: "waiting" }), ({ writes }) => writes > 0)
        )
        const stoppedAt = yield* freeze(frozen)
        const lost = yield* ownedBy(frozen)
        assert.isAbove(lost.length, 0)
        // And the other, that takes them over, does not end them before.
        const other = yield* lab.run("executor", { shut: true, engine: { ...roomy, ...toTakeOver } })
        yield* eventually(
          "the other to take over",
          Effect.map(ownedBy(other), (owned) => lost.every((workflowId) => owned.includes(workflowId))),
          { state: () => other.state }
        )
        frozen.signal("SIGCONT")
        yield* frozen.ask({ do: "open" })
        const counters = yield* eventually(
          "the frozen process to learn of its loss",
          Effect.map(
            frozen.ask({ do: "counters" }),
            (now) => now["perdure_leases_lost"] > 0 && now["perdure_fenced_writes"] > 0 && now
          ),
          { state: () => frozen.state }
        )
        console.log(`${kind}: ${counters["perdure_fenced_writes"]} writes of a frozen process were refused`)
        yield* other.ask({ do: "open" })
        yield* Jobs.allDone
        // Once, and once more for each lease that was lost: mostly the one.
        yield* Jobs.assertJobs(workflowIds, lab.sideEffects(), 1 + (yield* losses([frozen, other])))
        // What it began before it was frozen is all that it ever did for them.
        assert.deepStrictEqual(triedBy(lab, frozen).filter((effect) => effect.at > stoppedAt), [])
        // It is of use again, under a new lease.
        yield* other.kill
        yield* Jobs.assertUseful(frozen.pid)
      }).pipe(Effect.provide(lab.client))
    }))

  it.live("take over steps that are tried again, of which a frozen one makes no further attempt", () =>
    Effect.gen(function*() {
      const lab = yield* Lab.make(kind)
      const programs = yield* Effect.all([
        lab.run("executor", { engine: { ...engine, ...toBeFrozen } }),
        lab.run("executor", { engine: { ...engine, ...toTakeOver } })
      ])
      for (const program of programs) yield* program.hear("ready")
      const [frozen, other] = programs
      const workflowIds = Array.from({ length: 10 }, (_, index) => `insisting-${index}`)
      const tried = (program: Program) =>
        eventually(
          `each to be tried in ${program.pid}`,
          Effect.sync(() =>
            workflowIds.every((id) => triedBy(lab, program).some((effect) => effect.workflowId === id))
          ),
          { state: () => [program.state, triedBy(lab, program)] }
        )
      for (const workflowId of workflowIds) yield* frozen.ask({ do: "start", name: "Insisting", workflowId })
      yield* tried(frozen)
      const stoppedAt = yield* Effect.provide(freeze(frozen), lab.client)
      yield* tried(other)
      frozen.signal("SIGCONT")
      yield* eventually(
        "the frozen process to learn of its loss",
        Effect.map(frozen.ask({ do: "counters" }), (now) => now["perdure_leases_lost"] > 0),
        { state: () => frozen.state }
      )
      assert.deepStrictEqual(triedBy(lab, frozen).filter((effect) => effect.at > stoppedAt), [])
    }))
})
