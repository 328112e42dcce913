/** Operations with plain values, for tests that care about a few of them. */
import type { Advance, Start, StepRecord } from "perdure/Store"

export const start = (workflowId: string, given: Partial<Start> = {}): Start => ({
  _tag: "Start",
  workflowId,
  token: `token of ${workflowId}`,
  epoch: given.owner === null ? 0 : 1,
  name: "Order",
  version: "1",
  payload: "{}",
  codec: "json",
  owner: "A",
  startedAt: null,
  user: null,
  roles: [],
  assumedRole: null,
  parentId: null,
  parentStepId: null,
  detached: false,
  timeoutMs: null,
  deadlineAt: null,
  maxRecoveryAttempts: 3,
  queue: null,
  delayMs: null,
  attributes: {},
  schedule: null,
  trace: null,
  ...given
})

export const record = (stepId: number, given: Partial<StepRecord> = {}): StepRecord => ({
  stepId,
  seq: stepId + 1,
  asked: stepId,
  key: `step ${stepId}`,
  name: `step ${stepId}`,
  kind: "step",
  outcome: "success",
  value: "1",
  attempts: 1,
  startedAt: 1,
  at: 2,
  childId: null,
  rollback: false,
  ...given
})

export const advance = (workflowId: string, epoch: number, given: Partial<Advance> = {}): Advance => ({
  _tag: "Advance",
  workflowId,
  epoch,
  records: [],
  attempts: [],
  children: [],
  sends: [],
  consumes: [],
  events: [],
  entries: [],
  supersedes: [],
  end: null,
  ...given
})
