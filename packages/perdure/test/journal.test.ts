/** The journal against a database that says nothing. Hunts for a write that waits for its answer for ever. */
import { assert, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { advance, childOf, event, record, start, succeed } from "../../../test/conformance/builders.ts"
import { Journal } from "../src/internal/journal.ts"
import type { Advance, Answer, Operation, StoreService } from "../src/Store.ts"

it.live("a write that is neither answered nor refused is given up and submitted again, the very same", () =>
  Effect.gen(function*() {
    const written: Array<ReadonlyArray<Operation>> = []
    const answer: Answer = { _tag: "Recorded", children: [] }
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.suspend(() => written.push(batch) === 1 ? Effect.never : Effect.succeed(batch.map(() => answer)))
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 50 }
    const journal = new Journal(store, options, (effect) => void Effect.runFork(effect))
    const operation = advance("w", 1, { records: [record(0)] })
    const answers: Array<Answer> = []
    yield* Effect.callback<void>((resume) =>
      journal.submit(operation, (answer) => {
        answers.push(answer)
        resume(Effect.void)
      })
    )
    assert.deepStrictEqual(answers, [answer])
    assert.deepStrictEqual(written, [[operation], [operation]])
  }))

it.live("what may be there already goes alone, also when it is held on the way", () =>
  Effect.gen(function*() {
    const written: Array<ReadonlyArray<Operation>> = []
    const recorded: Answer = { _tag: "Recorded", children: [] }
    const first = advance("w", 1, { records: [record(0)] })
    const second = advance("w", 1, { events: [event("e", "1")] })
    const later: Array<() => void> = []
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.suspend(() => {
          written.push(batch)
          if (written.length === 1) return Effect.never
          if (written.length > 2) return Effect.succeed(batch.map(() => recorded))
          journal.submit(second, () => later.forEach((one) => one()))
          return Effect.succeed(batch.map((): Answer => ({ _tag: "Busy" })))
        })
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 50 }
    const journal: Journal = new Journal(store, options, (effect) => void Effect.runFork(effect))
    yield* Effect.callback<void>((resume) => {
      later.push(() => resume(Effect.void))
      journal.submit(first, () => {})
    })
    assert.deepStrictEqual(written, [[first], [first], [first], [second]])
  }))

it.live("what somebody holds for long is told of, once for all that wait, and written when it is free", () =>
  Effect.gen(function*() {
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    let free = false
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.sync(() => batch.map((): Answer => free ? { _tag: "Recorded", children: [] } : { _tag: "Busy" }))
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 50 }
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const journal = new Journal(store, options, (effect) => void run(Effect.provide(effect, Logger.layer([logger]))))
    for (const id of ["v", "w"]) journal.submit(advance(id, 1, { records: [record(0)] }), () => {})
    yield* Effect.repeat(Effect.sleep(20), { until: () => said.length > 0 })
    yield* Effect.sleep(500)
    assert.strictEqual(said.length, 1, said.join("\n"))
    assert.match(said[0]!, /cannot write "[vw]"( and 1 more)?, and goes on trying/)
    free = true
    yield* journal.drained
  }))

it.live("what others may wait for is tried much more often while somebody holds it than what nobody does", () =>
  Effect.gen(function*() {
    const tries = new Map<string, number>()
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.sync(() =>
          batch.map((operation): Answer => {
            const { workflowId } = operation as Advance
            tries.set(workflowId, (tries.get(workflowId) ?? 0) + 1)
            return { _tag: "Busy" }
          })
        )
    } as unknown as StoreService
    yield* Effect.acquireRelease(
      Effect.sync(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })),
      () => Effect.sync(() => vi.useRealTimers())
    )
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 60_000 }
    const journal = new Journal(store, options, (effect) => void Effect.runFork(effect))
    journal.submit(advance("records", 1, { records: [record(0)] }), () => {})
    journal.submit(advance("ends", 1, { end: succeed }), () => {})
    journal.submit(advance("tells", 1, { events: [event("e", "1")] }), () => {})
    for (let ms = 0; ms < 2_000; ms++) {
      vi.advanceTimersByTime(1)
      yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    }
    journal.close()
    assert.isAtMost(tries.get("records")!, 20)
    assert.isAtLeast(tries.get("ends")!, 60)
    assert.isAtLeast(tries.get("tells")!, 60)
  }))

it.live("what waits, what is under way and what comes later is answered when it closes, once", () =>
  Effect.gen(function*() {
    const late = yield* Deferred.make<void>()
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.as(Deferred.await(late), batch.map((): Answer => ({ _tag: "Recorded", children: [] })))
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 60_000 }
    const fibers: Array<Fiber.Fiber<void>> = []
    const journal = new Journal(store, options, (effect) => void fibers.push(Effect.runFork(effect)))
    const answers: Array<string> = []
    const submit = (id: string, stepId: number) =>
      journal.submit(
        advance(id, 1, { records: [record(stepId)] }),
        ({ _tag }) => answers.push(`${id}${stepId} ${_tag}`)
      )
    submit("v", 0)
    submit("w", 0)
    yield* Effect.repeat(Effect.yieldNow, { until: () => fibers.length > 0 })
    submit("w", 1)
    journal.close()
    yield* journal.drained
    submit("w", 2)
    submit("x", 0)
    yield* Deferred.succeed(late, undefined)
    yield* Fiber.awaitAll(fibers)
    assert.deepStrictEqual(answers, ["v0 Fenced", "w0 Fenced", "w1 Fenced", "w2 Fenced", "x0 Fenced"])
    assert.lengthOf(fibers, 1)
    assert.isFalse(journal.has("w"))
  }))

it.live("what somebody holds as it closes is answered too, and not tried again", () =>
  Effect.gen(function*() {
    let writes = 0
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.sync(() => {
          writes++
          return batch.map((): Answer => ({ _tag: "Busy" }))
        })
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 60_000 }
    const journal = new Journal(store, options, (effect) => void Effect.runFork(effect))
    const answers: Array<Answer> = []
    journal.submit(advance("w", 1, { records: [record(0)] }), (answer) => answers.push(answer))
    yield* Effect.repeat(Effect.sleep(1), { until: () => writes > 0 })
    journal.close()
    const before = writes
    yield* Effect.sleep(50)
    assert.deepStrictEqual([answers, writes], [[{ _tag: "Fenced" }], before])
  }))

it.live("what this process is to own is on its way until its answer is taken, or the journal closes", () =>
  Effect.gen(function*() {
    const first = yield* Deferred.make<void>()
    let writes = 0
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.as(
          ++writes === 1 ? Deferred.await(first) : Effect.never,
          batch.map((): Answer => ({ _tag: "Recorded", children: [] }))
        )
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 10_000, patienceMs: 60_000 }
    const journal = new Journal(store, options, (effect) => void Effect.runFork(effect))
    const children = [childOf("p", 0, { owner: "me" }), childOf("p", 1), childOf("p", 2, { owner: "me" })]
    const seen: Array<number> = []
    journal.submit(advance("p", 1, { children }), () => {
      seen.push(journal.starting)
      throw new Error("it cannot be taken")
    })
    yield* Effect.repeat(Effect.sleep(1), { until: () => writes > 0 })
    journal.submit(start({ workflowId: "a", owner: "me" }), () => {})
    journal.submit(start({ workflowId: "b", owner: null }), () => {})
    seen.push(journal.starting)
    yield* Deferred.succeed(first, undefined)
    yield* Effect.repeat(Effect.sleep(1), { until: () => writes > 1 })
    seen.push(journal.starting)
    journal.close()
    assert.deepStrictEqual([...seen, journal.starting], [3, 3, 1, 0])
  }))
