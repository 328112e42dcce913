/**
 * Chosen workflows as a group of an `HttpApi`, derived from their schemas: a typed client and an OpenAPI document come
 * from it like from any other group.
 *
 * For each workflow: `POST /{name}` starts it (an `idempotency-key` header is its id, or becomes it as the options of
 * `WorkflowHttp.layer` say), `GET /{name}/{id}/result` waits for
 * its result, `POST /{name}/{id}/cancel` cancels it. An id of another workflow is not found.
 *
 * Starting asks for the workflow's `requiredRoles`. Who may see a result or cancel is the host's business: put the
 * application's own middleware on the group.
 */
import * as Effect from "effect/Effect"
import type * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Client from "./Client.ts"
import type { Engine } from "./Engine.ts"
import type { Workflow } from "./Workflow.ts"
import { InvalidArgument, WorkflowError, WorkflowNotFound } from "./WorkflowError.ts"
import { idempotencyHeader } from "./WorkflowHttp.ts"
import * as WorkflowId from "./WorkflowId.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** What a start answers, with status 202: the workflow is durable and will run. */
export const Started = Schema.Struct({ workflowId: Schema.String }).annotate({ httpApiStatus: 202 })

const fields = {
  /** The tag of the `WorkflowError`'s reason. */
  reason: Schema.String,
  message: Schema.String
}

/** Status 400: the request asks for what makes no sense. Nothing was started. */
export class BadRequest extends Schema.TaggedError<BadRequest>()("BadRequest", fields, { httpApiStatus: 400 }) {}
/** Status 403: the principal has none of the roles that the workflow asks for. Nothing was started. */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", fields, { httpApiStatus: 403 }) {}
/** Status 404: this workflow has no execution with that id. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", fields, { httpApiStatus: 404 }) {}
/** Status 408: there is no result yet. Ask again. */
export class NoResultYet extends Schema.TaggedError<NoResultYet>()("NoResultYet", fields, { httpApiStatus: 408 }) {}
/** Status 409: the id is taken by another start, or the workflow was cancelled, is blocked or a dead letter. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", fields, { httpApiStatus: 409 }) {}
/** Status 500: the workflow failed with what it does not declare. */
export class Failed extends Schema.TaggedError<Failed>()("Failed", fields, { httpApiStatus: 500 }) {}
/** Status 503: the store or the engine is away. Try again, with the same `idempotency-key`. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", fields, { httpApiStatus: 503 }) {}

/** What requests fail with besides the workflow's own error. */
export type Problem = BadRequest | Forbidden | NotFound | NoResultYet | Conflict | Failed | Unavailable

const problems = [BadRequest, Forbidden, NotFound, NoResultYet, Conflict, Failed, Unavailable] as const
type Problems = typeof problems[number]

const Id = Schema.Struct({ workflowId: Schema.String })
const ResultQuery = Schema.Struct({
  /** How long to wait, in milliseconds; at most 60,000. Default: 10,000. */
  waitMs: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60_000 })))
})
const StartHeaders = Schema.Struct({ [idempotencyHeader]: Schema.optionalKey(Schema.String) })

// `any`: a group is of workflows of all types; `EndpointsOf` is the typed side.
type AnyWorkflow = Workflow<string, any, any, any>

/** The endpoints of a workflow: `start{Name}`, `result{Name}`, `cancel{Name}`. */
export type EndpointsOf<W extends AnyWorkflow> = W extends Workflow<infer Name, infer P, infer S, infer E> ?
    | HttpApiEndpoint.HttpApiEndpoint<
      `start${Name}`,
      "POST",
      `/${Name}`,
      never,
      never,
      [P] extends [void] ? never : Schema.Codec<P, any>,
      typeof StartHeaders,
      typeof Started,
      Problems
    >
    | HttpApiEndpoint.HttpApiEndpoint<
      `result${Name}`,
      "GET",
      `/${Name}/:workflowId/result`,
      typeof Id,
      typeof ResultQuery,
      never,
      never,
      Schema.Codec<S, any>,
      Schema.Codec<E, any> | Problems
    >
    | HttpApiEndpoint.HttpApiEndpoint<
      `cancel${Name}`,
      "POST",
      `/${Name}/:workflowId/cancel`,
      typeof Id,
      never,
      never,
      never,
      Schema.Void,
      Problems
    >
  : never

// -----------------------------------------------------------------------------
// constructors
// -----------------------------------------------------------------------------

/**
 * The group of endpoints for these workflows.
 *
 * Throws a `WorkflowError` (`InvalidArgument`) for a name with other characters than letters, digits and `. _ ~ -`.
 *
 * *Gotchas*
 *
 * Effect's router answers 404 for an id of more than 100 characters in a path, unless it is given a longer
 * `maxParamLength` (`HttpRouter.serve`, option `routerConfig`); an id has up to 512.
 */
export const group = <const Id extends string, const Workflows extends readonly [AnyWorkflow, ...Array<AnyWorkflow>]>(
  identifier: Id,
  workflows: Workflows
): HttpApiGroup.HttpApiGroup<Id, EndpointsOf<Workflows[number]>> => {
  // `any`: grows by endpoints whose types differ; `EndpointsOf` says what it comes to.
  let made: any = HttpApiGroup.make(identifier)
  for (const workflow of workflows) {
    const path = pathOf(workflow.name)
    made = made.add(
      HttpApiEndpoint.post(`start${workflow.name}`, path, {
        ...(takesNothing(workflow) ? {} : { payload: workflow.payloadSchema }),
        headers: StartHeaders,
        success: Started,
        error: problems
      }),
      HttpApiEndpoint.get(`result${workflow.name}`, `${path}/:workflowId/result`, {
        params: Id,
        query: ResultQuery,
        success: workflow.successSchema,
        error: [...failsWithNothing(workflow) ? [] : [workflow.errorSchema], ...problems]
      }),
      HttpApiEndpoint.post(`cancel${workflow.name}`, `${path}/:workflowId/cancel`, {
        params: Id,
        error: problems
      })
    )
  }
  return made
}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/** Implements the group that {@link group} made of these workflows. */
export const layer = <
  ApiId extends string,
  Groups extends HttpApiGroup.Constraint,
  const Id extends HttpApiGroup.Identifier<Groups>
>(
  api: HttpApi.HttpApi<ApiId, Groups>,
  identifier: Id,
  workflows: ReadonlyArray<AnyWorkflow>
): Layer.Layer<HttpApiGroup.Service<ApiId, Id>, never, Engine> =>
  HttpApiBuilder.group(
    api,
    identifier,
    // `any`: handlers are added in a loop, so the compiler cannot count them off.
    Effect.fnUntraced(function*(handlers: any) {
      for (const workflow of workflows) {
        handlers = handlers
          .handle(`start${workflow.name}`, ({ headers, payload }: any) => start(workflow, payload, headers))
          .handle(`result${workflow.name}`, ({ params, query }: any) => result(workflow, params.workflowId, query))
          .handle(`cancel${workflow.name}`, ({ params }: any) => cancel(workflow, params.workflowId))
      }
      return handlers
    }) as any
  ) as any

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

/** Routers disagree about which escapes they undo, so there are none. */
const pathOf = (name: string): `/${string}` => {
  if (/^[A-Za-z0-9._~-]+$/.test(name)) return `/${name}`
  throw new WorkflowError({
    reason: new InvalidArgument({
      argument: "workflow name",
      detail: `${JSON.stringify(name)} is not a segment of a path`,
      remedy: "For a workflow in an HTTP API use letters, digits and . _ ~ - in its name."
    })
  })
}

const takesNothing = ({ payloadSchema }: AnyWorkflow): boolean => payloadSchema.ast._tag === "Void"
const failsWithNothing = ({ errorSchema }: AnyWorkflow): boolean => errorSchema.ast._tag === "Never"

/** Where `WorkflowHttp` has read the header, the scope has the id that it made of it. */
const start = (workflow: AnyWorkflow, payload: unknown, headers: typeof StartHeaders.Type) =>
  Effect.flatMap(WorkflowId.Current, (slot) => {
    const workflowId = slot === undefined ? headers[idempotencyHeader] : undefined
    return workflow.start(payload, workflowId === undefined ? {} : { workflowId })
  }).pipe(
    Effect.map((handle) => ({ workflowId: handle.workflowId })),
    asProblem
  )

const result = (workflow: AnyWorkflow, workflowId: string, query: typeof ResultQuery.Type) =>
  Effect.flatMap(
    ofThisName(workflow, workflowId),
    () => workflow.handle(workflowId).resultWithin(query.waitMs ?? 10_000)
  ).pipe(asProblem)

const cancel = (workflow: AnyWorkflow, workflowId: string) =>
  Effect.flatMap(ofThisName(workflow, workflowId), () => workflow.handle(workflowId).cancel).pipe(asProblem)

/** What the store says is for the log; the caller gets the problem, or the workflow's own error. */
const asProblem = <A, E, R>(effect: Effect.Effect<A, E | WorkflowError, R>): Effect.Effect<A, E | Problem, R> =>
  effect.pipe(
    Effect.tapError((error) =>
      error instanceof WorkflowError && error.reason._tag === "StoreFailed"
        ? Effect.logWarning("A workflow's endpoint could not ask the store", error)
        : Effect.void
    ),
    Effect.mapError((error) => error instanceof WorkflowError ? problemOf(error) : error)
  )

/** An id is known to many; it must not open what belongs to another workflow. */
const ofThisName = (workflow: AnyWorkflow, workflowId: string): Effect.Effect<void, WorkflowError, Engine> =>
  Effect.flatMap(Client.get(workflowId), ({ name }) =>
    name === workflow.name
      ? Effect.void
      : Effect.fail(new WorkflowError({ reason: new WorkflowNotFound({ workflowId }) })))

/** The problem that a request is answered with. Pure. */
export const problemOf = (error: WorkflowError): Problem => {
  const given = { reason: error.reason._tag, message: error.message }
  switch (error.reason._tag) {
    case "WorkflowNotFound":
      return new NotFound(given)
    case "WorkflowUnauthorized":
      return new Forbidden(given)
    case "WorkflowConflict":
    case "WorkflowCancelled":
    case "WorkflowBlocked":
    case "WorkflowDeadLettered":
      return new Conflict(given)
    case "ResultTimeout":
      return new NoResultYet(given)
    case "InvalidArgument":
    case "Unencodable":
    case "PayloadTooLarge":
      return new BadRequest(given)
    case "StoreFailed":
      // What the database says may name hosts and users.
      return new Unavailable({ ...given, message: "The store failed. Try again later." })
    case "EngineStopped":
      return new Unavailable(given)
    default:
      return new Failed(given)
  }
}
