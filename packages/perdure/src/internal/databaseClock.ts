/**
 * The database's clock as this process knows it: the last reading plus the monotonic time since. The process's own wall
 * clock plays no part, so setting it changes nothing.
 */
export class DatabaseClock {
  private base = 0
  private readAt = 0
  private highest = 0

  /** Takes a reading that was asked for at `sentAt` (monotonic milliseconds). Returns by how much it moved the clock. */
  sync(reading: number, sentAt: number): number {
    const middle = (sentAt + performance.now()) / 2
    const before = this.base === 0 ? reading : this.base + (middle - this.readAt)
    this.base = reading
    this.readAt = middle
    return reading - before
  }

  /** Milliseconds since 1970; never goes back. */
  now(): number {
    const now = Math.round(this.base + (performance.now() - this.readAt))
    if (now > this.highest) this.highest = now
    return this.highest
  }
}
