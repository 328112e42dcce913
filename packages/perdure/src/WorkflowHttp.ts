/**
 * Workflows behind HTTP, for servers built with `effect/http`: what a request says about the workflows that its handler
 * starts.
 *
 * An `idempotency-key` header becomes the id of the first workflow that the handler starts, so a request that is sent
 * again attaches to it. The authenticated principal is stored with what is started. The caller's trace goes on: the span
 * of the request, or where no tracer makes one the caller's own (`traceparent`, `b3`), is stored with the workflow.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpTraceContext from "effect/http/HttpTraceContext"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import * as Auth from "./Auth.ts"
import { checkWorkflowId } from "./internal/names.ts"
import { attemptSync } from "./internal/starting.ts"
import * as WorkflowId from "./WorkflowId.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** The header whose value becomes a workflow id. */
export const idempotencyHeader = "idempotency-key"

/** Who a request is from, as the application's own authentication has found out. */
export interface Principal {
  readonly user: string
  readonly roles?: ReadonlyArray<string> | undefined
}

/** How a request is read. */
export interface Options<E = never, R = never> {
  /** Who the request is from; undefined: nobody. Default: what `Auth` says in the context. */
  readonly principal?: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Principal | undefined, E, R>
  /**
   * The id for a key, for instance with the user in front, so that no user meets the workflows of another. Default: the
   * key itself.
   */
  readonly workflowId?: (key: string, principal: Principal | undefined) => string
}

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

/** The `idempotency-key` cannot be a workflow id. Status 400. Nothing was started. */
export class InvalidIdempotencyKey extends Schema.TaggedError<InvalidIdempotencyKey>()("InvalidIdempotencyKey", {
  message: Schema.String
}, { httpApiStatus: 400 }) {}

// -----------------------------------------------------------------------------
// effect/http
// -----------------------------------------------------------------------------

/**
 * A middleware for `effect/http`: `HttpRouter.middleware(WorkflowHttp.middleware({ ... }))`, or around one handler.
 *
 * A key that cannot be a workflow id (empty, over 400 bytes, control characters) is answered with status 400 and JSON
 * before the handler runs.
 */
export const middleware = <PE = never, PR = never>(options: Options<PE, PR> = {}) =>
<E, R>(
  handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
): Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E | PE,
  R | PR | HttpServerRequest.HttpServerRequest
> =>
  Effect.matchEffect(fromRequest(options), {
    onFailure: (error) =>
      error instanceof InvalidIdempotencyKey
        ? Effect.succeed(
          HttpServerResponse.jsonUnsafe({ _tag: error._tag, message: error.message }, { status: 400 })
        )
        : Effect.fail(error),
    onSuccess: (context) => Effect.provideContext(handler, context) as Effect.Effect<any, E, R>
  })

// -----------------------------------------------------------------------------
// effect/http-api
// -----------------------------------------------------------------------------

/**
 * The same as a middleware of an `HttpApi` group or endpoint: `group.middleware(WorkflowHttp.Middleware)`, with
 * `WorkflowHttp.layer(options)` among the layers of the server.
 */
export class Middleware extends HttpApiMiddleware.Service<Middleware>()("perdure/WorkflowHttp", {
  error: InvalidIdempotencyKey
}) {}

/** Implements {@link Middleware}. Services that `principal` needs are taken from where the layer is built. */
export const layer = <R = never>(options: Options<never, R> = {}): Layer.Layer<Middleware, never, R> =>
  Layer.effect(
    Middleware,
    Effect.map(Effect.context<R>(), (services) =>
      Middleware.of((handler) =>
        Effect.flatMap(
          Effect.provideContext(fromRequest(options), services),
          (context) => Effect.provideContext(handler, context)
        )
      ))
  )

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

/** With no tracer there is no span of the request. The workflow may run where there is one. */
const traced = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Context.Context<never>> =>
  Effect.map(Effect.context<never>(), (context) => {
    const caller = HttpTraceContext.fromHeaders(request.headers)
    return Option.isNone(Context.getOption(context, Tracer.ParentSpan)) && Option.isSome(caller)
      ? Context.make(Tracer.ParentSpan, caller.value) as Context.Context<never>
      : Context.empty()
  })

const fromRequest = <E, R>(
  options: Options<E, R>
): Effect.Effect<Context.Context<never>, E | InvalidIdempotencyKey, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const principal = options.principal === undefined ? undefined : yield* options.principal(request)
    let context = yield* traced(request)
    if (options.principal !== undefined) {
      // Nobody is nobody, and not who the application is.
      const { roles = [], user } = principal ?? Auth.anonymous
      context = Context.add(context, Auth.Current, { user, roles, assumedRole: undefined })
    }
    const key = request.headers[idempotencyHeader]
    if (key === undefined) return context
    const id = options.workflowId === undefined ? key : options.workflowId(key, principal)
    yield* Effect.mapError(
      attemptSync(() => checkWorkflowId(id)),
      ({ message }) => new InvalidIdempotencyKey({ message })
    )
    return Context.add(context, WorkflowId.Current, { id, taken: undefined })
  })
