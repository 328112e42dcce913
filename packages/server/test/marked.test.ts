import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { markedIn } from "../src/internal/marked.ts"

const Secret = Schema.Redacted(Schema.String)
const Sealed = Schema.String.pipe(Schema.decodeTo(Schema.Redacted(Schema.String), {
  decode: SchemaGetter.transform((text) => Redacted.make(text)),
  encode: SchemaGetter.transform((secret) => Redacted.value(secret))
}))

class Login extends Schema.Class<Login>("Login")({ user: Schema.String, password: Secret }) {}
class Denied extends Schema.TaggedError<Denied>()("Denied", { tried: Secret }) {}

interface Tree {
  readonly key: Redacted.Redacted
  readonly branches: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  key: Secret,
  branches: Schema.Array(Schema.suspend((): Schema.Codec<Tree, unknown> => Tree as never))
})

/** The paths in a payload, as they would be configured. */
const inPayload = (payload: Schema.ConstraintCodec<any, unknown, never, never>) =>
  markedIn({ payload, success: undefined, error: undefined }).map((path) => path.join("."))

describe("what schemas say must not be shown", () => {
  it("is each field that is redacted, however it is wrapped, and nothing else", () => {
    assert.deepStrictEqual(inPayload(Schema.Struct({ a: Schema.String, at: Schema.Date, n: Schema.Number })), [])
    assert.deepStrictEqual(inPayload(Secret), ["payload"])
    assert.deepStrictEqual(
      inPayload(Schema.Struct({
        plain: Secret,
        absent: Schema.optionalKey(Secret),
        checked: Secret.check(Schema.makeFilter(() => true)),
        sealed: Sealed,
        raw: Schema.RedactedFromValue(Schema.Number),
        struct: Schema.Redacted(Schema.Struct({ at: Schema.Date })),
        open: Schema.String
      })),
      ["plain", "absent", "checked", "sealed", "raw", "struct"].map((name) => `payload.${name}`)
    )
    assert.deepStrictEqual(inPayload(Schema.Struct({ maybe: Schema.NullOr(Secret) })), ["payload.maybe"])
  })

  it("is found in objects, classes, lists, records, unions and what Effect encodes", () => {
    assert.deepStrictEqual(inPayload(Login), ["payload.password"])
    assert.deepStrictEqual(inPayload(Schema.Struct({ of: Schema.Struct({ it: Secret }) })), ["payload.of.it"])
    assert.deepStrictEqual(inPayload(Schema.Array(Login)), ["payload.*.password"])
    assert.deepStrictEqual(inPayload(Schema.Tuple([Schema.String, Secret])), ["payload.1"])
    assert.deepStrictEqual(inPayload(Schema.Record(Schema.String, Secret)), ["payload.*"])
    assert.deepStrictEqual(inPayload(Schema.Union([Schema.String, Login])), ["payload.password"])
    assert.deepStrictEqual(inPayload(Schema.Option(Secret)), ["payload.value"])
    assert.deepStrictEqual(inPayload(Schema.ReadonlyMap(Schema.String, Secret)), ["payload.*.1"])
  })

  it("is named as it is stored, and with all around it where it cannot be followed", () => {
    const renamed = Schema.Struct({ password: Secret, n: Schema.Number }).pipe(Schema.encodeKeys({ password: "p" }))
    assert.deepStrictEqual(inPayload(renamed), ["payload.p"])
    const text = Schema.fromJsonString(Schema.Struct({ password: Secret }))
    assert.deepStrictEqual(inPayload(Schema.Struct({ text, open: Schema.String })), ["payload.text"])
  })

  it("is at every depth of what holds itself", () => {
    assert.deepStrictEqual(inPayload(Schema.Struct({ tree: Tree })), ["payload.tree.**.key"])
  })

  it("is in what a workflow succeeds and fails with too", () => {
    assert.deepStrictEqual(
      markedIn({ payload: undefined, success: Schema.Struct({ token: Secret }), error: Denied }),
      [["success", "token"], ["failure", "fields", "tried"], ["failure", "fields", "value", "tried"]]
    )
    assert.deepStrictEqual(markedIn({ payload: undefined, success: undefined, error: Secret }), [["failure"]])
    assert.deepStrictEqual(markedIn({ payload: undefined, success: undefined, error: undefined }), [])
  })
})
