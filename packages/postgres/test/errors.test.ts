import { assert, describe, it } from "@effect/vitest"
import { ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"
import { classify, isConnectionLost, toStoreError } from "../src/internal/errors.ts"

const server = (code: string, message = "said the server") =>
  new SqlError({ reason: new UnknownError({ cause: Object.assign(new Error(message), { code, severity: "ERROR" }) }) })

const socket = (code: string) =>
  new SqlError({ reason: new ConnectionError({ cause: Object.assign(new Error("socket"), { code }) }) })

describe("the classifier", () => {
  for (
    const [codes, failure] of [
      [["40001", "40P01", "PD002"], "conflict"],
      [["55P03"], "busy"],
      [["22021", "22003", "23505", "23514", "54000", "21000", "PD003"], "value"],
      [["PD001"], "isolation"],
      [["42501", "3F000", "42P01", "42883", "28P01", "28000", "3D000", "25006"], "misconfigured"],
      [
        ["57P01", "57P02", "57P03", "53300", "53100", "25P03", "0A000", "26000", "08006", "57014", "XX000"],
        "unavailable"
      ]
    ] as const
  ) {
    it(`${codes.join(", ")}: ${failure}`, () => {
      for (const code of codes) assert.strictEqual(classify(server(code)), failure, code)
    })
  }

  it("what the socket says is an outage, also where its code looks like a SQLSTATE", () => {
    for (const code of ["ECONNREFUSED", "EPIPE", "ECONNRESET"]) {
      assert.strictEqual(classify(socket(code)), "unavailable")
      assert.isTrue(isConnectionLost(socket(code)))
    }
  })

  it("only what cut the connection leaves a commit unknown", () => {
    for (const code of ["57P01", "57P02", "08006", "25P03"]) assert.isTrue(isConnectionLost(server(code)), code)
    for (const code of ["23505", "40001", "55P03", "57014"]) assert.isFalse(isConnectionLost(server(code)), code)
  })

  it("an outage can be tried again, a mistake cannot, and both say what the server said", () => {
    assert.deepStrictEqual([toStoreError(server("57P03")).isRetryable, toStoreError(server("42501")).isRetryable], [
      true,
      false
    ])
    assert.include(toStoreError(server("42501")).message, "said the server; the role needs")
  })
})
