/**
 * How the dashboard is tested: in a real browser, on a real server, on both stores. Each claim has a store, an engine, a
 * server and a page of its own; the browser is one for the file.
 *
 * Whatever a claim is about, in the end nothing may have gone wrong in the page: no error on the console (a breach of the
 * content security policy is one), no dialog of the browser, no request to another host.
 */
import { directory } from "@perdure/dashboard"
import * as AdminAccess from "@perdure/server/AdminAccess"
import * as AdminHttpServer from "@perdure/server/AdminHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { fileURLToPath } from "node:url"
import type * as Engine from "perdure/Engine"
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, beforeAll, expect } from "vitest"
import { type Given, type Kind, type Live, type Needs, onBothStores, type Running } from "../engine/harness.ts"
import { launch } from "./browser.ts"

export const token = "the token of these tests, long enough"

/** What a claim is given. */
export interface Shown {
  readonly kind: Kind
  readonly page: Page
  /** Of the server, ending in a slash. */
  readonly url: string
  /** Goes to an address behind the `#`, as in `"workflows?status=ERROR"`. */
  readonly open: (address: string) => Promise<void>
  /** Runs it with the engine that the page shows. */
  readonly run: <A, E, R extends Needs>(effect: Effect.Effect<A, E, R>) => Promise<A>
  /** Another engine on the same store. */
  readonly another: (live: ReadonlyArray<Live>, options?: Engine.Options) => Promise<Running>
}

export interface Setting {
  readonly live?: ReadonlyArray<Live>
  readonly engine?: Engine.Options
  readonly server?: AdminHttpServer.Options
  readonly browser?: BrowserContextOptions
  /** The server refuses something, which browsers log as an error of the page. Default: false. */
  readonly refuses?: boolean
  /** Default: true. */
  readonly signedIn?: boolean
  readonly only?: Kind
}

export type PageClaim = (name: string, setting: Setting, body: (shown: Shown) => Promise<void>) => void

/** Against hanging only. */
const patienceMs = 60_000

export const onPages = (concept: string, suite: (claim: PageClaim) => void): void => {
  let browser: Browser | undefined
  const contexts = new Map<string, BrowserContext>()
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())
  /** Claims that ask for the same share one, with nobody signed in: making one costs as much as a claim. */
  const contextFor = async (options: BrowserContextOptions): Promise<BrowserContext> => {
    const key = JSON.stringify(options)
    const context = contexts.get(key) ??
      await browser!.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    contexts.set(key, context)
    context.setDefaultTimeout(patienceMs)
    await context.clearCookies()
    return context
  }
  onBothStores(concept, (claim) =>
    suite((name, setting, body) =>
      claim(name, (given) =>
        Effect.gen(function*() {
          const running = yield* given.engine(setting.live ?? [], setting.engine)
          const url = yield* serve(running, setting)
          const context = yield* Effect.promise(() => contextFor(setting.browser ?? {}))
          yield* inPage(context, given, running, url, setting, body)
        }), setting.only)
    ))
}

const serve = ({ use }: Running, { server }: Setting) =>
  Effect.gen(function*() {
    const services = yield* use(Effect.context<Needs>())
    const context = yield* Layer.build(
      AdminHttpServer.layer({ port: 0, dashboard: fileURLToPath(directory), ...server }).pipe(
        Layer.provide(AdminAccess.layerToken({ token: Redacted.make(token) })),
        Layer.provide(Layer.succeedContext(services))
      )
    )
    const { address } = Context.get(context, HttpServer.HttpServer)
    if (address._tag === "UnixPathAddress") throw new Error("It is not on TCP.")
    return `http://127.0.0.1:${address.port}${server?.path ?? ""}/`
  })

const inPage = Effect.fnUntraced(function*(
  context: BrowserContext,
  given: Given,
  running: Running,
  url: string,
  setting: Setting,
  body: (shown: Shown) => Promise<void>
) {
  const scope = yield* Effect.scope
  const page = yield* Effect.acquireRelease(
    Effect.promise(() => context.newPage()),
    (page) => Effect.promise(() => page.close())
  )
  yield* Effect.promise(async () => {
    const faults = watch(page, url, setting.refuses === true)
    if (setting.signedIn !== false) {
      const answer = await page.request.post(`${url}api/session`, { data: { token } })
      expect(answer.ok(), await answer.text()).toBe(true)
    }
    await body({
      kind: given.kind,
      page,
      url,
      open: async (address) => {
        await page.goto(`${url}#/${address}`)
      },
      run: (effect) => Effect.runPromise(running.use(effect)),
      another: (live, options) =>
        Effect.runPromise(given.engine(live, options).pipe(Effect.provideService(Scope.Scope, scope)))
    })
    expect(faults).toEqual([])
  })
})

/** What went wrong in the page so far. */
const watch = (page: Page, url: string, refuses: boolean): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const { origin } = new URL(url)
  page.on("console", (message) => {
    if (message.type() !== "error" || (refuses && message.text().startsWith("Failed to load resource"))) return
    faults.push(`console: ${message.text()}`)
  })
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`))
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) faults.push(`request: ${request.url()}`)
  })
  return faults
}
