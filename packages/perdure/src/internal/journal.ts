/**
 * Group commit: every durable write of an engine goes through here.
 *
 * Operations gather while a write is under way and go out together as the next one. Idle, an operation is written at
 * once; under load a commit carries hundreds. A workflow has at most one operation in flight, and its waiting ones are
 * folded into one, so that writes under way never meet and the order within a workflow holds.
 *
 * A write that fails has an unknown outcome. It is submitted again, the very same, until it is answered: the keys of
 * its operations make that safe.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Advance, Answer, Operation, StoreService } from "../Store.ts"
import { giveUpAfter } from "./answering.ts"
import { nextTurn } from "./bodyScheduler.ts"
import * as Metrics from "./metrics.ts"

export interface JournalOptions {
  /** Writes under way at once. */
  readonly lanes: number
  /** Most operations in a write. */
  readonly batchSize: number
  /** Most bytes of payload in a write; one that is larger goes alone. */
  readonly batchBytes: number
  /** How long to wait for an answer before the same operations are submitted again, on another connection. */
  readonly patienceMs: number
}

interface Entry {
  readonly operation: Operation
  /** A refusal of it is an answer to whoever submitted it, and must be of nothing else. */
  readonly contested: boolean
  /** It may be there already, though nobody has heard so: it is submitted as it was, and nothing goes along. */
  inDoubt: boolean
  readonly answered: ReadonlyArray<(answer: Answer) => void>
}

/** The waiting operations of one workflow, in order; or one delivery, or one start of many. */
interface Line {
  readonly key: string
  waiting: Array<Entry>
  /** `held`: refused as busy, and to be tried again later. */
  state: "idle" | "ready" | "writing" | "held"
  /** Since when it has been; infinity: it has not. */
  refusedAt: number
}

/** What one write carries: of each of these lines an entry. */
interface Batch {
  readonly lines: ReadonlyArray<Line>
  readonly entries: ReadonlyArray<Entry>
}

/** Quick at first, then every second, for ever: what was asked to be durable is not given up. */
export const untilItPasses = Schedule.min([Schedule.exponential("20 millis", 2), Schedule.spaced("1 second")]).pipe(
  Schedule.jittered
)

export class Journal {
  /** How many starts are on their way whose workflows this process is to own. */
  starting = 0
  private readonly lines = new Map<string, Line>()
  private readonly children = new Set<string>()
  private ready: Array<Line> = []
  private readonly underWay = new Set<Batch>()
  private free = 0
  private complainAt = -Infinity
  private scheduled = false
  private flushing = false
  private closed = false
  private idle: Array<() => void> = []
  private readonly store: StoreService
  private readonly options: JournalOptions
  private readonly run: (effect: Effect.Effect<void>) => void

  constructor(store: StoreService, options: JournalOptions, run: (effect: Effect.Effect<void>) => void) {
    this.store = store
    this.options = options
    this.run = run
  }

  /**
   * Writes the operation, after all earlier ones of its workflow. `answered` is called once, never with `Busy`. `contested`: see
   * {@link Entry.contested}.
   */
  submit(operation: Operation, answered: (answer: Answer) => void, contested = false): void {
    if (this.closed) return answered({ _tag: "Fenced" })
    // Deliveries wait for nobody: the sender who cares for an order waits for the answer.
    const key = operation._tag === "Deliver" || operation._tag === "StartMany"
      ? `${operation._tag} ${this.free++}`
      : operation.workflowId
    let line = this.lines.get(key)
    if (line === undefined) {
      line = { key, waiting: [], state: "idle", refusedAt: Infinity }
      this.lines.set(key, line)
    }
    const children = operation._tag === "Advance" ? operation.children : []
    const owned = (operation._tag === "Start" ? [operation] : children).filter((start) => start.owner !== null).length
    for (const child of children) this.children.add(child.workflowId)
    this.starting += owned
    const arrived = () => {
      for (const child of children) this.children.delete(child.workflowId)
      this.starting -= owned
    }
    line.waiting.push({
      operation,
      contested,
      inDoubt: false,
      answered: [(answer) => {
        // Not before the answer is taken: what it tells of is on its way until then.
        try {
          answered(answer)
        } finally {
          arrived()
        }
      }]
    })
    if (line.state === "idle") this.enqueue(line)
  }

  /** Whether an operation of this workflow waits or is under way, its start by a parent included. */
  has(workflowId: string): boolean {
    return this.lines.has(workflowId) || this.children.has(workflowId)
  }

  /** Resolves when nothing waits and nothing is under way. */
  get drained(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      if (this.lines.size === 0) return resume(Effect.void)
      this.idle.push(() => resume(Effect.void))
    })
  }

  private enqueue(line: Line): void {
    line.state = "ready"
    this.ready.push(line)
    this.flushSoon()
  }

  /** After this turn of the event loop: what other workflows submit in it goes along. */
  private flushSoon(): void {
    if (this.scheduled || this.ready.length === 0 || this.underWay.size >= this.options.lanes) return
    this.scheduled = true
    nextTurn(() => {
      this.scheduled = false
      this.flush()
    })
  }

  private flush(): void {
    // A store may answer before it returns, and the answer may lead to the next write: that one is not made within this
    // one, or the stack would grow with every write of a loop, and nobody else would have a turn.
    if (this.flushing) return
    this.flushing = true
    try {
      for (let left = this.ready.length; left > 0 && this.underWay.size < this.options.lanes;) {
        const batch = this.takeBatch()
        left -= batch.lines.length
        this.underWay.add(batch)
        this.run(this.write(batch))
      }
    } finally {
      this.flushing = false
    }
    this.flushSoon()
  }

  private takeBatch(): Batch {
    const lines: Array<Line> = []
    const entries: Array<Entry> = []
    let size = 0
    let taken = 0
    for (; taken < this.ready.length && taken < this.options.batchSize; taken++) {
      const line = this.ready[taken]
      const count = foldable(line.waiting)
      const entry = fold(line.waiting.slice(0, count))
      const alone = entry.operation._tag === "StartMany"
      const bytes = sizeOf(entry.operation)
      if (taken > 0 && (alone || size + bytes > this.options.batchBytes)) break
      size += bytes
      line.waiting = line.waiting.slice(count)
      line.state = "writing"
      lines.push(line)
      entries.push(entry)
      if (alone) {
        taken++
        break
      }
    }
    this.ready = this.ready.slice(taken)
    return { lines, entries }
  }

  private write(batch: Batch): Effect.Effect<void> {
    const { entries } = batch
    return Effect.andThen(
      Effect.andThen(Metrics.journalBatch(entries.length), this.submitted(entries)),
      (answers) => {
        let records = 0
        for (let i = 0; i < entries.length; i++) {
          const { operation } = entries[i]
          if (answers[i]._tag === "Recorded" && operation._tag === "Advance") records += operation.records.length
        }
        return Effect.andThen(
          records === 0 ? Effect.void : Metrics.count(Metrics.stepsRecorded, records),
          Effect.sync(() => this.answer(batch, answers))
        )
      }
    )
  }

  /** The answers to these operations, however often they must be submitted. */
  private submitted(entries: ReadonlyArray<Entry>): Effect.Effect<ReadonlyArray<Answer>> {
    return this.store.write(entries.map((entry) => entry.operation)).pipe(
      giveUpAfter(this.options.patienceMs),
      Effect.tapError((error) => {
        for (const entry of entries) entry.inDoubt = true
        return Effect.andThen(
          Metrics.journalFailures,
          Effect.logWarning("The journal could not write and will submit the same operations again", error.message)
        )
      }),
      Effect.retry(untilItPasses),
      Effect.catchCause((cause) => {
        if (Cause.hasInterrupts(cause)) return Effect.interrupt
        // The store broke on one of them. The others must not suffer: one by one, and that one is refused.
        const broken = Effect.logError("The store broke on a write of the journal", cause)
        return Effect.andThen(
          broken,
          entries.length === 1
            ? Effect.succeed([{ _tag: "Rejected", detail: Cause.pretty(cause).slice(0, 1000) } as const])
            : Effect.map(Effect.forEach(entries, (entry) => this.submitted([entry])), (answers) => answers.flat())
        )
      })
    )
  }

  private answer(batch: Batch, answers: ReadonlyArray<Answer>): void {
    // Closed meanwhile: they have been answered.
    if (!this.underWay.delete(batch)) return
    const { entries, lines } = batch
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]
      if (answers[i]._tag === "Busy") {
        this.later(line, entries[i])
        continue
      }
      line.refusedAt = Infinity
      for (const answered of entries[i].answered) this.tell(answered, answers[i])
      if (line.waiting.length > 0) this.enqueue(line)
      else this.lines.delete(line.key)
    }
    this.flush()
    if (this.lines.size === 0) this.tellDrained()
  }

  private tellDrained(): void {
    for (const resume of this.idle.splice(0)) resume()
  }

  /** One that fails to take its answer must not keep the others from theirs. */
  private tell(answered: (answer: Answer) => void, answer: Answer): void {
    try {
      answered(answer)
    } catch (error) {
      this.run(Effect.logError("An answer of the journal could not be taken", error))
    }
  }

  /**
   * Nothing is written any more, and those who wait are told so. What is under way may be written all the same, and nobody
   * hears of it: its answer may never come.
   */
  close(): void {
    this.closed = true
    const entries = [
      ...[...this.underWay].flatMap((batch) => batch.entries),
      ...[...this.lines.values()].flatMap((line) => line.waiting)
    ]
    this.underWay.clear()
    this.lines.clear()
    this.ready = []
    for (const entry of entries) for (const answered of entry.answered) this.tell(answered, { _tag: "Fenced" })
    this.tellDrained()
  }

  /** Somebody else holds a row: try again soon, later if that has lasted, and let the others pass. */
  private later(line: Line, entry: Entry): void {
    line.waiting.unshift(entry)
    line.state = "held"
    const now = performance.now()
    line.refusedAt = Math.min(line.refusedAt, now)
    setTimeout(() => {
      if (!this.closed) this.enqueue(line)
    }, Math.min(Math.max(5, now - line.refusedAt), mayBeAwaited(entry.operation) ? 20 : 200))
    if (isStuck(line) && now >= this.complainAt) this.complain(line)
  }

  /** Who waits for a row wants to know why. Said when it has lasted, and every minute, for all that wait. */
  private complain({ key }: Line): void {
    this.complainAt = performance.now() + 60_000
    const others = [...this.lines.values()].filter(isStuck).length - 1
    this.run(Effect.logWarning(
      `The journal cannot write "${key}"${others > 0 ? ` and ${others} more` : ""}, and goes on trying: ` +
        "somebody holds rows in the database. Look there for a transaction that is open for long"
    ))
  }
}

const isStuck = ({ refusedAt }: Line): boolean => performance.now() - refusedAt >= 5_000

/**
 * An end, an event or an entry is refused while anybody is about to wait for this workflow, a commit at a time. Where very
 * many do it is rarely free, so it is tried often: they all wait for just this.
 */
const mayBeAwaited = (operation: Operation): boolean =>
  operation._tag === "Advance"
  && (operation.end?._tag === "Settle" || operation.events.length > 0 || operation.entries.length > 0)

/** How many of the waiting operations make one: advances that only add, up to one that ends or may be refused. */
const foldable = (waiting: ReadonlyArray<Entry>): number => {
  let count = 0
  let epoch: number | undefined
  for (const { contested, inDoubt, operation } of waiting) {
    if (operation._tag !== "Advance") return Math.max(1, count)
    if (epoch !== undefined && operation.epoch !== epoch) return count
    if (contested || inDoubt || isConditional(operation)) return Math.max(1, count)
    epoch = operation.epoch
    count++
    if (operation.end !== null) return count
  }
  return count
}

/** It may be refused as a whole, so nothing that must be written goes along. */
const isConditional = (operation: Advance): boolean =>
  operation.end?._tag === "Suspend" || operation.children.length > 0 || operation.sends.length > 0

const fold = (entries: ReadonlyArray<Entry>): Entry => {
  if (entries.length === 1) return entries[0]
  const advances = entries.map((entry) => entry.operation as Advance)
  const last = advances[advances.length - 1]
  return {
    operation: {
      ...last,
      records: advances.flatMap((advance) => advance.records),
      attempts: advances.flatMap((advance) => advance.attempts),
      consumes: advances.flatMap((advance) => advance.consumes),
      events: advances.flatMap((advance) => advance.events),
      entries: advances.flatMap((advance) => advance.entries),
      supersedes: advances.flatMap((advance) => advance.supersedes)
    },
    contested: false,
    inDoubt: false,
    answered: entries.flatMap((entry) => entry.answered)
  }
}

/** Of its payloads, roughly, in bytes. */
export const sizeOf = (operation: Operation): number => {
  if (operation._tag === "Start") return 200 + operation.payload.length
  if (operation._tag === "StartMany") return sizeOfAll(operation.starts, (start) => start.payload)
  if (operation._tag === "Deliver") return sizeOfAll(operation.sends, (send) => send.payload)
  let size = 200 + (operation.end?._tag === "Settle" ? operation.end.output?.length ?? 0 : 0)
  size += sizeOfAll(operation.records, (record) => record.value)
  size += sizeOfAll(operation.attempts, (attempt) => attempt.error)
  size += sizeOfAll(operation.children, (child) => child.payload)
  size += sizeOfAll(operation.sends, (send) => send.payload)
  size += sizeOfAll(operation.events, (event) => event.value)
  size += sizeOfAll(operation.entries, (entry) => entry.value ?? "")
  return size
}

const sizeOfAll = <A>(items: ReadonlyArray<A>, textOf: (item: A) => string): number => {
  let size = 0
  for (const item of items) size += 200 + textOf(item).length
  return size
}
