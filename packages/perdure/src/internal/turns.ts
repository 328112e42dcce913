/** When the next event may come: when the body rests, one at a time, and nothing has to be finished before. */
import { nextTurn } from "./bodyScheduler.ts"

/** The run whose turns these are. */
export interface Turning {
  readonly running: boolean
  readonly scheduler: { readonly busy: boolean }
  /** One event, if one may come. */
  readonly pump: () => void
}

export class Turns {
  private restingSince = 0
  private resting = false
  private scheduled = false
  private pumping = false
  private stalls = 0
  private readonly run: Turning

  constructor(run: Turning) {
    this.run = run
  }

  /** The body rests, and nothing is to be finished before the next event. */
  get still(): boolean {
    return this.resting && this.stalls === 0
  }

  /** For how long the body has rested; it must be {@link still}. */
  get restedMs(): number {
    return performance.now() - this.restingSince
  }

  /** The body may go on: look when it rests again. */
  again(): void {
    this.resting = false
    if (this.scheduled) return
    this.scheduled = true
    nextTurn(this.onTurn)
  }

  /**
   * Something happened outside the body: one that rests already need not rest again first. False: it has to. While the next
   * event is being looked for (what an alarm sets going may be over at once) it is looked for again after that.
   */
  happened(): boolean {
    if (!this.resting || this.pumping) return false
    this.pump()
    return true
  }

  /** Something must be finished before the next event: a slot, a suspension, an interrupted step's finalizers. */
  stall(): void {
    this.stalls++
  }

  /** It is finished. Look again. */
  unstall(): void {
    this.stalls--
  }

  private readonly onTurn = (): void => {
    this.scheduled = false
    if (!this.run.running) return
    if (this.run.scheduler.busy) {
      this.scheduled = true
      return nextTurn(this.onTurn)
    }
    this.resting = true
    this.restingSince = performance.now()
    this.pump()
  }

  /** What the event sets going at once may call this again: that comes after the next rest. */
  private pump(): void {
    if (!this.run.running || !this.still || this.pumping) return
    this.pumping = true
    try {
      this.run.pump()
    } finally {
      this.pumping = false
    }
  }
}
