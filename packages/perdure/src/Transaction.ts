/**
 * Transactions: steps whose record commits together with the application's own SQL, exactly once.
 *
 * For application tables that live in the store's database: the SQLite file, or the PostgreSQL database. The statements
 * of the effect, made through `SqlClient`, and the record are one commit; there is no moment at which one is durable and
 * the other is not.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Engine } from "./Engine.ts"
import { defaultPolicy } from "./internal/attempts.ts"
import * as Codec from "./internal/codec.ts"
import { type Core, CurrentCore } from "./internal/core.ts"
import { performElsewhere, retain } from "./internal/elsewhere.ts"
import * as Failure from "./internal/failure.ts"
import { outsideBody } from "./internal/inBody.ts"
import { checkKey, checkStepName, durationMs, positiveDurationMs } from "./internal/names.ts"
import type { Call, Completed, Operation } from "./internal/operation.ts"
import { rollbackOf } from "./internal/rollback.ts"
import { CurrentRun, type Run } from "./internal/run.ts"
import { attemptSync } from "./internal/starting.ts"
import { performTransaction, type Transacted } from "./internal/transacting.ts"
import { asPart, InTransaction, refuseInTransaction } from "./internal/transactions.ts"
import type * as Json from "./Json.ts"
import * as Step from "./Step.ts"
import { fromStoreError, TransactionMisused, WorkflowError } from "./WorkflowError.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** How a transaction is run and recorded. */
export interface Options<
  in A = any,
  in E = any,
  out S extends Step.Storable = Step.Storable,
  out X extends Step.Storable = Step.Storable,
  out RR = any
> {
  /** PostgreSQL only; SQLite is always serializable. Default: the server's. Conflicts (40001, 40P01) are run again. */
  readonly isolation?: "read committed" | "repeatable read" | "serializable" | undefined
  /** Of the success. Needed when its type is not plain JSON. */
  readonly success?: S | undefined
  /** Of the errors that are to come back as themselves. They roll back, and are recorded. */
  readonly error?: X | undefined
  /** As for a step. Default: transient errors get three attempts. */
  readonly retry?: Step.Retry<E> | undefined
  /**
   * Limit on the effect, so that a hung one cannot hold locks. Default: 30 seconds; on SQLite, where a transaction is the
   * one writer and the executor's heartbeat waits for it, at most half the lease. On PostgreSQL a wait for somebody else's
   * lock is given up after half of it, and the transaction run again, as often as it takes.
   */
  readonly timeout?: Duration.Input | undefined
  /** Identity in its branch instead of the name. */
  readonly key?: string | undefined
  /** The name under which it was recorded before it was renamed. */
  readonly renamed?: string | undefined
  /**
   * Undoes the transaction, given its result, when the workflow later fails, is cancelled or times out. As for a step: it
   * is recorded, and runs at least once; what it does through `SqlClient` is a transaction only if it makes one.
   */
  readonly rollback?: ((result: A) => Effect.Effect<unknown, unknown, RR>) | undefined
}

/** What a transaction fails with. */
export type ErrorOf<O> = Step.ErrorOf<O> | WorkflowError

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/**
 * Runs the effect in a transaction of the `SqlClient` in its context: data-first `Transaction.run(name, effect,
 * options?)` and data-last.
 *
 * *Details*
 *
 * The `SqlClient` must be of the store's database, and not in a transaction already: else it fails with a
 * `WorkflowError` whose reason is `TransactionMisused`, and nothing is run. In the effect nothing else durable may
 * happen. A typed error rolls back and is recorded. Outside a workflow it is `SqlClient.withTransaction`.
 *
 * **Durability.** Effect and record commit together. A connection that dies in the commit leaves its outcome unknown:
 * the transaction is run again, and the record of a first one that did commit undoes the second.
 */
export const run: {
  <S extends Step.Storable = never, X extends Step.Storable = never, RR = never>(
    name: string,
    options?: Options<any, any, S, X, RR>
  ): <A, E, R>(
    effect: Effect.Effect<A, E, R> & Json.Guard<A, Step.Given<S, X>>
  ) => Effect.Effect<Json.Stored<A, Step.Given<S, X>>, ErrorOf<Step.Given<S, X>>, R | NoInfer<RR> | SqlClient.SqlClient>
  <A, E, R, S extends Step.Storable = never, X extends Step.Storable = never, RR = never>(
    name: string,
    effect: Effect.Effect<A, E, R> & Json.Guard<A, Step.Given<S, X>>,
    options?: Options<NoInfer<A>, NoInfer<E>, S, X, RR>
  ): Effect.Effect<Json.Stored<A, Step.Given<S, X>>, ErrorOf<Step.Given<S, X>>, R | NoInfer<RR> | SqlClient.SqlClient>
} = ((name: string, second?: unknown, third?: Options): any =>
  Effect.isEffect(second)
    ? runTransaction(name, second as Effect.Effect<any, any, any>, third ?? {})
    : (effect: Effect.Effect<any, any, any>) =>
      runTransaction(name, effect, (second as Options | undefined) ?? {})) as any

/**
 * The same in **another** database than the store's: PostgreSQL, MySQL or SQLite, through whichever `SqlClient` is in the
 * context. Exactly once there too.
 *
 * *Details*
 *
 * Its commit carries a row of a table `perdure_completion` in that database, made by the first use where there is none.
 * The `SqlClient` must not be in a transaction already. With `isolation` the client's own default is left as it is.
 *
 * **Durability.** The effect commits there with its value; the record here comes after. A crash in between, a second
 * executor, or a connection that dies in the commit runs the effect again only up to that row: then everything is rolled
 * back, and the value of the first commit is recorded. A workflow that is cancelled while it commits may have committed.
 *
 * *Gotchas*
 *
 * The rows stay until {@link retainElsewhere} removes them.
 */
export const runElsewhere: typeof run =
  ((name: string, second?: unknown, third?: Options): any =>
    Effect.isEffect(second)
      ? runTransaction(name, second as Effect.Effect<any, any, any>, third ?? {}, performThere)
      : (effect: Effect.Effect<any, any, any>) =>
        runTransaction(name, effect, (second as Options | undefined) ?? {}, performThere)) as any

/**
 * Deletes rows of `perdure_completion` in the database of the `SqlClient` that are older than so long and whose workflows
 * have ended in `SUCCESS` or `ERROR`, or do not exist any more; in batches. Returns of how many workflows. Fails with
 * `NotInBody` in a workflow's body.
 */
export const retainElsewhere = (
  options: { readonly olderThan: Duration.Input }
): Effect.Effect<number, WorkflowError | SqlError, Engine | SqlClient.SqlClient> =>
  outsideBody("Transaction.retainElsewhere", () =>
    Effect.gen(function*() {
      const { core } = yield* Engine
      const olderThanMs = yield* attemptSync(() => durationMs("olderThan", options.olderThan))
      return yield* Effect.mapError(
        retain(core, yield* SqlClient.SqlClient, olderThanMs),
        (error) => error._tag === "StoreError" ? fromStoreError(error) : error
      )
    }))

/**
 * Runs the effect in a transaction of the `SqlClient` in its context, of which everything that it starts, enqueues and
 * sends is a part: there when the transaction commits, and never otherwise.
 *
 * ```ts
 * Transaction.within(Effect.gen(function*() {
 *   yield* sql`INSERT INTO orders ${sql.insert(order)}`
 *   return yield* ProcessOrder.start(order)
 * }))
 * ```
 *
 * *Details*
 *
 * For code outside a workflow; the `SqlClient` must be of the store's database. Within a transaction that is open already
 * it is a savepoint of that one. Ids, deduplication ids and refusals are as everywhere. Waiting for a result, an event or a
 * stream is refused (`TransactionMisused`, `waits`), since what was started begins only after the commit; so is what cannot
 * be a part of it (`nested`): a debounce, a trigger or backfill of a schedule, an event or entry of a step; and a body, where
 * `Transaction.run` belongs. On SQLite a queue must have been registered before (`queue.layer`, or the engine's `queues`).
 *
 * **Durability.** The application's commit is the start's. Executors are told right after it; if this process dies before,
 * they find it at their next poll. A message goes out after the commit, too; one whose destination has ended by then is
 * dropped.
 */
export const within = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SqlError | WorkflowError, R | SqlClient.SqlClient> =>
  Effect.withFiber((fiber): Effect.Effect<A, E | SqlError | WorkflowError, R | SqlClient.SqlClient> => {
    const refused = refuseInTransaction(fiber.context, "Transaction.within")
    if (refused !== undefined) return Effect.fail(refused)
    if (fiber.getRef(CurrentRun) !== undefined) return Effect.fail(withinBody)
    return Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(asPart(sql, effect)))
  })

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const withinBody = new WorkflowError({
  reason: new TransactionMisused({
    why: "nested",
    detail: "Transaction.within was asked for in a workflow's body, where a replay would run it again"
  })
})

type Perform = (
  core: Core,
  run: Run,
  call: Call,
  transaction: Transacted,
  context: Context.Context<never>
) => Effect.Effect<Completed>

const performThere: Perform = (core, run, call, transaction, context) => {
  const sql = Context.getUnsafe(context, SqlClient.SqlClient)
  return performElsewhere(core, run, call, transaction, sql)
}

const runTransaction = (
  name: string,
  effect: Effect.Effect<any, any, any>,
  options: Options,
  perform: Perform = performTransaction
): Effect.Effect<any, any, any> => {
  const operation = describe(name, options)
  const body: Effect.Effect<unknown, unknown> = Effect.provideService(effect, InTransaction, name) as any
  return Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)
    const core = fiber.getRef(CurrentCore)
    const refused = refuseInTransaction(fiber.context, `transaction "${name}"`)
    if (refused !== undefined) return Effect.fail(refused)
    if (run === undefined || core === undefined) return plainly(name, body, options)
    const { rollback } = options
    const remember = rollback === undefined ? undefined : rollbackOf(core, run, rollback, fiber.context)
    return run.ask({
      ...operation,
      rollback: rollback !== undefined,
      ...(remember === undefined ? {} : {
        onDelivered: remember,
        // It is committed, whether or not the body waits for it.
        onUnclaimed: (record) => remember(record, operation.replay(record))
      }),
      perform: (call) =>
        perform(core, run, call, {
          name: operation.name,
          body,
          success: operation.success,
          error: operation.error,
          policy: operation.policy,
          isolation: options.isolation,
          timeoutMs: operation.timeoutMs
        }, call.context)
    })
  })
}

/** Outside a workflow. */
const plainly = (name: string, body: Effect.Effect<unknown, unknown>, options: Options): Effect.Effect<any, any, any> =>
  Effect.flatMap(SqlClient.SqlClient, (sql) => sql.withTransaction(body)).pipe(
    Effect.catchCause((cause) => Effect.failCause(Failure.encodeStepCause(cause, errorOf(options), name).live))
  )

/** The engine's own errors come back as themselves too. */
const errorOf = (options: Options): Codec.StorableSchema<any> =>
  options.error === undefined ? WorkflowError : Schema.Union([options.error, WorkflowError])

const describe = (name: string, options: Options) => {
  const success = Codec.make<any>(options.success)
  const error = errorOf(options)
  const described: Omit<Operation, "perform"> = {
    kind: "transaction",
    name: checkStepName(name),
    identity: options.key === undefined ? name : checkKey(options.key),
    renamed: options.renamed === undefined ? undefined : checkStepName(options.renamed),
    replay: (record) =>
      record.outcome === "success"
        ? Exit.succeed(success.decode(record.value))
        : Exit.failCause(Failure.decodeStepCause(record.value, error, name) as Cause.Cause<unknown>)
  }
  return {
    ...described,
    success,
    error,
    policy: options.retry === undefined ? defaultPolicy : Step.policyOf(options.retry, error),
    timeoutMs: options.timeout === undefined ? undefined : positiveDurationMs("transaction timeout", options.timeout)
  }
}
