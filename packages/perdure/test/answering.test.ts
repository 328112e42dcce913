/** A store that never answers. Hunts for an interruption that is taken for the answer. */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { answeredWithin, patient } from "../src/internal/answering.ts"
import type { StoreService } from "../src/Store.ts"

it.live("what waits where it can be interrupted is in doubt, and interrupted afterwards", () =>
  Effect.gen(function*() {
    const interrupted = yield* Deferred.make<void>()
    const never = Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
    const error = yield* Effect.flip(answeredWithin(10)(never))
    assert.strictEqual(error.why, "unknown")
    yield* Deferred.await(interrupted)
  }))

it.live("what cannot be interrupted is not waited for", () =>
  Effect.gen(function*() {
    const answer = yield* Deferred.make<void>()
    const error = yield* Effect.flip(answeredWithin(10)(Effect.uninterruptible(Deferred.await(answer))))
    assert.strictEqual(error.why, "unknown")
    yield* Deferred.succeed(answer, undefined)
  }))

it.live("an answer in time is the answer, and so is a failure", () =>
  Effect.gen(function*() {
    assert.strictEqual(yield* answeredWithin(60_000)(Effect.succeed(1)), 1)
    assert.deepStrictEqual(yield* Effect.exit(answeredWithin(60_000)(Effect.fail("no"))), Exit.fail("no"))
  }))

it.live("what a workflow waits for of a store that says nothing is given up, the rest is the store's", () =>
  Effect.gen(function*() {
    const silent = {
      name: "test",
      messages: () => Effect.never,
      list: () => Effect.succeed([])
    } as unknown as StoreService
    const store = patient(silent, 10)
    const error = yield* Effect.flip(store.messages("w", { topic: null, limit: 1 }))
    assert.strictEqual(error.reason._tag, "StoreUnavailable")
    assert.deepStrictEqual(yield* store.list({ order: "asc", limit: 1 }), [])
    // As it is when it is called.
    Object.assign(silent, { messages: () => Effect.succeed([]) })
    assert.deepStrictEqual(yield* store.messages("w", { topic: null, limit: 1 }), [])
  }))

it.live("whoever stops waiting waits for its finalizers", () =>
  Effect.gen(function*() {
    let finalized = false
    const begun = yield* Deferred.make<void>()
    const slow = Effect.onInterrupt(
      Effect.andThen(Deferred.succeed(begun, undefined), Effect.never),
      () => Effect.andThen(Effect.sleep("20 millis"), Effect.sync(() => finalized = true))
    )
    const fiber = yield* Effect.forkChild(answeredWithin(60_000)(slow))
    yield* Deferred.await(begun)
    yield* Fiber.interrupt(fiber)
    assert.isTrue(finalized)
  }))
