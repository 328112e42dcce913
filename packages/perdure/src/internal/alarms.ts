/** What a run's operations want to know of the database's clock: that it has reached a time. */
export class Alarms {
  private readonly alarms = new Set<{ readonly due: number; readonly ring: () => void }>()

  /** Returns how to take it back. */
  add(due: number, ring: () => void): () => void {
    const alarm = { due, ring }
    this.alarms.add(alarm)
    return () => this.alarms.delete(alarm)
  }

  /** Rings those that are due. Returns when to look again: then, or at `next`. */
  ring(now: number, next: number | undefined): number | undefined {
    for (const alarm of this.alarms) {
      if (alarm.due <= now) {
        this.alarms.delete(alarm)
        alarm.ring()
      } else if (next === undefined || alarm.due < next) next = alarm.due
    }
    return next
  }
}
