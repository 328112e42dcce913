/** The class of bug hunted here: a connection whose peer is gone without a word, and somebody who waits for it for ever. */
import { assert, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Hint } from "perdure/Store"
import { Proxy } from "../../../test/chaos/proxy.ts"
import { freshSchema, open, url, useDatabase } from "./given.ts"

useDatabase()

it.live("notifications that do not arrive any more are noticed, and a silent connection holds up nobody who closes it", () =>
  Effect.gen(function*() {
    const proxy = yield* Effect.acquireRelease(
      Effect.promise(() => Proxy.before(url())),
      (proxy) => Effect.promise(() => proxy.close())
    )
    const schema = freshSchema()
    const { store: other } = yield* open(schema)
    const scope = yield* Scope.make()
    const { store } = yield* Scope.provide(open(schema, { url: Redacted.make(proxy.through(url())) }), scope)
    const listening = Effect.fnUntraced(function*() {
      const heard = yield* Deferred.make<Hint>()
      const stream = store.hints("a").pipe(Stream.tap((hint) => Deferred.succeed(heard, hint)), Stream.runDrain)
      const fiber = yield* Effect.forkIn(Effect.exit(stream), scope)
      const sending = yield* Effect.forkScoped(
        Effect.forever(Effect.andThen(other.hint([{ _tag: "Queue", queue: "q" }], ""), Effect.sleep(50)))
      )
      assert.deepStrictEqual(yield* Deferred.await(heard), { _tag: "Queue", queue: "q" })
      yield* Fiber.interrupt(sending)
      return fiber
    })
    const first = yield* listening()
    proxy.vanish()
    assert.match(String(yield* Fiber.join(first)), /do not come back/)
    // What is connected from now on is well, and goes silent in its turn.
    yield* listening()
    proxy.vanish()
    yield* Scope.close(scope, Exit.void)
  }))
