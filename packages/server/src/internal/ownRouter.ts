/** Routes on a router of their own. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { HttpServerResponse } from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/**
 * The handler of these routes, with the services that they need when a request comes.
 *
 * Fresh: the layer of a router is remembered, and would be the host's. What that one is set to must change nothing here, and
 * what is routed here must be reached through this handler alone.
 */
export const handlerOf = <S, E, R>(
  routes: Layer.Layer<never, E, R>,
  services: Context.Context<S>
): Effect.Effect<
  Effect.Effect<HttpServerResponse, unknown, HttpServerRequest | Scope.Scope>,
  E,
  HttpRouter.Request.Without<Exclude<R, HttpRouter.HttpRouter>> | Scope.Scope
> =>
  Effect.map(
    // `any`: what routes need of requests stands among the needs of their layer; it is in `services`.
    Layer.build(
      Layer.provideMerge(routes, Layer.fresh(HttpRouter.layer)) as Layer.Layer<HttpRouter.HttpRouter, E, any>
    ),
    (own) => Effect.provideContext(Context.get(own, HttpRouter.HttpRouter).asHttpEffect(), services)
  )
