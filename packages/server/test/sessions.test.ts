/** The cookie of a session: who it is sent by, and where to. */
import { assert, describe, it } from "@effect/vitest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import { Sessions } from "../src/internal/sessions.ts"

const token = "a token that is long enough"

const cookieFor = (url: string, headers: Record<string, string> = {}, secure?: boolean) => {
  const request = HttpServerRequest.fromWeb(new Request(url, { headers }))
  const [cookie] = Object.values(new Sessions(token, 1_000, secure).begin(request, token, "/")!.cookies.cookies)
  return cookie!
}

describe("the cookie of a session", () => {
  it("is sent over TLS only where the login came over TLS, to this server or to the first proxy", () => {
    const isSecure = (...args: Parameters<typeof cookieFor>) => cookieFor(...args).options?.secure
    assert.isFalse(isSecure("http://localhost/"))
    assert.isTrue(isSecure("https://localhost/"))
    for (
      const [proto, secure] of [["https", true], ["HTTPS, http", true], ["http, https", false], ["", false]] as const
    ) {
      assert.strictEqual(isSecure("http://localhost/", { "x-forwarded-proto": proto }), secure, proto)
    }
    assert.isTrue(isSecure("http://localhost/", {}, true))
    assert.isFalse(isSecure("https://localhost/", {}, false))
  })

  it("is of one port, since browsers send it to all ports of a host", () => {
    const nameFor = (host: string) => cookieFor("http://localhost/", { host }).name
    assert.deepStrictEqual(
      ["127.0.0.1:4400", "[::1]:4401", "[::1]", "admin.example.org"].map(nameFor),
      ["perdure_session_4400", "perdure_session_4401", "perdure_session", "perdure_session"]
    )
  })
})
