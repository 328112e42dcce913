/** `perdure dashboard`: the dashboard and its API, on loopback, beside whatever runs the workflows. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as ExitCode from "../ExitCode.ts"
import { onStore } from "./command.ts"
import { CliFailure } from "./failing.ts"
import { note, show } from "./output.ts"
import { sentence } from "./sentence.ts"

/** Loaded when it is asked for: no other command needs what serves HTTP. */
const modules = Effect.promise(async () => ({
  AdminAccess: await import("@perdure/server/AdminAccess"),
  AdminHttpServer: await import("@perdure/server/AdminHttpServer"),
  files: (await import("@perdure/dashboard")).directory
}))

/** The folder of the built pages; a clone of the repository has none before it is built. */
const pages = Effect.fnUntraced(function*(url: URL) {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const folder = yield* Effect.orDie(path.fromFileUrl(url))
  const built = yield* Effect.orElseSucceed(files.exists(path.join(folder, "index.html")), () => false)
  return built ? folder : undefined
})

export const dashboard = Command.make(
  "dashboard",
  {
    port: Flag.Int("port").pipe(Flag.withDescription("0: a free one"), Flag.withDefault(4400)),
    readOnly: Flag.Boolean("read-only").pipe(
      Flag.withoutNegation,
      Flag.withDescription("Nothing can be changed"),
      Flag.withDefault(false)
    ),
    redact: Flag.String("redact").pipe(
      Flag.withMetavar("<path>"),
      Flag.withDescription("What is not shown, as payload.card.number or **.password; may be repeated"),
      Flag.atLeast(0)
    )
  },
  Effect.fnUntraced(function*({ port, readOnly, redact }) {
    const { AdminAccess, AdminHttpServer, files } = yield* modules
    const given = yield* Effect.orDie(Config.option(Config.Redacted("PERDURE_TOKEN")))
    const token = Option.isSome(given) ? given.value : yield* AdminAccess.generateToken
    const folder = yield* pages(files)
    if (folder === undefined) {
      yield* note("The dashboard's pages are not built (npm run build): only the API is served.")
    }
    const server = AdminHttpServer.layer({
      port,
      readOnly,
      redact: { "*": redact },
      ...(folder === undefined ? {} : { dashboard: folder })
    }).pipe(Layer.provide(AdminAccess.layerToken({ token })))
    yield* Effect.gen(function*() {
      const { address } = yield* HttpServer.HttpServer
      const url = `http://127.0.0.1:${address._tag === "UnixPathAddress" ? port : address.port}/`
      const shown = Option.isSome(given) ? "that of PERDURE_TOKEN" : Redacted.value(token)
      yield* show({ url, token: shown }, () => `address  ${url}\ntoken    ${shown}\n\nEnd it with Ctrl-C.`)
      return yield* Effect.never
    }).pipe(
      Effect.provide(server),
      Effect.catchTag("ServeError", (error) =>
        Effect.fail(
          new CliFailure({
            exitCode: ExitCode.unavailable,
            message: sentence(`Port ${port} cannot be listened on: ${String(error.cause)}`) +
              " Choose another with --port, or 0 for a free one."
          })
        ))
    )
  }, onStore)
).pipe(
  Command.withDescription("Serve the dashboard and its API on loopback, and print the address and the token")
)
