/**
 * Who waits for an event or a stream of some workflow, in this process. One look for all of them: at once for a new
 * question, then at every poll, and whenever a hint names the workflow.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../Store.ts"
import { nextTurn } from "./bodyScheduler.ts"

/** What is asked of the store. */
export interface Question {
  readonly workflowId: string
  readonly key: string
}

/** How the questions of one kind are asked. */
export interface Kind<Q extends Question, A> {
  /** Equal questions have equal texts, and are asked once. */
  readonly textOf: (question: Q) => string
  /** One answer per question, in order. */
  readonly ask: (questions: ReadonlyArray<Q>) => Effect.Effect<ReadonlyArray<A>, StoreError>
  /** Whether it is worth telling: otherwise it is waited for. */
  readonly isAnswer: (answer: A) => boolean
}

interface Asked<Q, A> {
  readonly question: Q
  /** Each with the looks that had begun when it asked: what they find may be older than what it knows. */
  readonly tellers: Map<(answer: A | undefined) => void, number>
}

const batchSize = 1000

export class Looks<Q extends Question, A> {
  /** By workflow, then by the question's text. */
  private readonly waiting = new Map<string, Map<string, Asked<Q, A>>>()
  private fresh = new Set<Asked<Q, A>>()
  private closed = false
  /** Looks that have begun. */
  private looks = 0
  private readonly kind: Kind<Q, A>
  private readonly fork: (effect: Effect.Effect<void>) => void

  constructor(kind: Kind<Q, A>, fork: (effect: Effect.Effect<void>) => void) {
    this.kind = kind
    this.fork = fork
  }

  /** The answer, when there is one; `undefined`: the engine has stopped, and looks no more. */
  awaiting(question: Q): Effect.Effect<A | undefined> {
    return Effect.callback((resume) => {
      if (this.closed) return resume(Effect.succeed(undefined))
      const text = this.kind.textOf(question)
      const asked = this.enter(question, text)
      const tell = (answer: A | undefined) => resume(Effect.succeed(answer))
      asked.tellers.set(tell, this.looks)
      this.look(asked)
      return Effect.sync(() => {
        if (asked.tellers.delete(tell) && asked.tellers.size === 0) this.leave(asked, text)
      })
    })
  }

  /** Nobody looks any more: those who wait are told so. */
  close(): void {
    this.closed = true
    const all = this.all()
    this.waiting.clear()
    for (const asked of all) for (const tell of asked.tellers.keys()) tell(undefined)
  }

  /** Something has changed there: of this key, or of any. */
  lookAt(workflowId: string, key?: string): void {
    for (const asked of this.waiting.get(workflowId)?.values() ?? []) {
      if (key === undefined || asked.question.key === key) this.look(asked)
    }
  }

  /** Looks for all that are waited for. */
  get poll(): Effect.Effect<void, StoreError> {
    return Effect.suspend(() => this.waiting.size === 0 ? Effect.void : this.ask(this.all()))
  }

  private all(): ReadonlyArray<Asked<Q, A>> {
    return [...this.waiting.values()].flatMap((ofWorkflow) => [...ofWorkflow.values()])
  }

  private enter(question: Q, text: string): Asked<Q, A> {
    let ofWorkflow = this.waiting.get(question.workflowId)
    if (ofWorkflow === undefined) this.waiting.set(question.workflowId, ofWorkflow = new Map())
    let asked = ofWorkflow.get(text)
    if (asked === undefined) ofWorkflow.set(text, asked = { question, tellers: new Map() })
    return asked
  }

  private leave(asked: Asked<Q, A>, text: string): void {
    const ofWorkflow = this.waiting.get(asked.question.workflowId)
    if (ofWorkflow?.get(text) !== asked) return
    ofWorkflow.delete(text)
    if (ofWorkflow.size === 0) this.waiting.delete(asked.question.workflowId)
  }

  /** Soon, together with others that are asked for in the same turn. */
  private look(asked: Asked<Q, A>): void {
    this.fresh.add(asked)
    if (this.fresh.size > 1) return
    nextTurn(() => {
      const all = [...this.fresh]
      this.fresh = new Set()
      // A failed look is repeated by the next poll.
      this.fork(Effect.ignore(this.ask(all)))
    })
  }

  private answered(asked: Asked<Q, A>, answer: A, look: number): void {
    const told = [...asked.tellers].flatMap(([tell, since]) => since < look ? [tell] : [])
    for (const tell of told) asked.tellers.delete(tell)
    if (asked.tellers.size === 0) this.leave(asked, this.kind.textOf(asked.question))
    for (const tell of told) tell(answer)
  }

  private ask(all: ReadonlyArray<Asked<Q, A>>): Effect.Effect<void, StoreError> {
    const batches: Array<ReadonlyArray<Asked<Q, A>>> = []
    for (let i = 0; i < all.length; i += batchSize) batches.push(all.slice(i, i + batchSize))
    return Effect.forEach(
      batches,
      (batch) =>
        Effect.suspend(() => {
          const number = ++this.looks
          return Effect.map(this.kind.ask(batch.map(({ question }) => question)), (answers) => {
            for (let i = 0; i < batch.length; i++) {
              if (this.kind.isAnswer(answers[i])) this.answered(batch[i], answers[i], number)
            }
          })
        }),
      { discard: true }
    )
  }
}
