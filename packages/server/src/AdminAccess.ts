/**
 * Who may do what with an admin server: a service with two questions, asked for every request before anything else is done.
 *
 * `AdminAccess.layerToken` is the default: whoever has the token may do everything. An application that knows its users
 * answers both questions itself, with `AdminAccess.layer`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { InvalidArgument, WorkflowError } from "perdure/WorkflowError"
import type { Action, Principal } from "./api/access.ts"
import type { Unauthenticated } from "./api/problems.ts"
import { unauthenticated } from "./internal/problem.ts"
import { Sessions } from "./internal/sessions.ts"
import { same } from "./internal/sessions.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export type { Action, Principal } from "./api/access.ts"

/** The questions. */
export interface AdminAccessService {
  /**
   * Who this request is from. Fails with `Unauthenticated`, also where that cannot be told. Asked once for each but those to
   * `/health`, also for what everybody may: whoever is known is answered while many ask who are not.
   */
  readonly authenticate: (request: HttpServerRequest) => Effect.Effect<Principal, Unauthenticated>
  /** Whether this principal may. Asked after {@link AdminAccessService.authenticate}, not for what a read-only server forbids. */
  readonly permits: (principal: Principal, action: Action) => Effect.Effect<boolean>
  /** How a browser exchanges the token for a cookie. Undefined: the application logs its users in. */
  readonly sessions: Sessions | undefined
}

// -----------------------------------------------------------------------------
// service
// -----------------------------------------------------------------------------

/** Who may do what. Provided by {@link layerToken} or {@link layer}. */
export class AdminAccess extends Context.Service<AdminAccess, AdminAccessService>()("@perdure/server/AdminAccess") {}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/** Fewest characters of a token. */
export const minTokenLength = 24

/** A token that nobody guesses: 256 random bits. */
export const generateToken: Effect.Effect<Redacted.Redacted> = Effect.sync(() =>
  Redacted.make(Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url"))
)

/**
 * Whoever has the token may do everything that the server allows.
 *
 * *Details*
 *
 * It comes as `Authorization: Bearer`, or a browser posts it once and gets a session cookie (HttpOnly, SameSite=Strict) that
 * lasts `sessionMs` milliseconds (default: 12 hours) and ends with this process. It never comes in a URL, where logs would
 * keep it, and is compared in constant time. Fails with `InvalidArgument` for a token of fewer than 24 characters.
 *
 * `secureCookie`: the cookie is sent over TLS only. Default: true where the login came over TLS, to this server or, as the
 * first of `x-forwarded-proto` says, to a proxy before it.
 */
export const layerToken = (options: {
  readonly token: Redacted.Redacted
  readonly secureCookie?: boolean | undefined
  readonly sessionMs?: number | undefined
}): Layer.Layer<AdminAccess, WorkflowError> =>
  Layer.effect(
    AdminAccess,
    Effect.suspend(() => {
      const token = Redacted.value(options.token)
      if (token.length < minTokenLength) return Effect.fail(shortToken)
      const sessions = new Sessions(token, options.sessionMs ?? 12 * 3_600_000, options.secureCookie)
      return Effect.succeed(AdminAccess.of({
        authenticate: (request) =>
          Effect.suspend(() => isBearer(request, token) || sessions.has(request) ? Effect.succeed(owner) : nobody),
        permits: () => Effect.succeed(true),
        sessions
      }))
    })
  )

/**
 * The application's own authentication, and its own permissions. Default of `permits`: whoever is authenticated may do
 * everything. A defect of either is answered as a failure of the server, and nothing is done.
 */
export const layer = <R = never>(options: {
  readonly authenticate: (request: HttpServerRequest) => Effect.Effect<Principal, Unauthenticated, R>
  readonly permits?: ((principal: Principal, action: Action) => Effect.Effect<boolean, never, R>) | undefined
}): Layer.Layer<AdminAccess, never, R> =>
  Layer.effect(
    AdminAccess,
    Effect.map(Effect.context<R>(), (services) => {
      const permits = options.permits ?? (() => Effect.succeed(true))
      return AdminAccess.of({
        authenticate: (request) => Effect.provideContext(options.authenticate(request), services),
        permits: (principal, action) => Effect.provideContext(permits(principal, action), services),
        sessions: undefined
      })
    })
  )

/** What `authenticate` of {@link layer} fails with when a request is from nobody. */
export const unknown = (detail = "the request has no valid credentials"): Unauthenticated =>
  unauthenticated(detail, "Log in, or send credentials that this server takes.")

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const owner: Principal = { user: undefined, roles: [] }

const nobody = Effect.fail(
  unauthenticated(
    "the request has no token and no session, or a wrong or old one",
    "Send the token as \"Authorization: Bearer ...\", or log in."
  )
)

const isBearer = (request: HttpServerRequest, token: string): boolean => {
  const given = /^bearer +(.+)$/i.exec(request.headers["authorization"] ?? "")?.[1]
  return given !== undefined && same(given, token)
}

const shortToken = new WorkflowError({
  reason: new InvalidArgument({
    argument: "token",
    detail: `it is shorter than ${minTokenLength} characters`,
    remedy: "Generate one, as by `openssl rand -base64 32`."
  })
})
