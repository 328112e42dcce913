/** Random histories of queues, as data: queues with their limits, and what is done with them, one after another. */
import * as fc from "fast-check"
import type { QueueLimits } from "perdure/Store"

/** How many there are that claim; each is an executor of its own. */
export const executors = 3

export interface Plan {
  readonly queues: ReadonlyArray<QueueLimits>
  readonly actions: ReadonlyArray<Action>
}

/** Numbers pick among what there is when their turn comes. `by`: whose turn it is. */
export type Action = { readonly by: number } & Doing

export type Doing =
  | {
    readonly _tag: "Enqueue"
    readonly queue: number
    readonly items: ReadonlyArray<Item>
    /** As starts of their own, or as one bulk. */
    readonly bulk: boolean
    readonly onDuplicate: "attach" | "fail"
  }
  | { readonly _tag: "Claim"; readonly limit: number }
  | {
    readonly _tag: "Finish"
    readonly pick: number
    readonly how: "success" | "error" | "suspend" | "release" | "block"
  }
  | { readonly _tag: "Wake" | "Cancel" | "Resume"; readonly pick: number }
  | { readonly _tag: "Priority"; readonly pick: number; readonly priority: number }
  | { readonly _tag: "Pause"; readonly queue: number; readonly paused: boolean }
  | { readonly _tag: "Limits"; readonly queue: number; readonly limits: QueueLimits }
  | { readonly _tag: "Clock"; readonly ms: number }
  /** Its lease ends, or it leaves; it comes back as another incarnation. */
  | { readonly _tag: "Lapse" | "Leave" }

export interface Item {
  /** Index into {@link names}. */
  readonly name: number
  readonly partition: number
  readonly priority: number
  readonly deduplication: number | null
  readonly delayMs: number
}

/** The last executor does not serve the second one. */
export const names = ["first", "second"] as const

const maybe = (to: number) => fc.option(fc.integer({ min: 1, max: to }))
const rate = (limit: number, periodMs: number) =>
  fc.option(fc.record({ limit: fc.integer({ min: 1, max: limit }), periodMs: fc.constant(periodMs) }), { freq: 2 })

const least = (limit: number | null, ...bounds: ReadonlyArray<number | null>): number | null =>
  limit === null ? null : Math.min(limit, ...bounds.map((bound) => bound ?? Infinity))

/** As an engine would take them: a part is limited to no more than the whole. */
const sensible = (limits: QueueLimits): QueueLimits => {
  const { concurrency, partitioned } = limits
  const executorConcurrency = least(limits.executorConcurrency, concurrency)
  const ofKey = least(partitioned?.concurrency ?? 1, concurrency)!
  return {
    ...limits,
    executorConcurrency,
    partitioned: partitioned === null ? null : {
      ...partitioned,
      concurrency: ofKey,
      executorConcurrency: least(partitioned.executorConcurrency, ofKey, executorConcurrency)
    }
  }
}

const limits = (partitioned: boolean): fc.Arbitrary<QueueLimits> =>
  fc.record({
    concurrency: maybe(4),
    executorConcurrency: maybe(3),
    rateLimit: rate(3, 10_000),
    partitioned: partitioned
      ? fc.record({
        concurrency: fc.integer({ min: 1, max: 2 }),
        executorConcurrency: maybe(2),
        rateLimit: rate(2, 5_000)
      })
      : fc.constant(null),
    ageingMs: fc.option(fc.constantFrom(500, 2_000), { freq: 2 })
  }).map(sensible)

const priority = fc.constantFrom(0, 0, 1, 2, 3, 2_147_483_647)
const pick = fc.nat({ max: 50 })
const queue = fc.nat({ max: 2 })

const item: fc.Arbitrary<Item> = fc.record({
  name: fc.constantFrom(0, 0, 1),
  partition: fc.nat({ max: 2 }),
  priority,
  deduplication: fc.option(fc.nat({ max: 2 }), { freq: 2 }),
  delayMs: fc.constantFrom(0, 0, 0, 1_000, 3_000)
})

const doing: fc.Arbitrary<Doing> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      _tag: fc.constant("Enqueue" as const),
      queue,
      items: fc.array(item, { minLength: 1, maxLength: 4 }),
      bulk: fc.boolean(),
      onDuplicate: fc.constantFrom("attach" as const, "fail" as const)
    })
  },
  { weight: 8, arbitrary: fc.record({ _tag: fc.constant("Claim" as const), limit: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      _tag: fc.constant("Finish" as const),
      pick,
      how: fc.constantFrom("success" as const, "success", "error", "suspend", "suspend", "release", "block")
    })
  },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constantFrom("Wake" as const, "Wake", "Cancel", "Resume"), pick }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Priority" as const), pick, priority }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Pause" as const), queue, paused: fc.boolean() }) },
  {
    weight: 3,
    arbitrary: fc.record({ _tag: fc.constant("Clock" as const), ms: fc.constantFrom(700, 2_500, 6_000, 11_000) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constantFrom("Lapse" as const, "Leave") }) }
)

const change = (queues: ReadonlyArray<QueueLimits>): fc.Arbitrary<Doing> =>
  fc.nat({ max: queues.length - 1 }).chain((queue) =>
    limits(queues[queue]!.partitioned !== null).map((limits) => ({ _tag: "Limits", queue, limits }))
  )

export const plan: fc.Arbitrary<Plan> = fc
  .array(fc.boolean().chain(limits), { minLength: 1, maxLength: 3 })
  .chain((queues) =>
    fc.record({
      queues: fc.constant(queues),
      actions: fc.array(
        fc.tuple(
          fc.nat({ max: executors - 1 }),
          fc.oneof({ weight: 20, arbitrary: doing }, { weight: 2, arbitrary: change(queues) })
        )
          .map(([by, what]) => ({ ...what, by })),
        { minLength: 1, maxLength: 80, size: "max" }
      )
    })
  )
