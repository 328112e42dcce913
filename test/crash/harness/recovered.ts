/** What must hold of a workflow that was killed and recovered, compared with an undisturbed run. */
import { assert } from "@effect/vitest"
import type { StepRow } from "perdure/Store"
import type { SideEffect } from "./sideEffects.ts"

/** A workflow as a program reports it. */
export interface Found {
  readonly status: string | null
  readonly phase: string | null
  readonly steps: ReadonlyArray<StepRow>
  readonly children: ReadonlyArray<
    { readonly workflowId: string; readonly status: string; readonly steps: ReadonlyArray<StepRow> }
  >
  readonly ledger: ReadonlyArray<unknown>
}

/** What a process found before it recovered anything. */
export interface FoundBy extends Found {
  /** How many side effects had happened by then. */
  readonly happened: number
}

export interface Report extends Found {
  readonly workflowId: string
  readonly outcome: string
  readonly counters: { readonly [name: string]: number }
}

export interface Recovery {
  /** As it was whenever a killed process was gone. */
  readonly found: ReadonlyArray<FoundBy>
  readonly recovered: Report
  readonly undisturbed: Report
  readonly sideEffects: ReadonlyArray<SideEffect>
}

export const assertRecovered = (what: string, recovery: Recovery): void => {
  const { found, recovered, undisturbed } = recovery
  assert.strictEqual(recovered.outcome, undisturbed.outcome, `${what}: outcome`)
  assert.deepStrictEqual(shape(recovered), shape(undisturbed), `${what}: what is recorded at the end`)
  assertGapless(what, recovered.steps)
  assertSideEffects(what, recovery, recovered.workflowId, recovered.steps)
  for (const before of found) {
    assertImmutable(what, before.steps, recovered.steps)
    assertNotAgain(what, recovery, recovered.workflowId, before.happened, before.steps)
    assertOrder(what, recovery, before)
  }
  for (const { steps, workflowId } of recovered.children) {
    assertGapless(`${what}: child`, steps)
    assertSideEffects(`${what}: child`, recovery, workflowId, steps)
    for (const { children, happened } of found) {
      const before = children.find((child) => child.workflowId === workflowId)?.steps ?? []
      assertImmutable(`${what}: child`, before, steps)
      assertNotAgain(`${what}: child`, recovery, workflowId, happened, before)
    }
  }
}

/** Everything that must be the same in every run, whatever the ids. */
const shape = ({ children, ledger, phase, status, steps, workflowId }: Report) => ({
  status,
  phase,
  rows: ledger.length,
  steps: stepsOf(workflowId, steps),
  children: children.map((child) => ({ status: child.status, steps: stepsOf(workflowId, child.steps) })),
  rollbacks: rollbacksOf(steps)
})

const stepsOf = (workflowId: string, steps: ReadonlyArray<StepRow>) =>
  steps.map((step) => [
    step.key.replaceAll(workflowId, "$id"),
    step.kind,
    step.outcome,
    step.value?.replaceAll(workflowId, "$id").replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, "$uuid"),
    step.attempts
  ]).sort((a, b) => String(a[0]) < String(b[0]) ? -1 : 1)

/** Which were undone, in the order in which they were. */
const rollbacksOf = (steps: ReadonlyArray<StepRow>): ReadonlyArray<string> => {
  const bySeq = steps.slice().sort((a, b) => a.seq! - b.seq!)
  const undone = bySeq.filter((step) => step.kind === "rollback").map((step) => `rollback ${step.name}`)
  const done = bySeq.filter((step) => step.kind !== "rollback").map((step) => `rollback ${step.name}`).filter((name) =>
    undone.includes(name)
  )
  assert.deepStrictEqual(undone, done.reverse(), "rollbacks run in the reverse order of completion")
  return undone.sort()
}

/** What was recorded stays as it is. */
const assertImmutable = (what: string, before: ReadonlyArray<StepRow>, after: ReadonlyArray<StepRow>): void => {
  for (const step of before) {
    const now = after.find((other) => other.key === step.key)
    if (step.outcome !== null) assert.deepStrictEqual(now, step, `${what}: the record of ${step.name}`)
    else assert.deepStrictEqual(now?.failedAttempts.slice(0, step.failedAttempts.length), step.failedAttempts, what)
  }
}

const assertGapless = (what: string, steps: ReadonlyArray<StepRow>): void => {
  const numbers = steps.map((step) => step.seq!).sort((a, b) => a - b)
  assert.deepStrictEqual(numbers, numbers.map((_, index) => index + 1), `${what}: completion numbers`)
  assert.strictEqual(new Set(steps.map((step) => step.stepId)).size, steps.length, `${what}: step ids`)
}

/** At least once, and at most once for each process that came to it. */
const assertSideEffects = (
  what: string,
  { found, recovered, sideEffects }: Recovery,
  workflowId: string,
  steps: ReadonlyArray<StepRow>
): void => {
  const most = 1 + found.length + (recovered.counters["perdure_leases_lost"] ?? 0)
  for (const name of effectsOf(steps)) {
    const runs = sideEffects.filter((effect) => effect.workflowId === workflowId && effect.step === name).length
    assert.isAtLeast(runs, 1, `${what}: ${name} never ran`)
    assert.isAtMost(runs, most, `${what}: ${name} ran too often`)
  }
}

/** What was recorded when a process was gone did not run after that. */
const assertNotAgain = (
  what: string,
  { sideEffects }: Recovery,
  workflowId: string,
  happened: number,
  recorded: ReadonlyArray<StepRow>
): void => {
  const later = sideEffects.slice(happened).filter((effect) => effect.workflowId === workflowId).map(({ step }) => step)
  for (const name of effectsOf(recorded)) {
    assert.notInclude(later, name, `${what}: ${name} was recorded, and ran again`)
  }
}

/** A step began only when the one before it was durable. */
const assertOrder = (what: string, { recovered, sideEffects, undisturbed }: Recovery, found: FoundBy): void => {
  const inOrder = undisturbed.steps.filter((step) => !step.key.includes("forEach")).sort((a, b) => a.seq! - b.seq!)
  const began = sideEffects.slice(0, found.happened).filter((effect) => effect.workflowId === recovered.workflowId)
  let isDurable = true
  for (const step of inOrder) {
    const names = effectsOf([step])
    const early = isDurable ? [] : began.filter((effect) => names.includes(effect.step))
    assert.deepStrictEqual(early, [], `${what}: ${step.name} began before all earlier records were durable`)
    const key = step.key.replaceAll(undisturbed.workflowId, recovered.workflowId)
    if (found.steps.find((other) => other.key === key)?.outcome == null) isDurable = false
  }
}

/** The side effects that these records stand for. */
const effectsOf = (steps: ReadonlyArray<StepRow>): ReadonlyArray<string> =>
  steps.flatMap((step) => {
    const last = step.outcome === null ? 0 : 1
    if (step.name === "flaky") {
      return Array.from({ length: step.failedAttempts.length + last }, (_, attempt) => `flaky, attempt ${attempt}`)
    }
    if (last === 0) return []
    if (step.kind === "rollback") return [`rollback ${step.name}`]
    return step.kind === "step" || step.kind === "transaction" ? [step.name] : []
  })
