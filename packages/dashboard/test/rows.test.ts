import type { StepInfo, WorkflowDetail } from "@perdure/server/AdminApi"
import { expect, it } from "vitest"
import { rowsOf } from "../src/app/text/rows.ts"

const info: WorkflowDetail = {
  workflowId: "w",
  name: "W",
  version: "",
  status: "PENDING",
  waits: [{ what: "message \"go\"" }],
  attributes: {},
  createdAt: new Date(0),
  startedAt: new Date(0),
  recoveryAttempts: 0,
  payload: null,
  roles: [],
  redacted: []
}

const step = (
  stepId: number,
  kind: StepInfo["kind"],
  start: number,
  end: number,
  more: Partial<StepInfo> = {}
): StepInfo => ({
  stepId,
  branch: [],
  name: `${kind} ${stepId}`,
  kind,
  outcome: "success",
  attempts: 1,
  failedAttempts: [],
  startedAt: new Date(start),
  completedAt: new Date(end),
  redacted: [],
  ...more
})

const spans = (steps: ReadonlyArray<StepInfo>) =>
  rowsOf(steps, { ...info, completedAt: new Date(1000) }, undefined, 1000).map(({ end, start }) => [start, end])

it("a wait lasts from when its branch had nothing else to do", () => {
  expect(spans([step(0, "step", 0, 100), step(1, "receive", 900, 900), step(2, "step", 900, 950)])).toEqual([
    [0, 100],
    [100, 900],
    [900, 950]
  ])
  expect(spans([
    step(0, "step", 0, 100),
    step(1, "step", 100, 600, { branch: ["all", "a"] }),
    step(2, "receive", 500, 500, { branch: ["all", "b"] })
  ])).toEqual([[0, 100], [100, 600], [100, 500]])
})

it("a child lasts until its result is there", () => {
  const childId = "w-0"
  expect(spans([step(0, "child", 10, 11, { childId }), step(1, "result", 700, 700, { childId })])).toEqual([
    [10, 700],
    [11, 700]
  ])
})

it("a failed attempt is followed by a pause until the next was due, within the row", () => {
  const failed = (at: number, retryAt: number) => ({
    failure: { tag: "Hiccup", message: "no", fields: {} },
    at: new Date(at),
    retryAt: new Date(retryAt)
  })
  const failedAttempts = [failed(10, 60), failed(80, 180)]
  const { completedAt: _, outcome: _1, ...trying } = step(1, "step", 10, 10, { failedAttempts })
  const rows = rowsOf([step(0, "step", 0, 200, { failedAttempts }), trying], info, undefined, 100)
  expect(rows.map(({ end, pauses }) => [end, pauses])).toEqual([
    [200, [{ start: 10, end: 60 }, { start: 80, end: 180 }]],
    [100, [{ start: 10, end: 60 }, { start: 80, end: 100 }]]
  ])
})

it("what goes on now stands at the end, until now", () => {
  const suspended = { _tag: "Suspended", waits: [] } as const
  const rows = rowsOf([step(0, "step", 0, 100)], info, suspended, 1000)
  expect(rows.map(({ end, name, open, start }) => [name, start, end, open])).toEqual([
    ["step 0", 0, 100, false],
    ["waits for message \"go\"", 100, 1000, true]
  ])
})
