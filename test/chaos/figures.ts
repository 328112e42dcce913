/** How bad it became, out of what was recorded, as pure functions. Milliseconds; 0: it did not happen. */
import type { SideEffect } from "../crash/harness/sideEffects.ts"

/** A process does nothing from here until there: it is frozen, or, until Infinity, dead. */
export interface Stop {
  readonly pid: number
  readonly from: number
  readonly to: number
}

/** A process could take over from here on. */
export interface Up {
  readonly pid: number
  readonly at: number
}

/** Of a process, from here until there. */
export type Stretch = Stop

export const worst = (figures: Iterable<number>): number => {
  let most = 0
  for (const figure of figures) most = Math.max(most, figure)
  return most
}

/** Where several tell of the same, the worst of it. */
export const worstOfEach = (
  all: ReadonlyArray<Readonly<Record<string, number>>>
): Readonly<Record<string, number>> => {
  const of: Record<string, number> = {}
  for (const figures of all) {
    for (const [what, figure] of Object.entries(figures)) of[what] = Math.max(of[what] ?? 0, figure)
  }
  return of
}

const byRun = (sideEffects: ReadonlyArray<SideEffect>, keyOf: (one: SideEffect) => string) => {
  const runs = new Map<string, Array<SideEffect>>()
  for (const one of sideEffects) {
    const key = keyOf(one)
    const run = runs.get(key)
    if (run === undefined) runs.set(key, [one])
    else run.push(one)
  }
  return runs.values()
}

const byStep = (sideEffects: ReadonlyArray<SideEffect>) =>
  byRun(sideEffects, ({ step, workflowId }) => `${workflowId}/${step}`)

/**
 * From the death or the freeze of an owner to the next run of its step elsewhere. A step that runs again was not recorded
 * when its process stopped, so that its workflow was that one's; where it had been lost before, for another reason, the
 * stretch is too short.
 */
export const recoveries = (
  sideEffects: ReadonlyArray<SideEffect>,
  stops: ReadonlyArray<Stop>
): ReadonlyArray<Stretch> => {
  const stretches: Array<Stretch> = []
  for (const runs of byStep(sideEffects)) {
    for (const [index, { at, pid }] of runs.entries()) {
      const next = runs.slice(index + 1).find((run) => run.pid !== pid)
      const stop = stops.filter((stop) => stop.pid === pid && stop.from >= at).sort((a, b) => a.from - b.from)[0]
      if (next === undefined || stop === undefined || stop.from > next.at) continue
      stretches.push({ pid, from: stop.from, to: next.at })
    }
  }
  return stretches
}

/** The longest part of a stretch in which no process stopped, and one at least was up all the time. */
export const undisturbed = (
  { from, to }: Stretch,
  ups: ReadonlyArray<Up>,
  stops: ReadonlyArray<Stop>
): number => {
  const cuts = [from, ...stops.map((stop) => stop.from).filter((at) => at > from && at < to).sort((a, b) => a - b), to]
  return worst(
    cuts.slice(1).map((end, index) => {
      const begin = cuts[index]!
      // Until the next cut whoever is up stays so.
      const upFrom = ups.map(({ at, pid }) =>
        worst([
          begin,
          at,
          ...stops.filter((stop) => stop.pid === pid && stop.from <= begin && stop.to > begin).map((stop) => stop.to)
        ])
      )
      return end - Math.min(end, ...upFrom)
    })
  )
}

/** The worst recovery, and of all the worst part that the engines had no excuse for. */
export const recovery = (
  sideEffects: ReadonlyArray<SideEffect>,
  { stops, ups }: { readonly stops: ReadonlyArray<Stop>; readonly ups: ReadonlyArray<Up> }
): Readonly<Record<string, number>> => {
  const all = recoveries(sideEffects, stops)
  return {
    "recovery of a step": worst(all.map(({ from, to }) => to - from)),
    "of a recovery, while one was up and none stopped": worst(all.map((one) => undisturbed(one, ups, stops)))
  }
}

/**
 * How long the body of a step, of which the beginnings and the ends are told, went on after it had begun elsewhere, without
 * the time in which its process was frozen: then it did not go on.
 */
export const overlap = (
  sideEffects: ReadonlyArray<SideEffect>,
  stops: ReadonlyArray<Stop>,
  [begin, end]: readonly [string, string]
): number => {
  const figures: Array<number> = []
  for (const runs of byRun(sideEffects, ({ workflowId }) => workflowId)) {
    for (const [index, run] of runs.entries()) {
      if (run.step !== end) continue
      // Where it has begun here again meanwhile, that one is another run.
      const began = runs.slice(0, index).findLastIndex(({ pid, step }) => pid === run.pid && step === begin)
      const taken = runs.slice(began + 1, index).find(({ pid, step }) => pid !== run.pid && step === begin)
      if (began < 0 || taken === undefined) continue
      const frozen = stops.filter(({ pid }) => pid === run.pid).map(({ from, to }) =>
        Math.max(0, Math.min(to, run.at) - Math.max(from, taken.at))
      )
      figures.push(run.at - taken.at - frozen.reduce((sum, ms) => sum + ms, 0))
    }
  }
  return worst(figures)
}

/** How many steps ran in more than one process. */
export const ranElsewhere = (sideEffects: ReadonlyArray<SideEffect>): number => inSeveral(byStep(sideEffects))

/** How many workflows went on in another process: what was recorded before answered there. */
export const replayed = (sideEffects: ReadonlyArray<SideEffect>): number =>
  inSeveral(byRun(sideEffects, ({ workflowId }) => workflowId))

const inSeveral = (runs: Iterable<ReadonlyArray<SideEffect>>): number =>
  [...runs].filter((run) => new Set(run.map(({ pid }) => pid)).size > 1).length
