/**
 * The ids of a workflow's steps: the order of calls. An operation that was under way at a crash is called in the same order
 * again, so it gets the same id again, and with it the same idempotency key; unless something recorded has it.
 */
export class StepIds {
  private nextOrdinal: number
  private free: number
  private readonly first: number
  private readonly taken: Set<number>

  /** `first`: where they begin. `rows`: what is recorded, outcomes and failed attempts. */
  constructor(first: number, rows: ReadonlyArray<{ readonly stepId: number }>) {
    this.first = first
    this.nextOrdinal = first
    this.taken = new Set(rows.map((row) => row.stepId))
    this.free = [...this.taken].reduce((max, id) => Math.max(max, id + 1), first)
  }

  /** How many were given. */
  get count(): number {
    return this.nextOrdinal - this.first
  }

  /** Greater than all that were given. */
  get unused(): number {
    return [...this.taken].reduce((max, id) => Math.max(max, id + 1), this.free)
  }

  /** The id of the next call. `known`: what it is recorded under. */
  next(known: number | undefined): number {
    const ordinal = this.nextOrdinal++
    if (known !== undefined) return known
    let stepId = ordinal
    if (this.taken.has(stepId)) {
      while (this.taken.has(this.free)) this.free++
      stepId = this.free
    }
    this.taken.add(stepId)
    return stepId
  }
}
