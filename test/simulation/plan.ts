/** What a simulation does, as data: a program, who runs it, and what goes wrong at which call to the store. */
import * as fc from "fast-check"
import { aCase, aProgram, type Program } from "../property/programs/program.ts"

/** What goes wrong with a call. */
export const faults = [
  /** Not done, and said so. */
  "refused",
  /** Done, and the answer is lost. */
  "unanswered",
  /** The answer is lost, and it is done only some time later. A transaction: never. */
  "done later",
  /** Takes long to arrive. */
  "slow",
  /** Done, and the answer takes long. */
  "answered late",
  /** Somebody else holds every row of it. */
  "busy",
  /** From here on nothing of this process reaches the store for a while. */
  "cut off",
  /** From here on no heartbeat of this process reaches the store for a while. */
  "no heartbeats",
  /** The process ends, without a farewell; a while later there is another. */
  "dies before",
  "dies after",
  /** The process gives everything back and ends, beside the one that comes after it. */
  "leaves"
] as const

/** What somebody outside does meanwhile, with whom the dice say. */
const acts = [
  /** Some workflow is cancelled, and its children. */
  "is cancelled",
  /** All that are cancelled are resumed, or one of them. */
  "are resumed",
  /** Some workflow that is not done, at once: whoever runs it may not have heard of the one when the other comes. */
  "is cancelled and resumed"
] as const

export type Act = typeof acts[number]
export type What = typeof faults[number] | Act
export const isAct = (what: What): what is Act => acts.some((act) => act === what)

/** Which calls to the store: all of them, or those of a kind. Taking: claims that took something, when they have. */
export type On = "any" | "write" | "transaction" | "heartbeat" | "taking"

/** At the first such call after so many others; an act that has not come up is done when all is over. */
export interface Fault {
  readonly on: On
  readonly after: number
  readonly what: What
  /** How long it takes, where it does. */
  readonly ms: number
}

export interface Plan {
  readonly program: Program
  /** Messages from outside. */
  readonly others: number
  /** Programs that wait in a queue beside it, and the limits of that. */
  readonly queued: ReadonlyArray<Program>
  readonly concurrency: number | null
  readonly executorConcurrency: number | null
  /** Of the first workflow: until when it must have ended. */
  readonly timeoutMs: number | null
  readonly executors: number
  /** Each happens once, if it comes to that; then all is well. */
  readonly faults: ReadonlyArray<Fault>
  /** How many of a hundred hints arrive. */
  readonly hints: number
  /** Of the simulation's own dice: how long each call takes, which hints arrive. */
  readonly chance: number
}

/** Less and more than a turn, a look, a beat, a lease, and the patience with a call. */
const ms = fc.constantFrom(1, 30, 800, 3_000, 8_000, 40_000)

const fault = (
  on: On,
  most: number,
  what: fc.Arbitrary<What> = fc.constantFrom(...faults),
  forMs: fc.Arbitrary<number> = ms
): fc.Arbitrary<Fault> => fc.record({ on: fc.constant(on), after: fc.nat({ max: most }), what, ms: forMs })

const aFault = fc.oneof(
  { weight: 4, arbitrary: fault("any", 80) },
  { weight: 4, arbitrary: fault("write", 25) },
  { weight: 2, arbitrary: fault("transaction", 2) },
  { weight: 2, arbitrary: fault("taking", 2, fc.constantFrom("unanswered", "answered late", "dies after")) },
  { weight: 1, arbitrary: fault("heartbeat", 2) },
  { weight: 3, arbitrary: fault("any", 40, fc.constantFrom(...acts), fc.constant(0)) },
  // One that is worth something: a lease is over meanwhile.
  { weight: 1, arbitrary: fault("any", 40, fc.constantFrom("cut off", "no heartbeats"), fc.constant(8_000)) }
)

export const aPlan: fc.Arbitrary<Plan> = fc.record({
  work: aCase.map(({ others, program }) => ({ others, program })),
  timeoutMs: fc.constantFrom(null, null, null, null, null, 3, 40, 400, 4_000, 40_000),
  queue: fc.oneof(
    { weight: 2, arbitrary: fc.constant({ queued: [], concurrency: null, executorConcurrency: null }) },
    {
      weight: 1,
      arbitrary: fc.record({
        queued: fc.array(aProgram, { minLength: 1, maxLength: 4 }),
        concurrency: fc.constantFrom(null, 1, 2),
        executorConcurrency: fc.constantFrom(null, 1)
      })
    }
  ),
  executors: fc.integer({ min: 1, max: 2 }),
  faults: fc.array(aFault, { maxLength: 10, size: "max" }),
  hints: fc.constantFrom(100, 50, 0),
  chance: fc.nat()
}).map(({ queue, work, ...rest }) => ({ ...work, ...queue, ...rest }))
