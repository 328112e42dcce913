/**
 * Random programs of durable operations, as data. Their outcome does not depend on timing: what loses a race never ends,
 * what comes too late never comes, branches share no message, event or stream.
 */
import * as fc from "fast-check"

/** Operations one after another. */
export type Program = ReadonlyArray<Op>

export type Op =
  | { readonly _tag: "Step"; readonly name: string; readonly turns: number; readonly undo: boolean }
  | { readonly _tag: "FailingStep"; readonly name: string; readonly code: number }
  /** Fails so many times first. */
  | { readonly _tag: "RetriedStep"; readonly name: string; readonly failures: number }
  | { readonly _tag: "Transaction"; readonly name: string; readonly undo: boolean }
  /** A child whose result is awaited at once, or after other operations; then what it told is read. */
  | {
    readonly _tag: "Child"
    readonly program: Program
    readonly meanwhile: Program | null
    readonly fails: boolean
    readonly reads: boolean
  }
  /** A message to itself; with a key it is sent twice, and there once. */
  | { readonly _tag: "Send"; readonly topic: number; readonly value: number; readonly keyed: boolean }
  /** Of what was sent so; where nothing is left, in vain for a while. */
  | { readonly _tag: "Receive"; readonly topic: number }
  /** Of what comes in from outside: only in the main sequence. */
  | { readonly _tag: "ReceiveOther" }
  | { readonly _tag: "Set"; readonly key: number; readonly value: number }
  | { readonly _tag: "Get"; readonly key: number }
  | { readonly _tag: "Write"; readonly key: number; readonly value: number }
  | { readonly _tag: "Close"; readonly key: number }
  | { readonly _tag: "Select"; readonly winner: "message" | "sleep"; readonly value: number }
  | { readonly _tag: "Sleep"; readonly ms: number }
  | { readonly _tag: "All" | "Plain"; readonly branches: ReadonlyArray<Program> }
  | { readonly _tag: "ForEach"; readonly program: Program; readonly times: number; readonly wide: boolean }
  | {
    readonly _tag: "Race"
    readonly winner: Program
    readonly loser: "receive" | "sleep" | "event"
    readonly first: boolean
  }
  /** In time, or (null) waits in vain for a message. */
  | { readonly _tag: "Timeout"; readonly program: Program | null }
  | { readonly _tag: "Patch"; readonly id: number }
  /** What is recorded is the same ever after. */
  | { readonly _tag: "Now" | "Uuid" }
  /** In a main sequence: what follows is another life of the workflow. */
  | { readonly _tag: "Again" }

/** When the engine is lost, and how. */
export interface Crash {
  /** In the so many-th step that begins since the last crash. */
  readonly step: number
  /** The step never ends, or it ends, and the crash comes some time later. */
  readonly during: boolean
  /** It gives everything back, or is only found out to be gone. */
  readonly how: "leaves" | "is lost"
}

export interface Case {
  readonly program: Program
  readonly others: number
  readonly crashes: ReadonlyArray<Crash>
}

/**
 * Paths of operations: labels of branches and indexes take turns, `m.2.winner.0`. A workflow's own branch is labelled `m`,
 * a child's is the end of its path.
 */
export const scopeOf = (workflow: string): string => workflow === "" ? "m" : workflow

/** Whether one operation comes before the other in their common sequence, so that it ended before the other began. */
export const precedes = (left: string, right: string): boolean => {
  const [a, b] = [left.split("."), right.split(".")]
  const at = a.findIndex((part, index) => part !== b[index])
  return at % 2 === 1 && at < b.length && Number(a[at]) < Number(b[at])
}

const small = fc.nat({ max: 9 })
const topic = fc.nat({ max: 1 })
const name = fc.constantFrom("work", "pay")
const undo = fc.constantFrom(false, false, true)

const leaf: fc.Arbitrary<Op> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ _tag: fc.constant("Step" as const), name, turns: fc.nat({ max: 3 }), undo }) },
  fc.record({ _tag: fc.constant("FailingStep" as const), name, code: small }),
  fc.record({ _tag: fc.constant("RetriedStep" as const), name, failures: fc.integer({ min: 1, max: 2 }) }),
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Transaction" as const), name, undo }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Send" as const), topic, value: small, keyed: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Receive" as const), topic }) },
  fc.constant({ _tag: "ReceiveOther" as const }),
  fc.record({ _tag: fc.constant("Set" as const), key: topic, value: small }),
  fc.record({ _tag: fc.constant("Get" as const), key: topic }),
  { weight: 2, arbitrary: fc.record({ _tag: fc.constant("Write" as const), key: topic, value: small }) },
  fc.record({ _tag: fc.constant("Close" as const), key: topic }),
  fc.record({
    _tag: fc.constant("Select" as const),
    winner: fc.constantFrom("message" as const, "sleep" as const),
    value: small
  }),
  fc.record({ _tag: fc.constant("Sleep" as const), ms: fc.constantFrom(1, 5, 60) }),
  fc.record({ _tag: fc.constant("Patch" as const), id: small }),
  fc.record({ _tag: fc.constantFrom("Now" as const, "Uuid" as const) }),
  fc.constant({ _tag: "Again" as const })
)

export const { program: aProgram } = fc.letrec<{ program: Program; op: Op }>((tie) => ({
  program: fc.array(tie("op"), { minLength: 1, maxLength: 6, depthIdentifier: "programs" }),
  op: fc.oneof(
    { depthIdentifier: "programs", depthSize: "small", maxDepth: 3 },
    { weight: 6, arbitrary: leaf },
    {
      weight: 1,
      arbitrary: fc.record({
        _tag: fc.constant("Child" as const),
        program: tie("program"),
        meanwhile: fc.option(tie("program"), { freq: 2 }),
        fails: fc.boolean(),
        reads: fc.boolean()
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        _tag: fc.constantFrom("All" as const, "Plain" as const),
        branches: fc.array(tie("program"), { minLength: 1, maxLength: 3 })
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        _tag: fc.constant("ForEach" as const),
        program: tie("program"),
        times: fc.integer({ min: 1, max: 3 }),
        wide: fc.boolean()
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({
        _tag: fc.constant("Race" as const),
        winner: tie("program"),
        loser: fc.constantFrom("receive" as const, "sleep" as const, "event" as const),
        first: fc.boolean()
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({ _tag: fc.constant("Timeout" as const), program: fc.option(tie("program"), { freq: 2 }) })
    }
  )
}))

/** Ever larger alternatives of one crash, or none. */
const crash: fc.Arbitrary<Crash> = fc.record({
  step: fc.integer({ min: 1, max: 6 }),
  during: fc.boolean(),
  how: fc.constantFrom("leaves" as const, "is lost" as const)
})

export const aCase: fc.Arbitrary<Case> = fc.record({
  program: fc.array(aProgram, { minLength: 1, maxLength: 3 }).map((parts) => parts.flat()),
  others: fc.nat({ max: 4 }),
  crashes: fc.array(crash, { maxLength: 3 })
})
