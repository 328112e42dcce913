/**
 * Hunts for queues that let in more than their limits, or out of order, or the same workflow twice, or leave something
 * behind: random histories, whose observations are swept over by rules that share nothing with what made them.
 *
 * `PERDURE_SEED=n` runs the histories of one seed again (those of several executors at the same time differ from run to
 * run); `PERDURE_HISTORIES=n` sets how many.
 */
import * as Effect from "effect/Effect"
import { it } from "vitest"
import { holds, seed } from "./holds.ts"
import type { Fact } from "./queues/history.ts"
import { onEngine } from "./queues/onEngine.ts"
import { onStore } from "./queues/onStore.ts"
import { plan } from "./queues/plan.ts"
import { startsOutOfOrder, violations } from "./queues/rules.ts"
import { onStores } from "./stores.ts"

/** What is wrong with a history, and the history. */
const judged = (facts: ReadonlyArray<Fact>, more: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const wrong = [...violations(facts), ...more]
  return wrong.length === 0 ? [] : [...wrong, ...facts.map((fact) => JSON.stringify(fact))]
}

const histories = Number(process.env["PERDURE_HISTORIES"] ?? 20)

onStores(`histories of queues, seed ${seed}`, (opened) => {
  it("keep every rule, one call after another", () =>
    holds(plan, histories, (plan) => Effect.map(onStore(opened().stores, plan, false), (facts) => judged(facts))))

  it(
    "keep every rule, three executors at the same time",
    () => holds(plan, histories, (plan) => Effect.map(onStore(opened().stores, plan, true), (facts) => judged(facts)))
  )

  it("keep every rule through one engine, and start in order", () =>
    holds(
      plan,
      Math.ceil(histories / 4),
      (plan) =>
        Effect.map(
          onEngine(opened().clients, plan, 1),
          ({ facts, startedAt }) => judged(facts, startsOutOfOrder(facts, startedAt))
        )
    ))

  it("keep every rule through three engines", () =>
    holds(
      plan,
      Math.ceil(histories / 4),
      (plan) => Effect.map(onEngine(opened().clients, plan, 3), ({ facts }) => judged(facts))
    ))
})
