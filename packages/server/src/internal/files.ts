/** The dashboard's files. They hold no data: whoever reaches the server may read them. */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Generator } from "effect/http/Etag"
import type { HttpPlatform } from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as HttpStaticServer from "effect/http/HttpStaticServer"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"

/** What serving files needs of the platform. */
export type Platform = FileSystem.FileSystem | Path.Path | HttpPlatform | Generator

/** Files with a hash in their name never change; the page that names them does. */
const isHashed = /-[A-Za-z0-9_-]{8,}\.\w+$/

/** The mount path without its slash, from where what is relative to the page would be looked for elsewhere. */
const withSlash = (url: string): string | undefined => {
  // Without its host: whoever asks says what that is.
  const { pathname, search } = new URL(url, "http://localhost")
  return pathname.endsWith("/") ? undefined : `${pathname}/${search}`
}

export const layer = (root: string) =>
  Layer.effectDiscard(Effect.gen(function*() {
    const router = yield* HttpRouter.HttpRouter
    // That the folder is there has been checked.
    const serve = yield* Effect.orDie(HttpStaticServer.make({ root, spa: true }))
    yield* router.add("GET", "/", ({ originalUrl }) => {
      const moved = withSlash(originalUrl)
      return moved === undefined ? serve.pipe(kept("no-cache")) : Effect.succeed(HttpServerResponse.redirect(moved))
    })
    yield* router.add("GET", "/*", ({ url }) =>
      serve.pipe(kept(isHashed.test(url.split("?")[0]!) ? "public, max-age=31536000, immutable" : "no-cache")))
  }))

const kept = (cacheControl: string) =>
  Effect.map(HttpServerResponse.setHeader("cache-control", cacheControl)) as <E, R>(
    effect: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
  ) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>
