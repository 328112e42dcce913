/**
 * The scheduler of one body. It knows two things that nobody else can tell: whether any fiber of the body still has
 * something to run (else the body rests), and which fibers the body has, forks included.
 */
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"

const immediate: (f: () => void) => void = "setImmediate" in globalThis
  ? (f) => void (globalThis as unknown as { setImmediate: (f: () => void) => unknown }).setImmediate(f)
  : (f) => void setTimeout(f, 0)

/** Runs `f` after one turn of the event loop: every promise that could settle by itself has. */
export const nextTurn = immediate

interface Known {
  readonly fiber: Fiber.Fiber<unknown, unknown>
  /** The latest time that the fiber has seen. */
  time: number
  /** The fiber that awaits it, if it was forked to be awaited. */
  readonly parent: Known | undefined
  /** The latest time that its awaited, ended children had seen: known to it once it goes on. */
  joined: number
  /** How many it awaits. */
  children: number
}

interface Task {
  readonly task: () => void
  readonly priority: number
  readonly time: number
}

/** The body that each fiber is of: the one that saw it first. */
const bodies = new WeakMap<Fiber.Fiber<unknown, unknown>, BodyScheduler>()

export class BodyScheduler implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "async"
  /**
   * The time that the running fiber knows. It moves with events, along cause and effect: a fiber resumed by an event
   * knows the event's time, and so does whatever that resumes, forks or is awaited by. A fiber that comes back from
   * plain asynchronous work knows what it knew before: how long that took, and what happened elsewhere meanwhile, must
   * not show, since a replay would see it otherwise.
   */
  time: number
  private queue: Array<Task> = []
  private armed = false
  /** How the running code was entered: by an event or a scheduled task (counted), else by plain asynchronous work. */
  private depth = 0
  private plain = false
  private last: Fiber.Fiber<unknown, unknown> | undefined
  /** The fibers that run inside one another now, innermost last; empty when a scheduled task begins. */
  private stack: Array<Known> = []
  private readonly fibers = new Map<Fiber.Fiber<unknown, unknown>, Known>()

  constructor(time: number) {
    this.time = time
  }

  /** Whether a fiber of the body has something to run. */
  get busy(): boolean {
    return this.queue.length > 0
  }

  /** The body's fibers that have not ended. */
  alive(): Iterable<Fiber.Fiber<unknown, unknown>> {
    return this.fibers.keys()
  }

  /** Whether the fiber is of another body, and has only the context of this one. */
  isForeign(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return (bodies.get(fiber) ?? this) !== this
  }

  /** Whether the fiber has forked others that it awaits, and that have not ended. */
  awaits(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return (this.fibers.get(fiber)?.children ?? 0) > 0
  }

  /** Runs what an event of this time sets going. */
  within(time: number, f: () => void): void {
    const { last, stack, time: before } = this
    this.time = time
    this.last = undefined
    this.stack = []
    this.depth++
    try {
      f()
    } finally {
      this.depth--
      this.time = before
      this.last = this.depth > 0 || this.plain ? last : undefined
      this.stack = stack
    }
  }

  /** Called by Effect before every operation of every fiber: where a fiber is first seen, and learns the time. */
  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber !== this.last) this.switchTo(fiber)
    return fiber.currentOpCount >= fiber.cache.maxOpsBeforeYield
  }

  private switchTo(fiber: Fiber.Fiber<unknown, unknown>): void {
    let known = this.fibers.get(fiber)
    if (this.depth === 0 && !this.plain) {
      this.plain = true
      this.stack = []
      if (known !== undefined) this.time = known.time
      queueMicrotask(() => {
        this.plain = false
        this.last = undefined
      })
    }
    if (known === undefined) known = this.begin(fiber)
    this.time = known.time = Math.max(this.time, known.time, known.joined)
    this.last = fiber
    if (this.stack[this.stack.length - 1] === known) return
    // A long extent: those that wait by now are of no use here.
    if (this.stack.length === 256) this.stack = this.stack.filter((other) => isRunning(other.fiber))
    this.stack.push(known)
  }

  private begin(fiber: Fiber.Fiber<unknown, unknown>): Known {
    const known: Known = { fiber, time: this.time, parent: this.awaiter(), joined: 0, children: 0 }
    this.fibers.set(fiber, known)
    if (!bodies.has(fiber)) bodies.set(fiber, this)
    if (known.parent !== undefined) known.parent.children++
    // Before anybody who awaits it goes on.
    fiber.addObserver(() => {
      this.fibers.delete(fiber)
      if (this.last === fiber) this.last = undefined
      const { parent } = known
      if (parent === undefined) return
      parent.children--
      parent.joined = Math.max(parent.joined, known.time, known.joined)
    })
    return known
  }

  /** Who forks a fiber now: the one that runs, or, if one has just ended, the one that awaited that. */
  private awaiter(): Known | undefined {
    for (let top = this.stack.pop(); top !== undefined; top = this.stack.pop()) {
      if (top.fiber.pollUnsafe() !== undefined) return top.parent
      if (isRunning(top.fiber)) {
        this.stack.push(top)
        return top
      }
    }
    return undefined
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(task: () => void, priority: number): void {
    this.queue.push({ task, priority, time: this.time })
    if (!this.armed) {
      this.armed = true
      immediate(() => {
        this.armed = false
        this.flush()
      })
    }
  }

  /** One turn: what is queued now, by priority and then in order; what that queues comes in the next turn. */
  flush(): void {
    const tasks = this.queue
    this.queue = []
    if (tasks.some((entry) => entry.priority !== tasks[0].priority)) tasks.sort((a, b) => a.priority - b.priority)
    for (const entry of tasks) this.within(entry.time, entry.task)
  }
}

/** Effect does not publish whether a fiber runs or waits; the replay properties would show a change of this name. */
const isRunning = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  (fiber as unknown as { readonly _running?: boolean })._running === true
