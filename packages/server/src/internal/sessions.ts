/** Sessions of browsers: random ids in cookies, of which only hashes are kept, in the memory of this process. */
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { createHash, randomBytes, timingSafeEqual } from "node:crypto"

const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

/** In a time that depends on neither: hashes are compared, which are of one length. */
export const same = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other))

/** With the port: cookies ignore it, and servers on two ports of a host would end each other's sessions. */
export const cookieName = ({ headers }: HttpServerRequest): string => {
  const port = /:(\d+)$/.exec(headers["host"] ?? "")?.[1]
  return port === undefined ? "perdure_session" : `perdure_session_${port}`
}

/** Whether the browser speaks TLS: with this server, or with the first of the proxies before it. */
const overTls = ({ headers, originalUrl }: HttpServerRequest): boolean =>
  originalUrl.startsWith("https:") || /^\s*https\s*(,|$)/i.test(headers["x-forwarded-proto"] ?? "")

/** More than these are open only if somebody has the token and means harm. The oldest ends. */
const maxSessions = 1000

export class Sessions {
  /** By the hash of its id: when it ends. In the order of their beginning. */
  private readonly open = new Map<string, number>()
  private readonly token: string
  private readonly durationMs: number
  private readonly secure: boolean | undefined

  constructor(token: string, durationMs: number, secure: boolean | undefined) {
    this.token = token
    this.durationMs = durationMs
    this.secure = secure
  }

  has(request: HttpServerRequest): boolean {
    const id = request.cookies[cookieName(request)]
    const endsAt = id === undefined ? undefined : this.open.get(digest(id).toString("base64"))
    return endsAt !== undefined && endsAt > Date.now()
  }

  /** The answer with a cookie for whoever has the token; undefined: it is wrong. */
  begin(request: HttpServerRequest, token: string, path: string): HttpServerResponse.HttpServerResponse | undefined {
    if (!same(token, this.token)) return undefined
    const id = randomBytes(32).toString("base64url")
    if (this.open.size >= maxSessions) this.open.delete(this.open.keys().next().value!)
    this.open.set(digest(id).toString("base64"), Date.now() + this.durationMs)
    return this.answer(request, id, path, this.durationMs)
  }

  end(request: HttpServerRequest, path: string): HttpServerResponse.HttpServerResponse {
    const id = request.cookies[cookieName(request)]
    if (id !== undefined) this.open.delete(digest(id).toString("base64"))
    return this.answer(request, "", path, 0)
  }

  private answer(request: HttpServerRequest, value: string, path: string, maxAge: number) {
    return HttpServerResponse.setCookieUnsafe(HttpServerResponse.empty({ status: 204 }), cookieName(request), value, {
      httpOnly: true,
      sameSite: "strict",
      path,
      maxAge,
      secure: this.secure ?? overTls(request)
    })
  }
}
