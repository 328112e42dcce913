/**
 * What a request is answered with when it is not done: one class for each status, all with the same fields, so that a
 * person reads what went wrong and what to do, and a program reads `_tag` and `reason`.
 */
import * as Schema from "effect/Schema"

/** What every problem says. */
export const fields = {
  /** A stable name for programs: the tag of the `WorkflowError`'s reason, or one of the server's own. */
  reason: Schema.String,
  /** What is wrong. */
  problem: Schema.String,
  /** What about this request, or about what it meets, makes it so. */
  detail: Schema.String,
  /** What to do. */
  remedy: Schema.String
}

const text = (self: { readonly problem: string; readonly detail: string; readonly remedy: string }): string =>
  `${self.problem}: ${/[.?!]$/.test(self.detail) ? self.detail : `${self.detail}.`} ${self.remedy}`

/** Status 400: the request makes no sense. Nothing was done. */
export class InvalidRequest
  extends Schema.TaggedError<InvalidRequest>()("InvalidRequest", fields, { httpApiStatus: 400 })
{
  override get message(): string {
    return text(this)
  }
}

/** Status 401: there is no token or session, or it is wrong or over. Nothing was done. */
export class Unauthenticated
  extends Schema.TaggedError<Unauthenticated>()("Unauthenticated", fields, { httpApiStatus: 401 })
{
  override get message(): string {
    return text(this)
  }
}

/**
 * Status 403: known, but not allowed. `reason`: `PermissionDenied`, `ReadOnly`, `ForeignHost` or `ForeignOrigin`. Nothing
 * was done.
 */
export class Forbidden extends Schema.TaggedError<Forbidden>()("Forbidden", fields, { httpApiStatus: 403 }) {
  override get message(): string {
    return text(this)
  }
}

/** Status 404: there is no such workflow, queue, schedule, version or path. */
export class NotFound extends Schema.TaggedError<NotFound>()("NotFound", fields, { httpApiStatus: 404 }) {
  override get message(): string {
    return text(this)
  }
}

/** Status 409: what it is about is in another state than the request needs. Nothing was done to that one. */
export class Conflict extends Schema.TaggedError<Conflict>()("Conflict", fields, { httpApiStatus: 409 }) {
  override get message(): string {
    return text(this)
  }
}

/** Status 413: the body, or a value in it, is over a limit. Nothing was done. */
export class TooLarge extends Schema.TaggedError<TooLarge>()("TooLarge", fields, { httpApiStatus: 413 }) {
  override get message(): string {
    return text(this)
  }
}

/** Status 429: as many requests are being answered, or streams are open, as this server allows. Try again later. */
export class TooMany extends Schema.TaggedError<TooMany>()("TooMany", fields, { httpApiStatus: 429 }) {
  override get message(): string {
    return text(this)
  }
}

/** Status 500: a bug, or a stored value that this code cannot read. The log says more. */
export class Failed extends Schema.TaggedError<Failed>()("Failed", fields, { httpApiStatus: 500 }) {
  override get message(): string {
    return text(this)
  }
}

/** Status 503: the store or the engine is away, or answers too slowly. Whether an act was done is unknown; it may be repeated. */
export class Unavailable extends Schema.TaggedError<Unavailable>()("Unavailable", fields, { httpApiStatus: 503 }) {
  override get message(): string {
    return text(this)
  }
}

/** Every problem of an endpoint. */
export type Problem =
  | InvalidRequest
  | Unauthenticated
  | Forbidden
  | NotFound
  | Conflict
  | TooLarge
  | TooMany
  | Failed
  | Unavailable

/** The schemas of {@link Problem}. */
export const problems = [
  InvalidRequest,
  Unauthenticated,
  Forbidden,
  NotFound,
  Conflict,
  TooLarge,
  TooMany,
  Failed,
  Unavailable
] as const
