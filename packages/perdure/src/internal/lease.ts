/** An executor's right to its workflows, as its process knows it. */

/** When something was sent, by the monotonic and the wall clock: the one stops while a machine sleeps, the other is set. */
export interface Sent {
  readonly at: number
  readonly wallAt: number
}

export const sending = (): Sent => ({ at: performance.now(), wallAt: Date.now() })

export class Lease {
  readonly incarnation: string = crypto.randomUUID()
  /** Until when steps may start, counted from before the renewal was sent. */
  private end = 0
  private wallEnd = 0
  private over = false

  /** Whether steps may start. */
  get isGood(): boolean {
    return !this.over && performance.now() < this.end && Date.now() < this.wallEnd
  }

  /** The store has said that it is over, and it never comes back: what was taken under it may be somebody else's. */
  get hasLapsed(): boolean {
    return this.over
  }

  lapsed(): void {
    this.over = true
  }

  renewed(sent: Sent, settings: { readonly heartbeatMs: number; readonly leaseMs: number }): void {
    const { heartbeatMs, leaseMs } = settings
    // Steps stop starting a good while before others may take over.
    const margin = Math.min(heartbeatMs, leaseMs / 4)
    this.end = sent.at + leaseMs - margin
    this.wallEnd = sent.wallAt + leaseMs - margin
  }
}
