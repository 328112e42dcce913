/** What the conformance suite needs to know about a database, and how its tests are written. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import type { StoreService } from "perdure/Store"

/** Where a store keeps its tables: plain data, so that it can be handed to another process. */
export type Target =
  | { readonly kind: "sqlite"; readonly filename: string }
  | { readonly kind: "postgres"; readonly url: string; readonly schema: string }

/** One user of a store, with connections of its own, as each process has. */
export interface Client {
  readonly store: StoreService
  /** The application's client of the same database. */
  readonly sql: SqlClient
}

export interface Backend {
  readonly kind: Target["kind"]
  /** Empty tables for one test. */
  readonly fresh: Effect.Effect<Target, unknown, Scope.Scope>
  /** Empty tables in another database. */
  readonly elsewhere: Effect.Effect<Target, unknown, Scope.Scope>
  readonly connect: (target: Target) => Effect.Effect<Client, unknown, Scope.Scope>
}

/** What a test gets: a client of empty tables, and the means to have more. */
export interface Given extends Client {
  readonly kind: Target["kind"]
  readonly target: Target
  /** One more client of the same tables. */
  readonly another: Effect.Effect<Client, never, Scope.Scope>
  /** Another database, empty. */
  readonly elsewhere: Effect.Effect<Target, never, Scope.Scope>
  readonly connect: (target: Target) => Effect.Effect<Client, never, Scope.Scope>
}

/** Declares a test. Its name is a claim that holds for every store. */
export type Claim = (
  name: string,
  body: (given: Given) => Effect.Effect<unknown, unknown, Scope.Scope>,
  only?: Target["kind"]
) => void

/** A group of claims about one concept. */
export type Suite = (claim: Claim) => void

export const runSuites = (backend: Backend, suites: Readonly<Record<string, Suite>>): void => {
  for (const [concept, suite] of Object.entries(suites)) {
    const claims: Array<Parameters<Claim>> = []
    suite((...claim) => claims.push(claim))
    const mine = claims.filter(([, , only]) => only === undefined || only === backend.kind)
    if (mine.length === 0) continue
    describe(concept, () => {
      for (const [name, body] of mine) it.live(name, () => Effect.flatMap(given(backend), body))
    })
  }
}

const given = Effect.fnUntraced(function*(backend: Backend): Effect.fn.Return<Given, unknown, Scope.Scope> {
  const target = yield* backend.fresh
  return {
    ...(yield* backend.connect(target)),
    kind: backend.kind,
    target,
    another: Effect.orDie(backend.connect(target)),
    elsewhere: Effect.orDie(backend.elsewhere),
    connect: (elsewhere) => Effect.orDie(backend.connect(elsewhere))
  }
})
