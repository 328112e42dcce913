/** Calls to the services process: JSON over HTTP, each with an idempotency key. */
import { Config, Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"

/** The service did not answer, or not as agreed. Its steps are tried again, because it calls itself retryable. */
export class ServiceUnavailable extends Schema.TaggedError<ServiceUnavailable>()("ServiceUnavailable", {
  service: Schema.String,
  why: Schema.String
}) {
  readonly isRetryable = true
}

const unavailable = (service: string) => (error: { readonly message: string }) =>
  new ServiceUnavailable({ service, why: error.message })

export type Post = (
  path: string,
  key: string,
  body: Schema.Json
) => Effect.Effect<HttpClientResponse.HttpClientResponse, ServiceUnavailable>

/** A function that posts to the service. What the service says no to (402, 422) is an answer, what it cannot do is not. */
export const connect = Effect.fnUntraced(function*(service: string) {
  const url = yield* Config.String("SERVICES_URL")
  const client = yield* HttpClient.HttpClient
  const post: Post = (path, key, body) =>
    HttpClientRequest.post(`${url}/${service}/${path}`).pipe(
      HttpClientRequest.setHeader("idempotency-key", key),
      HttpClientRequest.bodyJsonUnsafe(body),
      client.execute,
      Effect.mapError(unavailable(service)),
      Effect.filterOrFail(
        (response) => response.status < 300 || response.status === 402 || response.status === 422,
        (response) => new ServiceUnavailable({ service, why: `it answered ${response.status}` })
      )
    )
  return post
})

/** The body of an answer. */
export const read = <A, E extends { readonly message: string }, R>(service: string, body: Effect.Effect<A, E, R>) =>
  Effect.mapError(body, unavailable(service))
