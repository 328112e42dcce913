/**
 * A machine whose time and chance are the simulation's, for everything that runs in this process.
 *
 * Effect's `TestClock` would move the loops of an engine and nothing else: its lease, its idea of the database's clock and
 * its timers read the monotonic clock and the timers of the platform, since a body's own clock must not move them, and
 * SQLite reads the clock of the system. So what is replaced here is below all of them: the timers, the immediates, the
 * clocks, the randomness, and the function by which SQLite tells the time. Time passes only when nothing else can happen,
 * and then to the next timer, so the same seed gives the same run.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import { DatabaseSync } from "node:sqlite"
import { vi } from "vitest"

/** Of the machine itself, which goes on in real time. */
const turn = setImmediate

export interface Ended<A, E> {
  /** Undefined: it has not ended after so long, or never will. */
  readonly exit: Exit.Exit<A, E> | undefined
  readonly rejections: ReadonlyArray<unknown>
}

/** Runs the effect on a machine of its own. */
export const onMachine = async <A, E>(
  seed: number,
  limitMs: number,
  effect: Effect.Effect<A, E>
): Promise<Ended<A, E>> => {
  const rejections: Array<unknown> = []
  const restore = [
    replaceTime(),
    replaceChance(seed),
    replaceClockOfSqlite(),
    hearRejections(rejections),
    withoutNeighbours()
  ]
  try {
    const end = Date.now() + limitMs
    const fiber = Effect.runFork(effect)
    await settled()
    while (fiber.pollUnsafe() === undefined) {
      if (Date.now() >= end || vi.getTimerCount() === 0) break
      vi.advanceTimersToNextTimer()
      await settled()
    }
    return { exit: fiber.pollUnsafe(), rejections }
  } finally {
    for (const undo of restore.toReversed()) undo()
  }
}

/** Every promise that could settle by itself has: nothing here waits for a disk or a network. */
const settled = (): Promise<void> => new Promise((resolve) => turn(resolve))

const hearRejections = (rejections: Array<unknown>): () => void => {
  const hear = (reason: unknown): void => void rejections.push(reason)
  process.on("unhandledRejection", hear)
  return () => process.off("unhandledRejection", hear)
}

/** Whoever runs on the real machine is not told of what is simulated, nor the other way round. */
const withoutNeighbours = (): () => void => {
  const { TMPDIR } = process.env
  process.env["TMPDIR"] = "/dev/null/nowhere"
  return () => {
    if (TMPDIR === undefined) delete process.env["TMPDIR"]
    else process.env["TMPDIR"] = TMPDIR
  }
}

const replaceTime = (): () => void => {
  vi.useFakeTimers({
    now: Date.UTC(2030, 0, 1),
    toFake: [
      "setTimeout",
      "clearTimeout",
      "setInterval",
      "clearInterval",
      "setImmediate",
      "clearImmediate",
      "Date",
      "performance"
    ]
  })
  // Effect has kept the function, whose place is all that the fake timers would take.
  const monotonic = vi.spyOn(process.hrtime, "bigint")
    .mockImplementation(() => BigInt(Math.round(performance.now() * 1_000_000)))
  return () => {
    monotonic.mockRestore()
    vi.clearAllTimers()
    vi.useRealTimers()
  }
}

const replaceChance = (seed: number): () => void => {
  const next = numbers(seed)
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join("")
  const random = vi.spyOn(Math, "random").mockImplementation(next)
  const uuid = vi.spyOn(crypto, "randomUUID")
    .mockImplementation(() => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`)
  return () => {
    random.mockRestore()
    uuid.mockRestore()
  }
}

/** Numbers from 0 up to 1, the same for the same seed. */
const numbers = (seed: number) => {
  let state = seed >>> 0
  return (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Of every connection that is opened meanwhile: the store asks SQLite, and not this process, what time it is. */
const replaceClockOfSqlite = (): () => void => {
  const known = new WeakSet<DatabaseSync>()
  const original = DatabaseSync.prototype.prepare
  DatabaseSync.prototype.prepare = function(...args) {
    if (!known.has(this)) {
      known.add(this)
      this.function("unixepoch", { varargs: true }, () => Date.now() / 1000)
    }
    return original.apply(this, args)
  }
  return () => {
    DatabaseSync.prototype.prepare = original
  }
}
