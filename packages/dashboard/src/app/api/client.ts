/**
 * The server, as the pages see it: a typed client of its contract, with promises for TanStack Query. Who asks is known by
 * the session cookie, or by whatever the host application goes by; no token is kept here.
 */
import { AdminApi, type Problem } from "@perdure/server/AdminApi"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Stream from "effect/Stream"

/** Where the server is mounted: the folder of the page, whatever the path. Ends without a slash. */
export const mount: string = new URL(".", document.baseURI).href.replace(/\/$/, "")

const make = HttpApiClient.make(AdminApi, { baseUrl: mount }).pipe(Effect.provide(FetchHttpClient.layer))

/** The client: groups of endpoints, as in the contract. */
export type Client = Effect.Success<typeof make>

const client: Client = Effect.runSync(make)

/** What a request that was not done ends with. */
export class RequestFailed extends Error {
  override readonly name = "RequestFailed"
  readonly tag: Problem["_tag"] | "Unreachable"
  readonly problem: string
  readonly detail: string
  readonly remedy: string

  constructor(given: Pick<RequestFailed, "tag" | "problem" | "detail" | "remedy">) {
    super(`${given.problem}: ${given.detail}`)
    this.tag = given.tag
    this.problem = given.problem
    this.detail = given.detail
    this.remedy = given.remedy
  }
}

const tags: ReadonlyArray<string> = [
  "InvalidRequest",
  "Unauthenticated",
  "Forbidden",
  "NotFound",
  "Conflict",
  "TooLarge",
  "TooMany",
  "Failed",
  "Unavailable"
]

const isProblem = (error: unknown): error is Problem =>
  typeof error === "object" && error !== null && "_tag" in error && tags.includes(String(error._tag))

const unreachable = (error: unknown): RequestFailed =>
  new RequestFailed({
    tag: "Unreachable",
    problem: "The server did not answer as agreed",
    detail: error instanceof Error ? error.message : String(error),
    remedy: "Check that it runs, and that this page is of the same version; then try again."
  })

/** The failure of a request as an `Error` that says what to do. */
export const failed = (error: unknown): RequestFailed => {
  if (error instanceof RequestFailed) return error
  if (!isProblem(error)) return unreachable(error)
  return new RequestFailed({
    tag: error._tag,
    problem: error.problem,
    detail: error.detail,
    remedy: error.remedy
  })
}

/** Asks the server; rejects with a {@link RequestFailed}. */
export const ask = async <A, E>(f: (client: Client) => Effect.Effect<A, E>, signal?: AbortSignal): Promise<A> => {
  const exit = await Effect.runPromiseExit(f(client), { signal })
  if (Exit.isSuccess(exit)) return exit.value
  throw failed(Cause.squash(exit.cause))
}

/** Asks for a stream and hands over what comes; ends when it does, or rejects with a {@link RequestFailed}. */
export const follow = <A, E, E2>(
  f: (client: Client) => Effect.Effect<Stream.Stream<A, E2>, E>,
  each: (value: A) => void,
  signal?: AbortSignal
): Promise<void> =>
  ask((client) => Effect.flatMap(f(client), Stream.runForEach((value) => Effect.sync(() => each(value)))), signal)
