/** Requests that the typed client would not make, and what a refusal has to look like. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { request as httpRequest } from "node:http"
import { type Plain, token } from "./serving.ts"

export const bearer = { authorization: `Bearer ${token}` }

/** A request with headers that `fetch` does not let one set. */
export const raw = (
  port: number,
  path: string,
  headers: Record<string, string>,
  method = "GET",
  body: string | Uint8Array = ""
) =>
  Effect.promise(() =>
    new Promise<Plain>((resolve, reject) => {
      const sent = httpRequest({ host: "127.0.0.1", port, path, method, headers }, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => void (text += chunk)).on("end", () =>
          resolve({
            status: response.statusCode!,
            text,
            body: text !== "" && response.headers["content-type"]?.includes("json") === true
              ? JSON.parse(text)
              : undefined,
            headers: new Headers(response.headers as Record<string, string>)
          }))
      })
      sent.on("error", reject)
      sent.end(body)
    })
  )

/** Whether it is refused as documented: with a status, a reason, and words for people. */
export const isProblem = ({ body, status }: Plain, expected: number, reason: string): void => {
  assert.deepStrictEqual([status, body?.reason], [expected, reason])
  for (const field of ["_tag", "problem", "detail", "remedy"]) assert.isAbove(body[field].length, 3, field)
}
