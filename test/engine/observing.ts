/** Seeing what workflows did, and waiting until they have done it. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import type { WorkflowError } from "perdure/WorkflowError"
import type { WorkflowStatus } from "perdure/WorkflowStatus"

/** What happened outside, in order. */
export class Log {
  readonly entries: Array<string> = []
  readonly add = (entry: string): Effect.Effect<void> => Effect.sync(() => void this.entries.push(entry))
  /** An effect that says that it ran, and returns a value. */
  readonly effect = <A>(entry: string, value: A): Effect.Effect<A> => Effect.as(this.add(entry), value)
  count(entry: string): number {
    return this.entries.filter((one) => one === entry).length
  }
  /** Waits until there is such an entry. */
  readonly has = (entry: string, times = 1): Effect.Effect<void> =>
    Effect.asVoid(
      eventually(
        `${times} x "${entry}"`,
        Effect.sync(() => this.entries),
        (entries) => entries.filter((one) => one === entry).length >= times
      )
    )
}

/** Repeats a look until it shows what is waited for; past the deadline, fails with what it saw last. */
export const eventually = <A, E, R>(
  what: string,
  look: Effect.Effect<A, E, R>,
  holds: (seen: A) => boolean,
  withinMs = 120_000
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const deadline = Date.now() + withinMs
    const again: Effect.Effect<A, E, R> = Effect.flatMap(look, (seen) => {
      if (holds(seen)) return Effect.succeed(seen)
      if (Date.now() < deadline) return Effect.andThen(Effect.sleep(5), again)
      return Effect.die(new Error(`Waited in vain for ${what}; last seen: ${shown(seen)}`))
    })
    return again
  })

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item) => item instanceof Map ? [...item] : typeof item === "bigint" ? String(item) : item)

/** Waits until the workflow has this status. */
export const reaches = (workflowId: string, status: WorkflowStatus) =>
  becomes(workflowId, status, (info) => info.status === status)

/** Waits until the workflow is out of memory, waiting. */
export const suspends = (workflowId: string) =>
  becomes(workflowId, "suspended", (info) => info.status === "PENDING" && info.waits.length > 0)

/** One that is not there yet may come. */
const becomes = (
  workflowId: string,
  what: string,
  holds: (info: Client.WorkflowInfo) => boolean
): Effect.Effect<Client.WorkflowInfo, never, Engine> =>
  Effect.map(
    eventually(
      `"${workflowId}" to be ${what}`,
      Effect.option(Client.get(workflowId)),
      (info) => Option.isSome(info) && holds(info.value)
    ),
    Option.getOrThrow
  )

/** The steps of a workflow as short lines: `0 step price`. */
export const stepsOf = (workflowId: string): Effect.Effect<ReadonlyArray<string>, WorkflowError, Engine> =>
  Effect.map(Client.steps(workflowId), (steps) => steps.map((step) => `${step.stepId} ${step.kind} ${step.name}`))

/** Waits until so many steps are recorded. */
export const recorded = (workflowId: string, count: number): Effect.Effect<unknown, WorkflowError, Engine> =>
  eventually(
    `${count} records of "${workflowId}"`,
    Client.steps(workflowId),
    (steps) => steps.filter((step) => step.outcome !== undefined).length >= count
  )

/** The reason of the `WorkflowError` that the effect fails with. */
export const reasonOf = <A, E, R>(effect: Effect.Effect<A, E | WorkflowError, R>): Effect.Effect<any, never, R> =>
  Effect.map(Effect.orDie(Effect.flip(effect)), (error: any) => {
    assert.strictEqual(error?._tag, "WorkflowError", `not a WorkflowError: ${String(error)}`)
    return error.reason
  })

/** The only failure of an exit. */
export const failureOf = (exit: Exit.Exit<unknown, unknown>): any => {
  assert.strictEqual(exit._tag, "Failure")
  return exit._tag === "Failure" ? Cause.squash(exit.cause) : undefined
}
