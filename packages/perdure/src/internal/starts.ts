/** What wants to start in a run, operations and further attempts, and waits until it may. */
import * as Effect from "effect/Effect"
import type { Call } from "./operation.ts"

/** The run in which it starts. */
export interface Starter {
  /** Not while the lease may be over, nor in a run that is being given back. */
  readonly mayStart: boolean
  readonly launch: (call: Call) => void
}

export class Starts {
  private readonly calls: Array<Call> = []
  /** Operations that wait for leave to try again. */
  private readonly permits = new Set<() => void>()
  private readonly run: Starter

  constructor(run: Starter) {
    this.run = run
  }

  /** Whether something wants to start and was not allowed to. */
  get waiting(): boolean {
    return this.calls.length > 0 || this.permits.size > 0
  }

  /** How many operations wait for leave to try again. */
  get attempts(): number {
    return this.permits.size
  }

  add(call: Call): void {
    this.calls.push(call)
  }

  drop(call: Call): void {
    const index = this.calls.indexOf(call)
    if (index >= 0) this.calls.splice(index, 1)
  }

  /**
   * Starts what was asked for, once everything delivered before is durable. Only when the body rests and no timer is
   * due: a timer that has passed may take the operation back, and then it must not have been started. `only`: those that
   * were over before that timer.
   */
  go(durable: number, only: ReadonlyArray<Call> | undefined): void {
    if (!this.run.mayStart) return
    if (only !== undefined) return this.these(durable, only)
    for (const permit of this.permits) {
      this.permits.delete(permit)
      permit()
    }
    while (this.calls.length > 0) {
      if (durable < this.calls[0].askedAt) return
      this.run.launch(this.calls.shift()!)
    }
  }

  private these(durable: number, calls: ReadonlyArray<Call>): void {
    for (const call of calls) {
      if (durable < call.askedAt || !this.calls.includes(call)) continue
      this.drop(call)
      this.run.launch(call)
    }
  }

  /** See {@link Call.permission}. Without it for good the fiber is interrupted, with the run. */
  get permission(): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.run.mayStart ? Effect.void : Effect.callback((resume) => {
        const permit = () => resume(Effect.void)
        this.permits.add(permit)
        return Effect.sync(() => this.permits.delete(permit))
      })
    )
  }
}
