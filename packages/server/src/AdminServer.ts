/**
 * The admin API and the dashboard, mounted under a path of the application's own router.
 *
 * ```ts
 * const AdminLive = AdminServer.layer({ path: "/admin", hosts: ["shop.example.org"] }).pipe(
 *   Layer.provide(AdminAccess.layerToken({ token }))
 * )
 * ```
 *
 * To whoever `AdminAccess` does not know nothing is answered but `/health`, the contract (`/openapi.json`), the sign-in
 * (`/api/session` and below) and the dashboard's files: none holds data. See `AdminHttpServer` for a server that does nothing
 * else.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { Engine } from "perdure/Engine"
import { InvalidArgument, WorkflowError } from "perdure/WorkflowError"
import { AdminAccess } from "./AdminAccess.ts"
import { AdminApi } from "./AdminApi.ts"
import * as Acts from "./internal/acts.ts"
import * as Files from "./internal/files.ts"
import { guarded, loopback } from "./internal/guard.ts"
import * as Operations from "./internal/operations.ts"
import { handlerOf } from "./internal/ownRouter.ts"
import * as Permission from "./internal/permission.ts"
import { type Pattern, patternOf } from "./internal/redaction.ts"
import { CurrentSettings, type Limits, type Settings } from "./internal/settings.ts"
import * as Streams from "./internal/streams.ts"
import * as System from "./internal/system.ts"
import * as Workflows from "./internal/workflows.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

export type { Limits } from "./internal/settings.ts"

/** How a server behaves. */
export interface Options {
  /** Where it is mounted, as in `"/admin"`. Default: `"/"`. */
  readonly path?: `/${string}` | undefined
  /**
   * The names that this server is reached by, as browsers know them, with a port where only that one counts. A request for
   * another host is refused, or a page of another site could point a name of its own here (DNS rebinding). `"any"`: the
   * application, or a proxy before it, sees to that. Default: loopback names.
   */
  readonly hosts?: ReadonlyArray<string> | "any" | undefined
  /** Nothing can be changed, whoever asks. Default: false. */
  readonly readOnly?: boolean | undefined
  /**
   * What must not leave the server, by the workflow's name (`"*"`: of all): paths as in `"payload.card.number"`,
   * `"success.token"`, `"steps.charge.value"`, `"events.key"`, `"messages.topic.code"`, `"streams.key"`, `"attributes.email"`,
   * `"failure.message"`. `*` is any one segment, `**` any number; segments may be given as an array where they have dots.
   */
  readonly redact?: Readonly<Record<string, ReadonlyArray<string | Pattern>>> | undefined
  /** The folder of the built dashboard. Default: no dashboard, only the API. */
  readonly dashboard?: string | undefined
  /** Limits; those that are not given are {@link defaults}. */
  readonly limits?: Partial<Limits> | undefined
}

/**
 * The limits of a server where none are given: bodies of 1 MiB, pages of 4 MiB, 30 seconds, 64 requests, 32 streams of an hour,
 * 20,000 looked at.
 */
export const defaults: Limits = {
  bodyBytes: 1_048_576,
  pageBytes: 4_194_304,
  requestMs: 30_000,
  requests: 64,
  streams: 32,
  streamMs: 3_600_000,
  look: 20_000
}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * Mounts the API, `/health`, `/metrics`, `/openapi.json` and the dashboard's files under a path of the router.
 *
 * Building it fails with `InvalidArgument` for a path or a limit that makes no sense, or a dashboard that is not there.
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  never,
  WorkflowError,
  Engine | AdminAccess | HttpRouter.HttpRouter | Files.Platform
> =>
  Layer.effectDiscard(Effect.gen(function*() {
    const path = yield* pathOf(options.path ?? "/")
    const settings = yield* settingsOf(options)
    if (options.dashboard !== undefined) yield* isBuilt(options.dashboard)
    const router = yield* HttpRouter.HttpRouter
    const access = yield* AdminAccess
    // No more than these: the host's router is among the services too, and is not the one to add to.
    const services = Context.make(Engine, yield* Engine).pipe(
      Context.add(AdminAccess, access),
      Context.add(CurrentSettings, settings),
      Context.add(Streams.Places, Streams.make(settings.limits.streams, "streams"))
    )
    const routes = HttpApiBuilder.layer(AdminApi, { openapiPath: "/openapi.json" }).pipe(
      Layer.provide([
        Workflows.layer,
        Acts.layer,
        Operations.layer,
        System.system,
        System.open(path === "" ? "/" : path)
      ]),
      Layer.provide(Permission.layer),
      Layer.merge(options.dashboard === undefined ? Layer.empty : Files.layer(options.dashboard)),
      Layer.provide(Layer.succeedContext(services))
    )
    const handler = guarded(
      yield* handlerOf(routes, services),
      access.authenticate,
      { hosts: namesOf(options.hosts ?? loopback) },
      settings.limits
    )
    const mounted = path === "" ? router : router.prefixed(path)
    yield* mounted.add("*", "/*", handler)
  }))

// -----------------------------------------------------------------------------
// internal
// -----------------------------------------------------------------------------

const invalid = (argument: string, detail: string, remedy: string) =>
  Effect.fail(new WorkflowError({ reason: new InvalidArgument({ argument, detail, remedy }) }))

/** As requests are compared with: names of hosts have no case. */
const namesOf = (hosts: ReadonlyArray<string> | "any"): ReadonlyArray<string> | "any" =>
  hosts === "any" ? hosts : hosts.map((host) => host.toLowerCase())

/** Without a slash at the end. */
const pathOf = (path: string): Effect.Effect<"" | `/${string}`, WorkflowError> => {
  const trimmed = path.replace(/\/+$/, "")
  return trimmed === "" || /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)+$/.test(trimmed)
    ? Effect.succeed(trimmed as "" | `/${string}`)
    : invalid("path", `${JSON.stringify(path)} is not one`, "Give one like \"/admin\", of letters, digits and . _ ~ -.")
}

const settingsOf = (options: Options): Effect.Effect<Settings, WorkflowError> => {
  const limits = { ...defaults, ...options.limits }
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      return invalid(`limits.${name}`, `it is ${value}`, "Give a whole number from 1.")
    }
  }
  const patterns = new Map(
    Object.entries(options.redact ?? {}).map(([name, paths]) => [name, paths.map(patternOf)] as const)
  )
  const ofAll = patterns.get("*") ?? []
  return Effect.succeed({
    readOnly: options.readOnly === true,
    limits,
    patternsOf: (name) => name === "*" ? ofAll : [...ofAll, ...(patterns.get(name) ?? [])]
  })
}

const isBuilt = (folder: string): Effect.Effect<void, WorkflowError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (files) =>
    Effect.flatMap(
      Effect.orElseSucceed(files.exists(`${folder}/index.html`), () => false),
      (exists) =>
        exists ? Effect.void : invalid("dashboard", `${folder} has no index.html`, "Give the folder of the built one.")
    ))
