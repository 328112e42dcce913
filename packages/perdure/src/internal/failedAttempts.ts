/** Attempts that failed, by the step that they are of: one that was renamed between two of them has them under both names. */
import type { AttemptRecord, StepRecord } from "../Store.ts"

export class FailedAttempts {
  private readonly byStep = new Map<number, Array<AttemptRecord>>()
  /** Steps that were tried before and have no record, by each key that an attempt has. */
  private readonly unrecorded = new Map<string, number>()

  constructor(attempts: ReadonlyArray<AttemptRecord>, records: ReadonlyArray<StepRecord>) {
    if (attempts.length === 0) return
    const recorded = new Set(records.map((record) => record.stepId))
    for (const attempt of attempts) {
      this.add(attempt)
      if (!recorded.has(attempt.stepId)) this.unrecorded.set(attempt.key, attempt.stepId)
    }
  }

  of(stepId: number): ReadonlyArray<AttemptRecord> {
    return this.byStep.get(stepId) ?? []
  }

  add(attempt: AttemptRecord): void {
    const list = this.byStep.get(attempt.stepId)
    if (list === undefined) this.byStep.set(attempt.stepId, [attempt])
    else list.push(attempt)
  }

  /** The step that was tried under this key, or under its former one, and is not recorded. Only one can go on with it. */
  take(key: string, formerKey: string | undefined): number | undefined {
    const stepId = this.unrecorded.get(key) ?? (formerKey === undefined ? undefined : this.unrecorded.get(formerKey))
    for (const [name, id] of this.unrecorded) if (id === stepId) this.unrecorded.delete(name)
    return stepId
  }
}
