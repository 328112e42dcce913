/** Versions of the application, as `Client.versions`: which have run, and which is the latest. */
import * as Effect from "effect/Effect"
import { Engine } from "../Engine.ts"
import { tell } from "../internal/hearing.ts"
import { outsideBody } from "../internal/inBody.ts"
import { checkKey } from "../internal/names.ts"
import { attemptSync } from "../internal/starting.ts"
import { fromStoreError, InvalidArgument, WorkflowError } from "../WorkflowError.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

/** A version that an executor has joined with. */
export interface VersionInfo {
  readonly version: string
  /** When the first executor of it joined. */
  readonly createdAt: Date
  /** When it became the latest; the newest of these is the latest version now. */
  readonly latestAt: Date
}

const managed = <A>(
  operation: string,
  f: (core: Engine["Service"]["core"]) => Effect.Effect<A, WorkflowError>
): Effect.Effect<A, WorkflowError, Engine> =>
  Effect.flatMap(Engine, ({ core }) => outsideBody(`Client.versions.${operation}`, () => f(core)))

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

/** All versions, the latest first. */
export const list: Effect.Effect<ReadonlyArray<VersionInfo>, WorkflowError, Engine> = managed(
  "list",
  (core) =>
    Effect.map(
      Effect.mapError(core.store.versions, fromStoreError),
      (rows) =>
        rows.map(({ createdAt, latestAt, version }) => ({
          version,
          createdAt: new Date(createdAt),
          latestAt: new Date(latestAt)
        }))
    )
)

/** The latest version; undefined: no executor has joined with one. */
export const latest: Effect.Effect<VersionInfo | undefined, WorkflowError, Engine> = Effect.map(
  list,
  ([first]) => first
)

/**
 * Makes a version the latest: what is started for whichever is the latest (schedules, `version: ""`) is run by it. Once
 * this has returned, no claim that begins gives such a workflow to another version; executors of this one ask for it from
 * their next heartbeat on. Fails with `InvalidArgument` for one that no executor has joined with.
 */
export const setLatest = (version: string): Effect.Effect<void, WorkflowError, Engine> =>
  managed("setLatest", (core) =>
    Effect.gen(function*() {
      const checked = yield* attemptSync(() => checkKey(version, "version"))
      if (!(yield* Effect.mapError(core.store.setLatestVersion(checked), fromStoreError))) {
        return yield* Effect.fail(unknown(checked))
      }
      yield* tell(core, [{ _tag: "Revoked", incarnation: "*" }])
    }))

const unknown = (version: string): WorkflowError =>
  new WorkflowError({
    reason: new InvalidArgument({
      argument: "version",
      detail: `no executor of ${JSON.stringify(version)} has ever joined`,
      remedy: "Check the version; it is known from the first start of an executor of it on."
    })
  })
