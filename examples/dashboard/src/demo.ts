/**
 * `npm run demo:dashboard`: the order shop under live traffic, and the dashboard on it.
 *
 * It runs on a SQLite file in a temporary folder, prints the address and the token, and ends with Ctrl-C, leaving nothing
 * behind. `PORT` chooses a port; otherwise it is 4400, or a free one where that is taken.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { directory } from "@perdure/dashboard"
import { AdminAccess } from "@perdure/server"
import * as AdminHttpServer from "@perdure/server/AdminHttpServer"
import { SqliteStore } from "@perdure/sqlite"
import { Config, Console, Effect, Layer, Redacted, References } from "effect"
import { HttpServer } from "effect/http"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Engine } from "perdure"
import * as Shop from "./Shop.ts"
import * as Traffic from "./traffic.ts"
import * as Yesterday from "./Yesterday.ts"

/** A folder that is gone with the scope. */
const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-demo-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })

const usual = AdminHttpServer.defaults.port

const portOf = Effect.gen(function*() {
  const given = yield* Config.Int("PORT").pipe(Config.withDefault(usual))
  return given !== usual || (yield* isFree(usual)) ? given : 0
})

const tell = (token: Redacted.Redacted) =>
  Effect.gen(function*() {
    const { address } = yield* HttpServer.HttpServer
    const port = address._tag === "UnixPathAddress" ? usual : address.port
    yield* Console.log(`
  An order shop is open, on SQLite, with a dashboard:

    address   http://127.0.0.1:${port}/
    token     ${Redacted.value(token)}

  Orders come in, some fail, some wait for approval. End it with Ctrl-C; nothing is left behind.
`)
  })

const program = Effect.gen(function*() {
  const path = yield* folder
  const store = SqliteStore.layer({ filename: join(path, "shop.db") })
  const token = yield* AdminAccess.generateToken
  const port = yield* portOf
  const admin = AdminHttpServer.layer({ port, dashboard: fileURLToPath(directory) }).pipe(
    Layer.provide(AdminAccess.layerToken({ token }))
  )
  const engine = Engine.layer({
    executorId: "shop-1",
    version: "",
    suspendAfter: "1 second",
    shutdown: "500 millis",
    queues: [Shop.packing, Shop.mails]
  })
  yield* Effect.gen(function*() {
    yield* Yesterday.leave
    yield* tell(token).pipe(
      Effect.andThen(Traffic.run),
      Effect.provide([...Shop.live, Yesterday.live, admin]),
      Effect.provide(engine),
      Effect.scoped
    )
  }).pipe(Effect.provide(store))
}).pipe(
  Effect.scoped,
  // What happens is to be seen in the dashboard.
  Effect.provideService(References.MinimumLogLevel, "None")
)

NodeRuntime.runMain(program)
