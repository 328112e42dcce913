/** A figure that is too small is worse than none. */
import { assert, it } from "@effect/vitest"
import type { SideEffect } from "../crash/harness/sideEffects.ts"
import { overlap, ranElsewhere, recoveries, replayed, type Stop, undisturbed, worst, worstOfEach } from "./figures.ts"

const did = (step: string, pid: number, at: number, workflowId = "w"): SideEffect => ({ workflowId, step, pid, at })
const dead = (pid: number, from: number) => ({ pid, from, to: Infinity })

const recovery = (sideEffects: ReadonlyArray<SideEffect>, stops: ReadonlyArray<Stop>) =>
  worst(recoveries(sideEffects, stops).map(({ from, to }) => to - from))

it("the recovery is from the death of the owner to the next run elsewhere, and the worst one counts", () => {
  const ran = [did("a", 1, 0), did("a", 2, 900), did("a", 1, 0, "v"), did("a", 3, 500, "v")]
  assert.strictEqual(recovery(ran, [dead(1, 100)]), 800)
})

it("it is counted from the first stop after the step began, whether that was a freeze or a death", () => {
  const ran = [did("a", 1, 50), did("a", 2, 900)]
  assert.strictEqual(recovery(ran, [dead(1, 400), { pid: 1, from: 100, to: 300 }]), 800)
  assert.strictEqual(recovery(ran, [dead(1, 400), { pid: 1, from: 10, to: 20 }]), 500)
})

it("a step that runs again where it ran, or elsewhere without a stop, has not been recovered from one", () => {
  assert.strictEqual(recovery([did("a", 1, 0), did("a", 1, 900)], [dead(1, 100)]), 0)
  assert.strictEqual(recovery([did("a", 1, 0), did("a", 2, 900)], [dead(3, 100)]), 0)
  assert.strictEqual(recovery([did("a", 1, 0), did("a", 2, 900)], [dead(1, 1000)]), 0)
})

it("a recovery is disturbed where others stop, and where nobody is up", () => {
  const stretch = { pid: 1, from: 100, to: 1100 }
  const up = { pid: 2, at: 0 }
  const frozen = { pid: 2, from: 50, to: 400 }
  assert.strictEqual(undisturbed(stretch, [up], [dead(1, 100)]), 1000)
  assert.strictEqual(undisturbed(stretch, [], [dead(1, 100)]), 0)
  assert.strictEqual(undisturbed(stretch, [{ pid: 2, at: 300 }], [dead(1, 100)]), 800)
  assert.strictEqual(undisturbed(stretch, [up], [dead(1, 100), frozen]), 700)
  assert.strictEqual(undisturbed(stretch, [up, { pid: 3, at: 0 }], [dead(1, 100), frozen, dead(3, 500)]), 600)
  assert.strictEqual(undisturbed(stretch, [up], [dead(1, 100), dead(2, 300), { pid: 3, from: 900, to: 950 }]), 200)
})

it("bodies overlap from the beginning of the second to the end of the first", () => {
  const ran = [did("begin", 1, 0), did("begin", 2, 100), did("end", 1, 130), did("end", 2, 200)]
  assert.strictEqual(overlap(ran, [], ["begin", "end"]), 30)
})

it("what is frozen meanwhile does not go on", () => {
  const ran = [did("begin", 1, 0), did("begin", 2, 100), did("end", 1, 630)]
  assert.strictEqual(overlap(ran, [{ pid: 1, from: 50, to: 600 }], ["begin", "end"]), 30)
})

it("one after the other is no overlap, nor is a run in the same process", () => {
  assert.strictEqual(overlap([did("begin", 1, 0), did("end", 1, 90), did("begin", 2, 100)], [], ["begin", "end"]), 0)
  assert.strictEqual(overlap([did("begin", 1, 0), did("begin", 1, 50), did("end", 1, 90)], [], ["begin", "end"]), 0)
  const back = [did("begin", 1, 0), did("begin", 2, 100), did("begin", 1, 500), did("end", 1, 600)]
  assert.strictEqual(overlap(back, [dead(2, 300)], ["begin", "end"]), 0)
})

it("steps and workflows that went on in another process are counted once each", () => {
  const ran = [did("a", 1, 0), did("a", 2, 1), did("a", 3, 2), did("b", 3, 3), did("a", 1, 4, "v"), did("b", 2, 5, "v")]
  assert.strictEqual(ranElsewhere(ran), 1)
  assert.strictEqual(replayed(ran), 2)
})

it("of many figures the worst is told, and of none 0", () => {
  assert.strictEqual(worst([3, 5, 4]), 5)
  assert.strictEqual(worst([]), 0)
  assert.deepStrictEqual(worstOfEach([{ a: 1, b: 5 }, { a: 2 }, {}]), { a: 2, b: 5 })
})
