/** The streams of a workflow that runs here, as its own writes need them: whether one is closed, and by whom. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { StoreError, StoreService, Supersede } from "../Store.ts"
import { untilItPasses } from "./journal.ts"

/** The step that has closed a stream. */
interface Closer {
  readonly stepId: number
  /** Null: the body has. */
  readonly attempt: number | null
  /** An owner before this one has. */
  readonly earlier: boolean
}

/** Of the workflow that the current fiber belongs to. */
export const CurrentStreams = Context.Reference<OwnStreams | undefined>("perdure/CurrentStreams", {
  defaultValue: () => undefined
})

export class OwnStreams {
  private readonly closers = new Map<string, Closer>()
  /** Streams whose state in the store is known. */
  private readonly known = new Set<string>()
  /** Of steps that were tried again, the attempt that counts. */
  private readonly counting = new Map<number, number>()
  private readonly store: StoreService
  private readonly workflowId: string
  /** Nobody has owned it before, in this life or an earlier one, so nothing was written that is not known. */
  private readonly fresh: boolean

  constructor(store: StoreService, workflowId: string, fresh: boolean) {
    this.store = store
    this.workflowId = workflowId
    this.fresh = fresh
  }

  /** Who has closed the stream, as soon as that which is about to be superseded is; undefined: it is open. */
  closerOf(key: string, about: ReadonlyArray<Supersede> = []): Effect.Effect<Closer | undefined> {
    return Effect.map(this.looked(key), () => {
      const closer = this.closers.get(key)
      return closer === undefined || this.isSuperseded(closer, about) ? undefined : closer
    })
  }

  close(key: string, stepId: number, attempt: number | null): void {
    this.closers.set(key, { stepId, attempt, earlier: false })
  }

  /** It was not closed after all. */
  reopen(key: string): void {
    this.known.add(key)
    this.closers.delete(key)
  }

  /** Is on its way to the store. */
  supersede(supersedes: ReadonlyArray<Supersede>): void {
    for (const { attempt, stepId } of supersedes) this.counting.set(stepId, attempt)
  }

  private isSuperseded({ attempt, earlier, stepId }: Closer, about: ReadonlyArray<Supersede>): boolean {
    if (attempt === null) return false
    const counting = about.find((one) => one.stepId === stepId)?.attempt ?? this.counting.get(stepId)
    return counting !== undefined && (earlier || attempt < counting)
  }

  private looked(key: string): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.fresh || this.known.has(key) || this.closers.has(key)) return Effect.void
      return Effect.map(Effect.orDie(Effect.retry(this.read(key), untilItPasses)), (closer) => {
        this.known.add(key)
        if (closer !== undefined && !this.closers.has(key)) this.closers.set(key, closer)
      })
    })
  }

  private read(key: string): Effect.Effect<Closer | undefined, StoreError> {
    return Effect.gen({ self: this }, function*() {
      const stream = (yield* this.store.streams(this.workflowId)).find((other) => other.key === key)
      if (stream?.closed !== true) return undefined
      const [answer] = yield* this.store.readStreams([
        { workflowId: this.workflowId, key, from: stream.entries - 1, limit: 1 }
      ])
      const last = answer?.entries[0]
      return last === undefined || last.value !== null || last.superseded
        ? undefined
        : { stepId: last.stepId, attempt: last.attempt, earlier: true }
    })
  }
}
