/**
 * The writes of a run against a store that rejects some of them. Hunts for a refusal that is answered by the same again, and
 * for what is written in another order than it happened.
 */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { record, send } from "../../../test/conformance/builders.ts"
import { Writes } from "../src/internal/writes.ts"
import type { Advance } from "../src/Store.ts"

it.live("a record that no store takes ends in a block, without it", () =>
  Effect.gen(function*() {
    const submitted: Array<Advance> = []
    const bad = record(0)
    const blocked = yield* Effect.callback<boolean>((resume) => {
      const run = { workflowId: "w", epoch: 1, running: true, received: 1, happened: () => {}, stop: () => {} }
      const writes: Writes = new Writes(run, {
        submit: (advance, answered) => {
          submitted.push(advance)
          if (submitted.length > 10) return resume(Effect.succeed(false))
          const rejected = advance.records.includes(bad)
          queueMicrotask(() =>
            answered(rejected ? { _tag: "Rejected", detail: "no" } : { _tag: "Recorded", children: [] })
          )
        },
        refused: () => writes.submit({ end: { _tag: "Block", reason: "{}" } }, () => resume(Effect.succeed(true)))
      }, 0)
      writes.add(bad, undefined)
      writes.submit({ end: { _tag: "Settle", status: "SUCCESS", output: null } }, () => {})
    })
    assert.isTrue(blocked, `${submitted.length} writes`)
    assert.deepStrictEqual(submitted.map(({ end }) => end?._tag), ["Settle", "Block", "Block"])
  }))

it.live("whoever waits for a write is told when it was not the owner's any more", () =>
  Effect.gen(function*() {
    const run = {
      workflowId: "w",
      epoch: 1,
      running: true,
      received: 0,
      happened: () => {},
      stop: () => void (run.running = false)
    }
    const writes = new Writes(run, {
      submit: (_, answered) => queueMicrotask(() => answered({ _tag: "Fenced" })),
      refused: () => {}
    }, 0)
    assert.deepStrictEqual(yield* Effect.uninterruptible(writes.written(() => ({ sends: [] }))), { _tag: "Fenced" })
    assert.isFalse(run.running)
  }))

it.live("what was delivered does not go along with a write that may be refused, so nothing overtakes it", () =>
  Effect.gen(function*() {
    const submitted: Array<Advance> = []
    const run = { workflowId: "w", epoch: 1, running: true, received: 1, happened: () => {}, stop: () => {} }
    const writes: Writes = new Writes(run, {
      submit: (advance, answered) => {
        submitted.push(advance)
        queueMicrotask(() =>
          answered(
            advance.sends.length > 0
              ? { _tag: "SendRefused", index: 0, why: "ended" }
              : { _tag: "Recorded", children: [] }
          )
        )
      },
      refused: () => {}
    }, 0)
    const delivered = record(0)
    writes.add(delivered, undefined)
    const refused = writes.written(() => ({ sends: [send("ended", "m")], contested: true }))
    const next = writes.written(() => ({ along: { events: [{ key: "k", value: "1", codec: "json", stepId: 1 }] } }))
    yield* Effect.all([refused, next], { concurrency: "unbounded" })
    assert.deepStrictEqual(submitted.map(({ records }) => records), [[delivered], [], []])
  }))
