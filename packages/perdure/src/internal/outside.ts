/** The context of code that a workflow runs but that is not its body: steps, transactions, rollbacks. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import { CurrentBranch, CurrentRun } from "./run.ts"

// `any`: a reference's key has no type parameter that fits `Context.add` for all of them at once.
const taken: ReadonlyArray<Context.Reference<any>> = [Clock.Clock, Scheduler.Scheduler, Random.Random]

/**
 * The real clock, scheduler and randomness of the engine, and no run to ask. Steps of one fiber mostly have one context,
 * so the last answer is kept.
 */
export const outsideOf = (
  engine: Context.Context<never>
): (context: Context.Context<never>) => Context.Context<never> => {
  let asked: Context.Context<never> | undefined
  let answer = engine
  return (context) => {
    if (context === asked) return answer
    asked = context
    answer = Context.add(Context.add(context, CurrentRun, undefined), CurrentBranch, undefined)
    for (const key of taken) answer = Context.add(answer, key, Context.get(engine, key))
    return answer
  }
}
