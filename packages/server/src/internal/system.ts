/** The server itself: who asks, figures over time, live changes, health, metrics, sessions. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Client from "perdure/Client"
import { Engine } from "perdure/Engine"
import { AdminAccess } from "../AdminAccess.ts"
import { Action, AdminApi, CurrentPrincipal, NotFound } from "../AdminApi.ts"
import { ask } from "./asking.ts"
import { Caller } from "./caller.ts"
import { defined } from "./defined.ts"
import { metrics } from "./gauges.ts"
import * as Live from "./live.ts"
import { unauthenticated } from "./problem.ts"
import { CurrentSettings } from "./settings.ts"
import { Places } from "./streams.ts"

/** So many workflows are looked at for a figure, the newest: a fraction of a second's work for a database that has others. */
const mostCounted = 50_000
const mostMeasured = 20_000

export const system = HttpApiBuilder.group(AdminApi, "system", (handlers) =>
  handlers
    .handle("info", () =>
      Effect.gen(function*() {
        const { permits, sessions } = yield* AdminAccess
        const { readOnly } = yield* CurrentSettings
        const engine = yield* Engine
        const principal = yield* CurrentPrincipal
        const request = yield* HttpServerRequest
        const allowed = yield* Effect.filter(
          Action.literals,
          (action) => action === "view" || !readOnly ? permits(principal, action) : Effect.succeed(false)
        )
        const { name, now } = yield* ask(Client.store)
        return defined({
          store: name,
          executorId: engine.executorId,
          version: engine.version,
          runsWorkflows: engine.runsWorkflows,
          now,
          readOnly,
          allowed,
          user: principal.user,
          session: sessions?.has(request) === true
        })
      }))
    .handle("throughput", ({ query }) => ask(Client.activity({ ...query, limit: mostCounted })))
    .handle("names", ({ query }) => ask(Client.names({ ...query, limit: mostMeasured })))
    .handle("live", ({ query: { workflow = [] } }) =>
      Effect.gen(function*() {
        const { limits } = yield* CurrentSettings
        // Ids that are none are refused with a status, before the stream begins.
        yield* ask(Client.progress(workflow))
        yield* (yield* Places).take
        return yield* Live.changes(workflow, limits.streamMs)
      }))
    .handle("metrics", () => ask(metrics)))

export const open = (path: string) =>
  HttpApiBuilder.group(AdminApi, "open", (handlers) =>
    handlers
      .handle("health", () => Effect.as(ask(Client.store), { status: "ok" } as const))
      .handle("session", () =>
        Effect.gen(function*() {
          const caller = yield* Caller
          return { known: yield* Effect.match(caller, { onSuccess: () => true, onFailure: () => false }) }
        }))
      .handle("login", ({ payload, request }) =>
        Effect.gen(function*() {
          const { sessions } = yield* AdminAccess
          if (sessions === undefined) return yield* Effect.fail(noSessions)
          return sessions.begin(request, payload.token, path) ?? (yield* Effect.fail(wrongToken))
        }))
      .handle("logout", ({ request }) =>
        Effect.gen(function*() {
          const { sessions } = yield* AdminAccess
          if (sessions === undefined) return yield* Effect.fail(noSessions)
          return sessions.end(request, path)
        })))

const wrongToken = unauthenticated("the token is wrong", "Give the token that the server was started with.")

const noSessions = new NotFound({
  reason: "NoSessions",
  problem: "This server has no sessions of its own",
  detail: "the application that it is part of authenticates its requests",
  remedy: "Log in there."
})
