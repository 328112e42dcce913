/**
 * The queues that this engine has told the store of: each once, before it is used. Two declarations of one name must say
 * the same, or which limits count would be a matter of who came last.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type { StoreError, StoreService } from "../Store.ts"
import { fromStoreError, InvalidArgument, WorkflowError } from "../WorkflowError.ts"
import { giveUpAfter, patienceMs } from "./answering.ts"
import { untilItPasses } from "./journal.ts"
import type { QueueDefinition } from "./queueDefinition.ts"

interface Declared {
  readonly limits: string
  readonly registered: Deferred.Deferred<void, StoreError>
}

export class Queues {
  private readonly declared = new Map<string, Declared>()
  private readonly store: StoreService
  private readonly run: (effect: Effect.Effect<void>) => void

  constructor(store: StoreService, run: (effect: Effect.Effect<void>) => void) {
    this.store = store
    this.run = run
  }

  /** The store knows the queue. What passes is waited for; in a body (`patient`) whatever is wrong with the store is. */
  registered(queue: QueueDefinition, patient = false): Effect.Effect<void, WorkflowError> {
    return Effect.suspend((): Effect.Effect<void, StoreError | WorkflowError> => {
      const known = this.declared.get(queue.name)
      if (known === undefined) return Deferred.await(this.register(queue))
      return known.limits === JSON.stringify(queue.limits)
        ? Deferred.await(known.registered)
        : Effect.fail(twice(queue))
    }).pipe(
      Effect.retry({
        schedule: untilItPasses,
        while: (error) => error._tag === "StoreError" && (patient || error.isRetryable)
      }),
      Effect.mapError((error) => error._tag === "StoreError" ? fromStoreError(error) : error)
    )
  }

  /** Whether it is known already that the store knows it. */
  isRegistered(queue: QueueDefinition): boolean {
    const known = this.declared.get(queue.name)
    return known !== undefined && Deferred.isDoneUnsafe(known.registered)
  }

  /** The store says that it does not know the queue (any more). */
  forget(name: string): void {
    this.declared.delete(name)
  }

  private register(queue: QueueDefinition): Deferred.Deferred<void, StoreError> {
    const registered = Deferred.makeUnsafe<void, StoreError>()
    const declared: Declared = { limits: JSON.stringify(queue.limits), registered }
    this.declared.set(queue.name, declared)
    this.run(
      Effect.onExit(
        giveUpAfter(patienceMs)(this.store.registerQueue(queue.name, queue.limits)),
        (exit) =>
          Effect.sync(() => {
            if (exit._tag === "Failure" && this.declared.get(queue.name) === declared) this.declared.delete(queue.name)
            Deferred.doneUnsafe(registered, exit)
          })
      ).pipe(Effect.ignore)
    )
    return registered
  }
}

const twice = (queue: QueueDefinition): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "queue",
      detail: `"${queue.name}" is declared in this process a second time, with other limits`,
      remedy: "Declare a queue once, and import it."
    })
  })
