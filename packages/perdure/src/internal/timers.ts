/** The timers of one body: ordered by due time, ties by registration, so that replay fires them alike. */
import type * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"

export interface Timer {
  readonly due: number
  readonly order: number
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly resume: (effect: Effect.Effect<void>) => void
}

const before = (a: Timer, b: Timer): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

/** A sorted array: bodies have few timers at a time, and the earliest is what is asked for. */
export class Timers {
  private readonly items: Array<Timer> = []

  get size(): number {
    return this.items.length
  }
  get earliest(): Timer | undefined {
    return this.items[0]
  }
  add(timer: Timer): void {
    let low = 0
    let high = this.items.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (before(this.items[middle], timer)) low = middle + 1
      else high = middle
    }
    this.items.splice(low, 0, timer)
  }
  remove(timer: Timer): void {
    const index = this.items.indexOf(timer)
    if (index >= 0) this.items.splice(index, 1)
  }
  takeEarliest(): Timer | undefined {
    return this.items.shift()
  }
  clear(): ReadonlyArray<Timer> {
    return this.items.splice(0)
  }
  [Symbol.iterator](): Iterator<Timer> {
    return this.items[Symbol.iterator]()
  }
}
