/**
 * Who in this process waits for what workflows tell: messages, events, streams. They are told at once by what is written
 * here, by hints from elsewhere, and, whatever gets lost, by every poll: one statement for all waiters of a kind.
 */
import * as Effect from "effect/Effect"
import type {
  Await,
  EventAnswer,
  EventWrite,
  Hint,
  Send,
  StoreError,
  StoreService,
  StreamAnswer,
  StreamRead,
  StreamWrite
} from "../Store.ts"
import type { Inbox } from "./inbox.ts"
import { Inboxes } from "./inboxes.ts"
import { Looks, type Question } from "./looks.ts"

/** What surrounds it. */
export interface WatchingHost {
  readonly store: StoreService
  /** Tells this engine, and everybody else. */
  readonly tell: (hints: ReadonlyArray<Hint>) => void
  readonly now: () => number
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Whether the workflow is in memory here, to stay; undefined: nothing runs here. */
  readonly isRunning: (workflowId: string) => boolean | undefined
  /** Looks whether the workflow has ended. */
  readonly lookForEnd: (workflowId: string) => void
  /** Somebody who is out of memory may be due. */
  readonly claim: () => void
}

/** What was written. */
export interface Written {
  readonly workflowId: string
  readonly sends: ReadonlyArray<Send>
  readonly events: ReadonlyArray<EventWrite>
  readonly entries: ReadonlyArray<StreamWrite>
}

/** Whether a claim finds anybody is not known, so under load it is not made more often than this. Milliseconds. */
const claimEveryMs = 20

export class Watching {
  readonly inboxes: Inboxes
  readonly events: Looks<Question, EventAnswer>
  readonly streams: Looks<StreamRead, StreamAnswer>
  private readonly host: WatchingHost
  private claimedAt = -Infinity
  private claimTimer: ReturnType<typeof setTimeout> | undefined

  constructor(host: WatchingHost) {
    const { fork, now, store } = host
    this.host = host
    this.inboxes = new Inboxes(store, fork, now)
    this.events = new Looks({
      textOf: ({ key }) => key,
      ask: (questions) => store.eventValues(questions),
      isAnswer: (answer) => answer._tag !== "Open"
    }, fork)
    this.streams = new Looks({
      textOf: ({ from, key, limit }) => `${from} ${limit} ${key}`,
      ask: (questions) => store.readStreams(questions),
      isAnswer: ({ entries, state }) => entries.length > 0 || state !== "open"
    }, fork)
  }

  /** Looks for everybody who waits. */
  readonly poll: Effect.Effect<void, StoreError> = Effect.suspend(() =>
    Effect.all([this.inboxes.poll, this.events.poll, this.streams.poll], { discard: true })
  )

  /** Something was written elsewhere, or here. */
  hear(hint: Extract<Hint, { readonly _tag: "Inbox" | "Event" | "Stream" }>): void {
    switch (hint._tag) {
      case "Inbox":
        this.inboxes.lookAt(hint.workflowId)
        if (this.host.isRunning(hint.workflowId) === false) this.claimSoon()
        return
      case "Event":
        this.events.lookAt(hint.workflowId, hint.key)
        return this.claimSoon()
      case "Stream":
        this.streams.lookAt(hint.workflowId, hint.key)
        return this.claimSoon()
    }
  }

  /** What this process has written. */
  wrote(written: Written): void {
    const { workflowId } = written
    const hints = [
      ...[...new Set(written.sends.map(({ to }) => to))].map((to) => ({ _tag: "Inbox", workflowId: to } as const)),
      ...keysOf(written.events).map((key) => ({ _tag: "Event", workflowId, key } as const)),
      ...keysOf(written.entries).map((key) => ({ _tag: "Stream", workflowId, key } as const))
    ]
    if (hints.length > 0) this.host.tell(hints)
  }

  /** The workflow has ended, or may have: what it has not told it never will. */
  ended(workflowId: string): void {
    this.events.lookAt(workflowId)
    this.streams.lookAt(workflowId)
    this.claimSoon()
  }

  /** A suspension was refused: something has come in, or what is awaited has happened. */
  stirred(inbox: Inbox, count: number, awaiting: ReadonlyArray<Await>): void {
    inbox.counted(count, -Infinity)
    for (const awaited of awaiting) {
      if (awaited.on === "end") this.host.lookForEnd(awaited.workflowId)
      else if (awaited.on === "event") this.events.lookAt(awaited.workflowId, awaited.key)
      else this.streams.lookAt(awaited.workflowId, awaited.key)
    }
  }

  /** Nobody looks any more. */
  close(): void {
    clearTimeout(this.claimTimer)
    this.events.close()
    this.streams.close()
  }

  private claimSoon(): void {
    if (this.claimTimer !== undefined || this.host.isRunning("") === undefined) return
    const wait = this.claimedAt + claimEveryMs - performance.now()
    const claim = () => {
      this.claimTimer = undefined
      this.claimedAt = performance.now()
      this.host.claim()
    }
    if (wait <= 0) claim()
    else this.claimTimer = setTimeout(claim, wait)
  }
}

const keysOf = (items: ReadonlyArray<{ readonly key: string }>): ReadonlyArray<string> => [
  ...new Set(items.map(({ key }) => key))
]
