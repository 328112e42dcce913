/** The context of code that a workflow runs but that is not its body: steps, transactions, rollbacks. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { CurrentBranch, CurrentRun } from "./run.ts"

// `any`: a reference's key has no type parameter that fits `Context.add` for all of them at once.
const taken: ReadonlyArray<Context.Reference<any>> = [Clock.Clock, Scheduler.Scheduler, Random.Random]

/** The real clock, scheduler and randomness of the engine, and no run to ask. */
export const outsideOf =
  (engine: Context.Context<never>) => (context: Context.Context<never>): Context.Context<never> => {
    let outside = Context.add(Context.add(context, CurrentRun, undefined), CurrentBranch, undefined)
    for (const key of taken) outside = Context.add(outside, key, Context.get(engine, key))
    return outside
  }
