/**
 * The inboxes at which somebody waits, in this process: one count for all of them at every poll, and a look at once
 * where something is said to have come in.
 */
import * as Effect from "effect/Effect"
import type { StoreError, StoreService } from "../Store.ts"
import { nextTurn } from "./bodyScheduler.ts"
import { Inbox, type InboxHost } from "./inbox.ts"

const batchSize = 1000

export class Inboxes {
  private readonly open = new Map<string, Inbox>()
  private fresh = new Set<Inbox>()
  private readonly store: StoreService
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly now: () => number

  constructor(store: StoreService, fork: (effect: Effect.Effect<void>) => void, now: () => number) {
    this.store = store
    this.fork = fork
    this.now = now
  }

  /** The inbox of a workflow that has come to run here. */
  inboxOf(workflowId: string, count: number): Inbox {
    return new Inbox(workflowId, count, this.host)
  }

  private readonly host: InboxHost = {
    messages: (workflowId, options) => this.store.messages(workflowId, options),
    now: () => this.now(),
    fork: (effect) => this.fork(effect),
    opened: (inbox) => void this.open.set(inbox.workflowId, inbox),
    closed: (inbox) => {
      // One that was run here before may not close the present one's.
      if (this.open.get(inbox.workflowId) === inbox) this.open.delete(inbox.workflowId)
    },
    count: (inbox) => {
      this.fresh.add(inbox)
      if (this.fresh.size > 1) return
      nextTurn(() => {
        const inboxes = [...this.fresh]
        this.fresh = new Set()
        // A failed count is repeated by the next poll.
        this.fork(Effect.ignore(this.count(inboxes)))
      })
    }
  }

  /** Something came in for this workflow. */
  lookAt(workflowId: string): void {
    this.open.get(workflowId)?.look()
  }

  /** Counts for all at which somebody waits. */
  get poll(): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => this.open.size === 0 ? Effect.void : this.count([...this.open.values()]))
  }

  private count(inboxes: ReadonlyArray<Inbox>): Effect.Effect<void, StoreError> {
    const batches: Array<ReadonlyArray<Inbox>> = []
    for (let i = 0; i < inboxes.length; i += batchSize) batches.push(inboxes.slice(i, i + batchSize))
    return Effect.forEach(batches, (batch) =>
      Effect.suspend(() => {
        const asked = this.now()
        return Effect.map(this.store.inboxes(batch.map(({ workflowId }) => workflowId)), (counts) => {
          for (const inbox of batch) {
            const count = counts.get(inbox.workflowId)
            if (count !== undefined) inbox.counted(count, asked)
          }
        })
      }), { discard: true })
  }
}
