/** Who waits for an outcome, or for what a workflow tells. Hunts for an answer that was read before it was asked for. */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Looks, type Question } from "../src/internal/looks.ts"
import { Waiters } from "../src/internal/waiters.ts"
import type { Outcome, StoreService } from "../src/Store.ts"

const fork = (effect: Effect.Effect<void>): void => void Effect.runFork(effect)

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.repeat(Effect.sleep(1), { until: () => holds() }).pipe(Effect.asVoid)

it.live("one who asks while a look is under way is told by a later one", () =>
  Effect.gen(function*() {
    const outcome: Outcome = { workflowId: "x", name: "X", status: "SUCCESS", output: "1", reason: null }
    const first = yield* Deferred.make<void>()
    let looks = 0
    const store = {
      outcomes: () =>
        Effect.suspend((): ReturnType<StoreService["outcomes"]> =>
          ++looks === 1
            ? Effect.as(Deferred.await(first), { done: [], blocked: [], unknown: ["x"] })
            : Effect.succeed({ done: [outcome], blocked: [], unknown: [] })
        )
    } as unknown as StoreService
    const waiters = new Waiters(store, fork, () => false, () => {})
    const early = yield* Effect.forkChild(waiters.awaiting("x", false), { startImmediately: true })
    yield* until(() => looks === 1)
    // It has been started meanwhile, and the look does not know.
    const late = yield* Effect.forkChild(waiters.awaiting("x", false), { startImmediately: true })
    yield* Deferred.succeed(first, undefined)
    assert.deepStrictEqual(yield* Fiber.join(early), { _tag: "Unknown" })
    assert.deepStrictEqual(yield* Fiber.join(late), { _tag: "Done", outcome })
  }))

it.live("one who asks for an event while it is being looked for is told by a later look", () =>
  Effect.gen(function*() {
    const first = yield* Deferred.make<void>()
    let looks = 0
    const events = new Looks<Question, string>({
      textOf: ({ key }) => key,
      ask: () =>
        Effect.suspend(() => ++looks === 1 ? Effect.as(Deferred.await(first), ["before"]) : Effect.succeed(["after"])),
      isAnswer: () => true
    }, fork)
    const question = { workflowId: "x", key: "k" }
    const early = yield* Effect.forkChild(events.awaiting(question), { startImmediately: true })
    yield* until(() => looks === 1)
    const late = yield* Effect.forkChild(events.awaiting(question), { startImmediately: true })
    yield* Deferred.succeed(first, undefined)
    assert.deepStrictEqual([yield* Fiber.join(early), yield* Fiber.join(late)], ["before", "after"])
  }))
