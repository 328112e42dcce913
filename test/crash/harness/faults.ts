/** A store that kills its own process at the n-th durable call, before it or after it, with the answer never seen. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Store, type StoreService } from "perdure/Store"

export type When = "before" | "after"

/** Counts durable calls once armed. */
export class Fault {
  /** Durable calls so far, since it was armed; their names, for the report. */
  readonly calls: Array<string> = []
  private armed: { readonly at: number; readonly when: When } | undefined
  private counting = false

  /** `at`: which call kills, from 1; 0: none, count only. */
  arm(at: number, when: When): void {
    this.counting = true
    this.calls.length = 0
    this.armed = { at, when }
  }

  /** A durable call is about to be made. Returns its number. */
  enter(name: string): number {
    if (!this.counting) return 0
    this.calls.push(name)
    this.die(this.calls.length, "before")
    return this.calls.length
  }

  /** It has been made. */
  leave(call: number): void {
    this.die(call, "after")
  }

  private die(call: number, when: When): void {
    if (this.armed?.at !== call || this.armed.when !== when || call === 0) return
    process.kill(process.pid, "SIGKILL")
  }
}

/** Around one call. */
const around = <A, E, R>(fault: Fault, name: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const call = fault.enter(name)
    return Effect.tap(effect, () => Effect.sync(() => fault.leave(call)))
  })

/** A call that counts only if it has changed something: known when it has been made. */
const afterwards = <A, E, R>(
  fault: Fault,
  name: string,
  effect: Effect.Effect<A, E, R>,
  changed: (answer: A) => boolean
): Effect.Effect<A, E, R> =>
  Effect.tap(effect, (answer) => Effect.sync(() => changed(answer) ? fault.leave(fault.enter(name)) : undefined))

const wrap = (store: StoreService, fault: Fault): StoreService => ({
  ...store,
  write: (batch) => around(fault, `write ${batch.map(nameOf).join("+")}`, store.write(batch)),
  renew: (life) => around(fault, "renew", store.renew(life)),
  cancel: (ids, options) => around(fault, "cancel", store.cancel(ids, options)),
  resume: (ids) => around(fault, "resume", store.resume(ids)),
  leave: (incarnation) => around(fault, "leave", store.leave(incarnation)),
  claim: (options) => afterwards(fault, "claim", store.claim(options), ({ claimed }) => claimed.length > 0),
  sweep: (limit) =>
    afterwards(
      fault,
      "sweep",
      store.sweep(limit),
      ({ deadLettered, expired, released }) => released > 0 || deadLettered.length > 0 || expired.length > 0
    ),
  transaction: (workflowId, epoch, body, record, options) =>
    around(
      fault,
      "transaction",
      store.transaction(
        workflowId,
        epoch,
        body,
        // The body has run, nothing is committed.
        (value) => around(fault, "commit", record(value)),
        options
      )
    )
})

const nameOf = (operation: Parameters<StoreService["write"]>[0][number]): string =>
  operation._tag === "Advance" ? operation.end?._tag ?? operation._tag : operation._tag

export const layer = (fault: Fault): Layer.Layer<Store, never, Store> =>
  Layer.effect(Store, Effect.map(Store, (store) => wrap(store, fault)))
