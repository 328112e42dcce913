/**
 * What stands before everything: a request from a foreign page or for a foreign host is refused, sizes, numbers and times are
 * limited, whatever fails is answered with a problem, and every answer says what a browser must not do with it.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpApiSchemaError } from "effect/http-api/HttpApiError"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import { HttpServerError } from "effect/http/HttpServerError"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as SchemaIssue from "effect/SchemaIssue"
import type { AdminAccessService } from "../AdminAccess.ts"
import type { Problem } from "../api/problems.ts"
import { Caller } from "./caller.ts"
import { failed, forbidden, invalid, noSuchPath, tooLarge, tooMany, tooSlow } from "./problem.ts"
import type { Limits } from "./settings.ts"

// -----------------------------------------------------------------------------
// where a request comes from
// -----------------------------------------------------------------------------

/** `hosts`: names that this server is reached by, in lower case, with a port where only that one counts; "any". */
export interface Origins {
  readonly hosts: ReadonlyArray<string> | "any"
}

/** Names that only this machine can be meant by. */
export const loopback: ReadonlyArray<string> = ["localhost", "127.0.0.1", "[::1]"]

const withoutPort = (host: string): string => host.replace(/:\d+$/, "")

/**
 * A page of another site can make a browser send requests here, with its cookies. It cannot choose their `Host` (but for
 * a name of its own that it points here: DNS rebinding) nor leave out their `Origin`. Pure.
 */
export const strangerOf = (
  headers: Readonly<Record<string, string | undefined>>,
  { hosts }: Origins
): Problem | undefined => {
  const host = headers["host"]?.toLowerCase()
  if (hosts !== "any" && (host === undefined || !(hosts.includes(host) || hosts.includes(withoutPort(host))))) {
    return forbidden(
      "ForeignHost",
      "This server does not answer for that host",
      `the request is for ${JSON.stringify(host ?? "")}`,
      "Use one of its names, or give the name to the server's option \"hosts\"."
    )
  }
  const origin = headers["origin"]
  const site = headers["sec-fetch-site"]
  const foreign = origin === undefined
    // A navigation, or a request of a program, comes without an origin.
    ? site === "cross-site" && headers["sec-fetch-mode"] !== "navigate"
    : hostOf(origin) !== host
  return foreign
    ? forbidden(
      "ForeignOrigin",
      "A page of another site asks",
      `the request comes from ${JSON.stringify(origin ?? site ?? "")}`,
      "Open the dashboard of this server, under the name that the request is for."
    )
    : undefined
}

const hostOf = (origin: string): string | undefined => {
  try {
    return new URL(origin).host
  } catch {
    // "null": of a sandboxed page, a file, a redirect.
    return undefined
  }
}

// -----------------------------------------------------------------------------
// what an answer says besides
// -----------------------------------------------------------------------------

const headers = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'"
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()"
}

const secured = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, {
    ...headers,
    // Files say how long they may be kept; nothing else may be.
    ...(response.headers["cache-control"] === undefined ? { "cache-control": "no-store" } : {})
  })

const statuses: Record<Problem["_tag"], number> = {
  InvalidRequest: 400,
  Unauthenticated: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  TooLarge: 413,
  TooMany: 429,
  Failed: 500,
  Unavailable: 503
}

const responseOf = ({ _tag, detail, problem, reason, remedy }: Problem): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({ _tag, reason, problem, detail, remedy }, {
    status: statuses[_tag],
    // The rest of a body that is not wanted is not read.
    ...(_tag === "TooLarge" ? { headers: { connection: "close" } } : {})
  })

// -----------------------------------------------------------------------------
// what can go wrong
// -----------------------------------------------------------------------------

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Undefined: nothing that a caller should know of. */
const problemOf = (cause: Cause.Cause<unknown>, method: string): Problem | undefined => {
  for (const reason of cause.reasons) {
    const error = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined
    if (HttpApiSchemaError.is(error) && error.kind !== "Body" && error.kind !== "ResponseHeaders") {
      const [first] = issuesOf(error.cause.issue).issues
      const path = (first?.path ?? []).map((segment) => String(typeof segment === "object" ? segment.key : segment))
      return invalid(
        "Malformed",
        `The ${error.kind === "Payload" ? "body" : error.kind.toLowerCase()} is not what is expected`,
        `${path.length === 0 ? "" : `at ${path.join(".")}: `}${first?.message ?? "it cannot be read"}`,
        "Send what the OpenAPI document describes."
      )
    }
    if (error instanceof HttpServerError) {
      const { reason: why } = error
      if (why._tag === "RouteNotFound") return noSuchPath(method)
      if (why._tag === "RequestParseError") {
        return why.reason === "BodyTooLarge"
          ? tooLarge("its body is over the limit of this server")
          : invalid("Malformed", "The request cannot be read", "its body ends early, or is not UTF-8", "Send it again.")
      }
    }
  }
  return undefined
}

// -----------------------------------------------------------------------------
// how many at once
// -----------------------------------------------------------------------------

type Answer<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** So many at once; to others it is said that there are too many. */
const placesOf = (limit: number, what: string) => {
  let taken = 0
  return <E, R>(answer: Answer<E, R>): Answer<E, R> =>
    Effect.suspend((): Answer<E, R> => {
      if (taken >= limit) {
        return Effect.succeed(responseOf(tooMany(`${taken} ${what} are being answered, and the limit is ${limit}`)))
      }
      taken++
      return Effect.ensuring(
        answer,
        Effect.sync(() => {
          taken--
        })
      )
    })
}

/** Anybody can send a body slowly. Whoever is not known takes half of the places, so that others find one. */
const inPlaces = <E, R>(handler: Answer<E, R>, authenticate: AdminAccessService["authenticate"], limit: number) => {
  const ofAll = placesOf(limit, "requests")
  const ofUnknown = placesOf(Math.max(1, Math.floor(limit / 2)), "requests without valid credentials")
  return (request: HttpServerRequest): Answer<E, R> =>
    ofAll(Effect.flatMap(Effect.exit(Effect.suspend(() => authenticate(request))), (caller) => {
      const answer = Effect.provideService(handler, Caller, caller)
      return Exit.isSuccess(caller) ? answer : ofUnknown(answer)
    }))
}

/** What watches a server has no credentials, and needs its answer most when many others ask. */
const isHealth = ({ url }: HttpServerRequest): boolean => url.split("?", 1)[0] === "/health"

// -----------------------------------------------------------------------------
// all of it
// -----------------------------------------------------------------------------

/** Longest path and query. */
const maxUrl = 16_384

export const guarded = <E, R>(
  handler: Answer<E, R>,
  authenticate: AdminAccessService["authenticate"],
  origins: Origins,
  limits: Limits
): Answer<never, R | HttpServerRequest> => {
  const answerTo = inPlaces(handler, authenticate, limits.requests)
  const ofHealth = placesOf(limits.requests, "requests for the health")
  return Effect.flatMap(HttpServerRequest, (request) => {
    const refused = strangerOf(request.headers, origins) ??
      (request.url.length > maxUrl
        ? invalid("UrlTooLong", "The URL is too long", `it is longer than ${maxUrl}`, "Ask with less, or in pages.")
        : Number(request.headers["content-length"] ?? 0) > limits.bodyBytes
        ? tooLarge(`its body is over ${limits.bodyBytes} bytes`)
        : undefined)
    if (refused !== undefined) return Effect.succeed(secured(responseOf(refused)))
    return (isHealth(request) ? ofHealth(handler) : answerTo(request)).pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, BigInt(limits.bodyBytes) as never),
      Effect.timeoutOrElse({
        duration: limits.requestMs,
        orElse: () => Effect.succeed(responseOf(tooSlow(`there is none after ${limits.requestMs} ms`)))
      }),
      Effect.catchCause((cause) => {
        if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause as Cause.Cause<never>)
        const problem = problemOf(cause, request.method)
        if (problem !== undefined) return Effect.succeed(responseOf(problem))
        return Effect.as(Effect.logError("The admin API failed", cause), responseOf(failed))
      }),
      Effect.map((response) =>
        // The library's own refusal has no body that says so.
        secured(response.status === 415 ? responseOf(otherType) : response)
      )
    )
  })
}

const otherType = invalid(
  "ContentType",
  "The body is of another type",
  "only application/json is read",
  "Send JSON, and say so in the content-type."
)
