/** The streams of a workflow that runs here, as its own writes need them: whether one is closed, and by whom. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { StoreService } from "../Store.ts"
import { untilItPasses } from "./journal.ts"

/** The step that has closed a stream; `attempt` is null where the body has. */
export interface Closer {
  readonly stepId: number
  readonly attempt: number | null
}

/** Of the workflow that the current fiber belongs to. */
export const CurrentStreams = Context.Reference<OwnStreams | undefined>("perdure/CurrentStreams", {
  defaultValue: () => undefined
})

export class OwnStreams {
  private readonly closers = new Map<string, Closer>()
  /** Streams whose state in the store is known. */
  private readonly known = new Set<string>()
  private readonly store: StoreService
  private readonly workflowId: string
  /** Nobody has owned it before, so nothing was written that is not known. */
  private readonly fresh: boolean

  constructor(store: StoreService, workflowId: string, epoch: number) {
    this.store = store
    this.workflowId = workflowId
    this.fresh = epoch === 1
  }

  /** Who has closed the stream; undefined: it is open. */
  closerOf(key: string): Effect.Effect<Closer | undefined> {
    return Effect.suspend(() => {
      if (this.fresh || this.known.has(key) || this.closers.has(key)) return Effect.succeed(this.closers.get(key))
      return Effect.map(Effect.orDie(Effect.retry(this.read(key), untilItPasses)), (closer) => {
        this.known.add(key)
        if (closer !== undefined) this.closers.set(key, closer)
        return this.closers.get(key)
      })
    })
  }

  close(key: string, closer: Closer): void {
    this.closers.set(key, closer)
  }

  /** What closed it does not count any more. */
  reopen(key: string): void {
    this.known.add(key)
    this.closers.delete(key)
  }

  private read(key: string) {
    return Effect.gen({ self: this }, function*() {
      const stream = (yield* this.store.streams(this.workflowId)).find((other) => other.key === key)
      if (stream?.closed !== true) return undefined
      const [answer] = yield* this.store.readStreams([
        { workflowId: this.workflowId, key, from: stream.entries - 1, limit: 1 }
      ])
      const last = answer?.entries[0]
      return last === undefined || last.value !== null || last.superseded
        ? undefined
        : { stepId: last.stepId, attempt: last.attempt }
    })
  }
}
