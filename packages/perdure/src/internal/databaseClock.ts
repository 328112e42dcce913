/**
 * The database's clock as this process knows it: the last reading plus the monotonic time since. The process's own wall
 * clock plays no part, so setting it changes nothing.
 */
export class DatabaseClock {
  private base = 0
  private readAt = 0
  private highest = 0

  /**
   * Takes a reading that was asked for at `sentAt` (monotonic milliseconds). Returns by how much it moved the clock.
   *
   * The reading is taken as of now, when it has arrived: this clock may be late by the way of an answer, so that nothing
   * happens too early. One that took long says little, and counts only if the clock must have been set.
   */
  sync(reading: number, sentAt: number): number {
    const now = performance.now()
    const before = this.base === 0 ? reading : this.base + (now - this.readAt)
    const moved = reading - before
    if (this.base !== 0 && now - sentAt > 1000 && Math.abs(moved) <= now - sentAt) return 0
    this.base = reading
    this.readAt = now
    return moved
  }

  /** Milliseconds since 1970; never goes back. */
  now(): number {
    const now = Math.round(this.base + (performance.now() - this.readAt))
    if (now > this.highest) this.highest = now
    return this.highest
  }
}
