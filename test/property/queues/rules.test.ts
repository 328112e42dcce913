/** The judge of histories is judged: a good history is good, and each of these is bad for the reason given. */
import type { QueueLimits } from "perdure/Store"
import { describe, expect, it } from "vitest"
import { limits, perKey } from "../../conformance/queues.ts"
import type { Claimed, Enqueued, Fact, Span, What } from "./history.ts"
import { violations } from "./rules.ts"

// -----------------------------------------------------------------------------
// histories by hand
// -----------------------------------------------------------------------------

/** One after another; a list: what one call told. */
const history = (...calls: ReadonlyArray<What | ReadonlyArray<What>>): ReadonlyArray<Fact> =>
  calls.flatMap((call, index): ReadonlyArray<Fact> =>
    ("_tag" in call ? [call] : call).map((what) => ({ ...what, from: 10 * index, to: 10 * index + 5 }))
  )

const limited = (given: Partial<QueueLimits> = {}): What => ({ _tag: "Limits", queue: "q", limits: limits(given) })

const enqueued = (id: string, given: Partial<Enqueued> = {}): What => ({
  _tag: "Enqueued",
  id,
  name: "Order",
  queue: "q",
  partitionKey: null,
  priority: 0,
  deduplicationId: null,
  at: 0,
  delayMs: 0,
  index: 0,
  ...given
})

/** Contended, unless it is to have taken all that it could. */
const claimed = (took: ReadonlyArray<string>, given: Partial<Claimed> = {}): What => ({
  _tag: "Claimed",
  executor: "i",
  names: ["Order"],
  limit: 10,
  at: 0,
  until: given.at ?? 0,
  took,
  nextDueAt: null,
  contended: true,
  ...given
})
const all = { contended: false }

const ended = (id: string, how: "settled" | "cancelled" = "settled"): What => ({ _tag: "Ended", id, how })
const done = (...ids: ReadonlyArray<string>): ReadonlyArray<What> => ids.map((id) => ended(id))

const at = (from: number, to: number, what: What): Fact & Span => ({ ...what, from, to })

const bad = (name: string, facts: ReadonlyArray<Fact>, why: RegExp) =>
  it(name, () => {
    const wrong = violations(facts)
    expect(wrong.join("\n")).toMatch(why)
    expect(wrong.length).toBeLessThanOrEqual(2)
  })

const good = (name: string, facts: ReadonlyArray<Fact>) => it(name, () => expect(violations(facts)).toEqual([]))

// -----------------------------------------------------------------------------
// claims
// -----------------------------------------------------------------------------

describe("a history is bad", () => {
  bad(
    "when more run than the concurrency",
    history(
      limited({ concurrency: 1 }),
      enqueued("a"),
      enqueued("b"),
      claimed(["a"]),
      claimed(["b"], { executor: "j" }),
      ...done("a", "b")
    ),
    /2 running, of at most 1/
  )

  bad(
    "when a suspended one has lost its place",
    history(
      limited({ concurrency: 1 }),
      enqueued("a"),
      enqueued("b"),
      claimed(["a"]),
      { _tag: "Suspended", id: "a" },
      claimed(["b"]),
      ...done("a", "b")
    ),
    /2 running, of at most 1/
  )

  bad(
    "when more are in memory of one executor than its limit, woken ones included",
    history(
      limited({ executorConcurrency: 1 }),
      enqueued("a"),
      enqueued("b"),
      claimed(["a"]),
      { _tag: "Suspended", id: "a" },
      claimed(["b"]),
      { _tag: "Awoken", id: "a" },
      claimed(["a"]),
      ...done("a", "b")
    ),
    /2 in memory of one executor, of at most 1/
  )

  const x = { partitionKey: "x" }
  bad(
    "when two of one key run",
    history(
      limited({ partitioned: perKey() }),
      enqueued("a", x),
      enqueued("b", x),
      claimed(["a", "b"]),
      ...done("a", "b")
    ),
    /2 of x running, of at most 1/
  )

  bad(
    "when two of one key are in memory of one executor, against its limit",
    history(
      limited({ partitioned: perKey({ concurrency: 2, executorConcurrency: 1 }) }),
      enqueued("a", x),
      enqueued("b", x),
      claimed(["a", "b"]),
      ...done("a", "b")
    ),
    /2 of x in memory of one executor, of at most 1/
  )

  bad(
    "when more start in a period than the rate says",
    history(
      limited({ rateLimit: { limit: 1, periodMs: 100 } }),
      enqueued("a"),
      claimed(["a"], { at: 50 }),
      enqueued("b"),
      claimed(["b"], { at: 149 }),
      ...done("a", "b")
    ),
    /2 starts in 100 ms, of at most 1/
  )

  bad(
    "when more of one key start in a period than its rate says",
    history(
      limited({ partitioned: perKey({ concurrency: 2, rateLimit: { limit: 1, periodMs: 100 } }) }),
      enqueued("a", x),
      enqueued("b", x),
      claimed(["a"], { at: 50 }),
      claimed(["b"], { at: 149 }),
      ...done("a", "b")
    ),
    /2 starts of x in 100 ms, of at most 1/
  )

  bad(
    "when something starts in a pause",
    history(limited(), enqueued("a"), { _tag: "Paused", queue: "q", paused: true }, claimed(["a"]), ended("a")),
    /admitted in a pause/
  )

  bad(
    "when a later one starts first",
    history(limited(), enqueued("a"), enqueued("b"), claimed(["b"]), claimed(["a"]), ...done("a", "b")),
    /b was admitted before a/
  )

  bad(
    "when the second of a bulk starts first",
    history(
      limited(),
      [enqueued("a"), enqueued("b", { index: 1 })],
      claimed(["b"]),
      claimed(["a"]),
      ...done("a", "b")
    ),
    /b was admitted before a/
  )

  bad(
    "when one that was put back is overtaken",
    history(
      limited(),
      enqueued("a"),
      enqueued("b"),
      claimed(["a"]),
      { _tag: "PutBack", id: "a" },
      claimed(["b"]),
      claimed(["a"]),
      ...done("a", "b")
    ),
    /b was admitted before a/
  )

  bad(
    "when a lower priority starts first, also one that was changed",
    history(
      limited(),
      enqueued("a"),
      enqueued("b"),
      { _tag: "Priority", id: "b", priority: 5 },
      claimed(["a"]),
      claimed(["b"]),
      ...done("a", "b")
    ),
    /a was admitted before b/
  )

  bad(
    "when, with ageing, a young one starts before an old one that time has lifted above it",
    history(
      limited({ ageingMs: 10 }),
      enqueued("old", { at: 0 }),
      enqueued("young", { at: 100, priority: 9 }),
      claimed(["young"], { at: 100 }),
      claimed(["old"], { at: 100 }),
      ...done("old", "young")
    ),
    /young was admitted before old/
  )

  bad(
    "when a delayed one starts before one that came before its time",
    history(
      limited(),
      enqueued("late", { delayMs: 100 }),
      enqueued("a", { at: 50 }),
      claimed(["late"], { at: 100, limit: 1, ...all }),
      claimed(["a"], { at: 100 }),
      ...done("a", "late")
    ),
    /late was admitted before a/
  )

  bad(
    "when one that another executor has to run is overtaken in its key",
    history(
      limited({ partitioned: perKey({ concurrency: 2 }) }),
      enqueued("a", { ...x, name: "Other" }),
      enqueued("b", x),
      claimed(["b"]),
      claimed(["a"], { names: ["Other"] }),
      ...done("a", "b")
    ),
    /b was admitted before a/
  )

  bad(
    "when the first of a key starts after a later one of another",
    history(
      limited({ concurrency: 1, partitioned: perKey() }),
      enqueued("a", x),
      enqueued("b", { partitionKey: "y" }),
      claimed(["b"], all),
      ended("b"),
      claimed(["a"]),
      ended("a")
    ),
    /b was admitted before a, the first of x/
  )

  bad(
    "when a place is left free",
    history(
      limited({ concurrency: 2 }),
      enqueued("a"),
      enqueued("b"),
      claimed(["a"], all),
      claimed(["b"]),
      ...done("a", "b")
    ),
    /left b, which it could take/
  )

  bad(
    "when one that is due again is left asleep",
    history(
      limited(),
      enqueued("a"),
      claimed(["a"]),
      { _tag: "Suspended", id: "a" },
      { _tag: "Awoken", id: "a" },
      claimed([], all),
      claimed(["a"]),
      ended("a")
    ),
    /left a, which it could take/
  )

  bad(
    "when nobody is told that a delay will be over, or a rate let one start",
    history(
      limited({ rateLimit: { limit: 1, periodMs: 100 } }),
      enqueued("late", { delayMs: 50 }),
      claimed([], { ...all, nextDueAt: 51 }),
      claimed(["late"], { at: 50 }),
      enqueued("b"),
      claimed([], { ...all, at: 60, nextDueAt: null }),
      claimed(["b"], { at: 150 }),
      ...done("late", "b")
    ),
    /told to come at 51, and not at 50[^]*told to come at null, and not at 150/
  )

  bad(
    "when an executor is told to come at a time that is over",
    history(limited(), claimed([], { ...all, at: 60, nextDueAt: 60 })),
    /told at 60 to come at 60/
  )

  bad(
    "when one runs twice at once",
    history(limited(), enqueued("a"), claimed(["a"]), claimed(["a"], { executor: "j" }), ended("a")),
    /while it was in memory elsewhere/
  )

  bad(
    "when one runs after its end",
    history(limited(), enqueued("a"), claimed(["a"]), ended("a"), claimed(["a"])),
    /after its end/
  )

  bad(
    "when an owner is refused for no reason",
    history(limited(), enqueued("a"), claimed(["a"]), { _tag: "Refused", id: "a" }, ended("a")),
    /refused for no reason/
  )

  const id = { deduplicationId: "d" }
  bad(
    "when two are active with one deduplication id",
    history(limited(), enqueued("a", id), enqueued("b", id), claimed(["a", "b"]), ...done("a", "b")),
    /a and b had d at once/
  )

  bad(
    "when a workflow that has ended is named as having the deduplication id",
    history(limited(), enqueued("a", id), ended("a", "cancelled"), {
      _tag: "Duplicate",
      queue: "q",
      deduplicationId: "d",
      holder: "a"
    }),
    /a was named as having d/
  )

  bad("when one is left at the end", history(limited(), enqueued("a")), /a began 1 times and ended 0 times/)

  bad(
    "when one that was resumed is left at the end",
    history(limited(), enqueued("a"), ended("a", "cancelled"), {
      _tag: "Resumed",
      id: "a",
      was: "cancelled",
      after: 0,
      before: 0
    }),
    /a began 2 times and ended 1 times/
  )
})

describe("a history is good", () => {
  good(
    "when everything is as it should be",
    history(
      limited({ concurrency: 2, executorConcurrency: 1, rateLimit: { limit: 2, periodMs: 100 } }),
      [enqueued("a"), enqueued("b", { index: 1 })],
      enqueued("c", { priority: 1, deduplicationId: "d" }),
      { _tag: "Duplicate", queue: "q", deduplicationId: "d", holder: "c" },
      claimed(["c"], all),
      claimed(["a"], { executor: "j", ...all, at: 1 }),
      { _tag: "Suspended", id: "c" },
      claimed([], { ...all, at: 2 }),
      { _tag: "Awoken", id: "c" },
      claimed(["c"], { ...all, at: 3 }),
      ...done("c", "a"),
      enqueued("e", { deduplicationId: "d" }),
      claimed([], { ...all, at: 4, nextDueAt: 100 }),
      claimed(["b"], { ...all, at: 100, nextDueAt: 101 }),
      ended("b"),
      claimed(["e"], { ...all, at: 101 }),
      ended("e")
    )
  )

  good("when a start overlapped the giving of a rate, which may count it", [
    at(0, 1, limited()),
    at(2, 3, enqueued("a")),
    at(4, 5, enqueued("b")),
    at(6, 9, claimed(["a"], { at: 50 })),
    at(7, 8, limited({ rateLimit: { limit: 1, periodMs: 100 } })),
    at(10, 11, claimed([], { ...all, at: 60, nextDueAt: 150 })),
    at(12, 13, claimed(["b"], { at: 150 })),
    at(14, 15, ended("a")),
    at(16, 17, ended("b"))
  ])

  good("when what wakes under a rate is cancelled before its claim has answered", [
    at(0, 1, limited({ rateLimit: { limit: 1, periodMs: 100 } })),
    at(2, 3, enqueued("a")),
    at(4, 5, claimed(["a"], { at: 50 })),
    at(6, 7, { _tag: "Suspended", id: "a" }),
    at(8, 9, { _tag: "Awoken", id: "a" }),
    at(10, 12, claimed(["a"], { executor: "j", at: 60 })),
    at(11, 13, ended("a", "cancelled"))
  ])

  good("when calls overlap, and what they did may have come in the order that is right", [
    at(0, 1, limited({ concurrency: 1 })),
    at(2, 3, enqueued("a")),
    at(4, 9, enqueued("b")),
    at(5, 8, claimed(["b"])),
    at(6, 12, claimed(["a"], { executor: "j" })),
    at(10, 11, ended("b")),
    at(13, 14, ended("a"))
  ])
})
