/** With room for the owners that follow. */
const highestEpoch = 2 ** 52

/**
 * The database's clock as this process knows it: the last reading plus the monotonic time since. The process's own wall
 * clock plays no part, so setting it changes nothing.
 */
export class DatabaseClock {
  private base = 0
  private readAt = 0
  private highest = 0
  private lastEpoch = 0

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

  /**
   * Where the epochs of a workflow begin: by the clock, so that they go on after those of one of the same id that was
   * deleted, since epochs rise by one with each owner and there are never a hundred of them in a millisecond. Within it by
   * chance, for other processes and clocks that were set back; never twice the same.
   */
  firstEpoch(): number {
    const scaled = this.now() * 100 + Math.floor(Math.random() * 100)
    // For times that are so far away that they leave no room.
    this.lastEpoch = Math.max(this.lastEpoch + 1, scaled <= highestEpoch ? scaled : this.now())
    return this.lastEpoch
  }

  /** Milliseconds since 1970; never goes back. */
  now(): number {
    const now = Math.round(this.base + (performance.now() - this.readAt))
    if (now > this.highest) this.highest = now
    return this.highest
  }
}
