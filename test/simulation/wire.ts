/** The way from one process to the store, on which anything can happen to a call. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { StoreError, type StoreService, StoreUnavailable, TransactionAborted } from "perdure/Store"
import type { Call, History } from "./history.ts"
import { type Act, type Fault, isAct, type On, type Plan, type What } from "./plan.ts"

/** What is to go wrong, at whichever process's call it is. */
export class Faults {
  private readonly left: Array<{ readonly fault: Fault; passed: number }>

  constructor(plan: Plan) {
    this.left = plan.faults.map((fault) => ({ fault, passed: 0 }))
  }

  next(method: string): Fault | undefined {
    const due = this.left.filter((one) => isOf(one.fault.on, method) && one.passed++ >= one.fault.after)[0]
    if (due !== undefined) this.left.splice(this.left.indexOf(due), 1)
    return due?.fault
  }

  /** An act that has not come up. */
  takeAct(): Act | undefined {
    const index = this.left.findIndex(({ fault }) => isAct(fault.what))
    return index < 0 ? undefined : this.left.splice(index, 1)[0]!.fault.what as Act
  }
}

const isOf = (on: On, method: string): boolean =>
  on === "any" ? method !== "taking" : (on === "write" ? method === "write" || method === "renew" : method === on)

/** Made as the store has it, whoever asked for it, and no more than that. */
const canBeMadeLater = new Set(["write", "renew", "claim", "heartbeat", "sweep", "leave"])

/** Whose calls they are. */
export interface Caller {
  readonly name: string
  /** It does nothing more. */
  readonly gone: boolean
  /** What becomes of it when its time has come; undefined: that never comes. */
  readonly end: { readonly dies: (afterMs: number) => void; readonly leaves: () => void } | undefined
}

type Made = Effect.Effect<unknown, unknown, unknown>

/** The store as this process reaches it. `acts`: what somebody outside does at this moment. */
export const wire = (
  store: StoreService,
  caller: Caller,
  faults: Faults,
  plan: Plan,
  history: History,
  acts: (act: Act) => void
): StoreService => {
  let cutOffUntil = 0
  let unheardUntil = 0

  const suffer = (call: Call, made: Made, fault: Fault): Made => {
    const { args, method } = call
    const what = possible(fault.what, call, caller)
    if (isAct(what)) {
      acts(what)
      return made
    }
    history.happened(what)
    switch (what) {
      case "refused":
        return Effect.fail(unavailable("refused"))
      case "unanswered":
        return Effect.flatMap(Effect.exit(made), (exit) => Exit.isFailure(exit) ? exit : lost(method))
      case "done later":
        if (method === "transaction") return lost(method)
        return Effect.andThen(Effect.forkDetach(Effect.andThen(pause(fault.ms), Effect.exit(made))), lost(method))
      case "slow":
        return Effect.andThen(pause(fault.ms), made)
      case "answered late":
        return Effect.flatMap(Effect.exit(made), (exit) => Effect.andThen(pause(fault.ms), exit))
      case "busy":
        return Effect.succeed(method === "write" ? batchOf(args).map(() => ({ _tag: "Busy" })) : "busy")
      case "cut off":
        cutOffUntil = Date.now() + fault.ms
        return Effect.andThen(pause(fault.ms), made)
      case "no heartbeats":
        unheardUntil = Date.now() + fault.ms
        return made
      case "dies before":
        caller.end?.dies(fault.ms)
        return Effect.never
      case "dies after":
        return Effect.andThen(
          Effect.exit(made),
          Effect.suspend(() => {
            caller.end?.dies(fault.ms)
            return Effect.never
          })
        )
      case "leaves":
        caller.end?.leaves()
        return made
    }
  }

  const through = (call: Call, real: Made): Made =>
    Effect.suspend(() => {
      if (caller.gone) return Effect.never
      history.happened("a call")
      const fault = faults.next(call.method)
      if (call.method === "heartbeat" && Date.now() < unheardUntil) return Effect.fail(unavailable("out of reach"))
      const made = Effect.flatMap(real, (answer) => {
        history.made(call, answer)
        const fault = tookSomething(call, answer) ? faults.next("taking") : undefined
        return fault === undefined ? Effect.succeed(answer) : suffer(call, Effect.succeed(answer), fault)
      })
      return Effect.andThen(
        pause(Math.max(cutOffUntil - Date.now(), aLittle())),
        fault === undefined ? made : suffer(call, made, fault)
      )
    }).pipe(
      Effect.tap(() => pause(aLittle())),
      Effect.flatMap((answer) => {
        if (caller.gone) return Effect.never
        history.told(call, answer)
        return Effect.succeed(answer)
      })
    )

  const methodOf = (method: string, real: unknown): unknown => {
    const call = (args: ReadonlyArray<unknown>): Call => ({ caller: caller.name, method, args, at: Date.now() })
    return typeof real === "function"
      ? (...args: ReadonlyArray<unknown>) => Effect.suspend(() => through(call(args), real(...args)))
      : Effect.suspend(() => through(call([]), real as Made))
  }

  // Each method is what it was, only later or not at all: no compiler sees that.
  const methods = Object.fromEntries(Object.entries(store).map(([name, real]) => [name, methodOf(name, real)]))
  return {
    ...methods as unknown as StoreService,
    name: store.name,
    hints: store.hints,
    hint: (hints, by) =>
      Effect.suspend(() => caller.gone || Math.random() * 100 >= plan.hints ? Effect.void : store.hint(hints, by))
  }
}

/** What can happen to such a call, or the nearest to it. */
const possible = (what: What, { args, method }: Call, { end }: Caller): What => {
  if (end === undefined && (what === "dies before" || what === "leaves")) return "refused"
  if (end === undefined && what === "dies after") return "unanswered"
  if (what === "busy" && method !== "renew" && (method !== "write" || batchOf(args).some(isWhole))) return "refused"
  if (what === "done later" && method !== "transaction" && !canBeMadeLater.has(method)) return "unanswered"
  return what
}

/** Never busy: it holds no row that was there before. */
const isWhole = ({ _tag }: { readonly _tag: string }): boolean => _tag === "StartMany"

const tookSomething = ({ method }: Call, answer: unknown): boolean =>
  method === "claim" && (answer as { readonly claimed: ReadonlyArray<unknown> }).claimed.length > 0

// The argument of `write`, which has the type that the contract gives it.
const batchOf = (args: ReadonlyArray<unknown>) => args[0] as Parameters<StoreService["write"]>[0]

const unavailable = (what: string): StoreError =>
  new StoreError({ reason: new StoreUnavailable({ message: `The simulated store was ${what}` }) })

const lost = (method: string): Effect.Effect<never, StoreError | TransactionAborted> =>
  Effect.fail(
    method === "transaction"
      ? new TransactionAborted({ why: "unknown", message: "The simulated answer to the commit was lost" })
      : unavailable("cut off before it answered")
  )

/** Milliseconds that a call is on its way: who comes first is for the dice. */
const aLittle = (): number => Math.floor(Math.random() * 3)

/** By the machine's timers, whatever clock the caller has. */
const pause = (ms: number): Effect.Effect<void> =>
  ms <= 0 ? Effect.void : Effect.callback((resume) => {
    const timer = setTimeout(() => resume(Effect.void), ms)
    return Effect.sync(() => clearTimeout(timer))
  })
