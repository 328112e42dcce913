/**
 * Where a secret may come out: logs of all levels, spans, errors, answers of the admin API, rows. Hunts for it by its own words,
 * in a workflow's payload, a step's result, an error's field, a refused value, the token.
 */
import { assert } from "@effect/vitest"
import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { type Given, onBothStores } from "../../../test/engine/harness.ts"
import { eventually } from "../../../test/engine/observing.ts"
import { freshDatabase, onServer } from "../../../test/postgres/database.ts"
import { serve, token } from "./serving.ts"

const secret = "hush-hush-4711"

/** A secret that is written so that only who has the key can read it. (A test may turn it round.) */
const turned = (text: string): string => [...text].reverse().join("")
const Sealed = Schema.String.pipe(Schema.decodeTo(Schema.Redacted(Schema.String), {
  decode: SchemaGetter.transform((text) => Redacted.make(turned(text))),
  encode: SchemaGetter.transform((redacted) => turned(Redacted.value(redacted)))
}))

class Denied extends Schema.TaggedError<Denied>()("Denied", { password: Sealed }) {}

const Login = Workflow.make("Login", { payload: { password: Sealed }, success: Sealed, error: Denied })
/** Stored in clear: so its schema says. */
const Open = Workflow.make("Open", { payload: { password: Schema.Redacted(Schema.String) } })
/** Takes no password that is so long. */
const Short = Workflow.make("Short", {
  payload: { password: Schema.Redacted(Schema.String.check(Schema.isMaxLength(3))) }
})
const Never = Workflow.make("Never", {
  payload: { password: Schema.Redacted(Schema.String, { disallowJsonEncode: true }) }
})

const live = [
  Login.toLayer(Effect.fnUntraced(function*({ password }) {
    yield* Effect.logInfo("logging in", { password })
    yield* Effect.annotateCurrentSpan("password", password)
    const kept = yield* Step.run("keep", Effect.succeed(password), { success: Sealed })
    const denied = Step.run("deny", Effect.fail(new Denied({ password: kept })), { error: Denied })
    yield* Effect.catchTag(denied, "Denied", (error) => Effect.logWarning("denied", error))
    yield* Step.run("undeclared", Effect.fail({ _tag: "Odd", password })).pipe(Effect.catch(Effect.logError))
    yield* Step.run("unstorable", Effect.succeed<unknown>({ password }), { success: Schema.Any }).pipe(
      Effect.catch(Effect.logError)
    )
    return kept
  })),
  Open.toLayer(({ password }) => Effect.logInfo("open", { password })),
  Short.toLayer(() => Effect.void),
  Never.toLayer(() => Effect.void)
]

/** What an exporter tells of a span's end: why it failed, and nothing of what it gave. */
const failureOf = ({ status }: Tracer.NativeSpan): unknown =>
  status._tag === "Ended" && Exit.isFailure(status.exit) ? status.exit.cause : undefined

/** Everything that is said while an effect runs. */
const overheard = () => {
  const said: Array<string> = []
  const logger = Logger.make((entry) => {
    for (const form of [Logger.formatLogFmt, Logger.formatJson, Logger.formatSimple]) said.push(form.log(entry))
  })
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const spans: Array<Tracer.NativeSpan> = []
  return {
    said,
    text: () =>
      [
        ...said,
        ...spans.map((span) => inspect([span.name, span.attributes, span.events, failureOf(span)], { depth: 9 }))
      ]
        .join("\n"),
    spans,
    layer: Layer.mergeAll(
      Logger.layer([logger]),
      Layer.succeed(References.MinimumLogLevel, "All"),
      Layer.succeed(Tracer.Tracer, tracer)
    )
  }
}

/** Every value of every row. */
const stored = ({ rows, sql }: Given) =>
  Effect.gen(function*() {
    const tables = Object.keys(yield* rows)
    return JSON.stringify(
      yield* Effect.forEach(tables, (table) => (sql as SqlClient).unsafe(`SELECT * FROM ${table}`)),
      (_, value: unknown) => typeof value === "bigint" ? String(value) : value
    )
  })

const exits = (exit: Exit.Exit<unknown, unknown>): string =>
  [inspect(exit, { depth: 12, showHidden: true }), JSON.stringify(exit), String(exit)].join("\n")

onBothStores("a secret", (claim) => {
  claim(
    "that is sealed by its schema is in no log, span, error, answer or row",
    (given) => {
      const { layer, said, spans, text } = overheard()
      return Effect.gen(function*() {
        const running = yield* given.engine(live)
        const password = Redacted.make(secret)
        const result = yield* running.use(Login.execute({ password }, { workflowId: "login" }))
        assert.strictEqual(Redacted.value(result), secret)
        const server = yield* serve(running)
        const answers = yield* Effect.forEach(
          [
            "/api/workflows",
            "/api/workflow?id=login",
            "/api/workflow/steps?id=login",
            "/metrics",
            "/api/definition?name=Login"
          ],
          (path) => server.get(path)
        )
        assert.deepStrictEqual(answers.map(({ status }) => status), [200, 200, 200, 200, 200])
        const rows = yield* stored(given)
        assert.include(rows, turned(secret))
        for (const place of [rows, ...answers.map((answer) => answer.text)]) assert.notInclude(place, secret)
        assert.isAbove(said.length, 0)
        assert.isAbove(spans.length, 0)
        assert.notInclude(text(), secret)
      }).pipe(Effect.provide(layer))
    }
  )

  claim("that its schema writes in clear is in the rows, and in no log and no span", (given) => {
    const { layer, said, text } = overheard()
    return Effect.gen(function*() {
      const running = yield* given.engine(live)
      yield* running.use(Open.execute({ password: Redacted.make(secret) }, { workflowId: "open" }))
      assert.include(yield* stored(given), secret)
      assert.isAbove(said.length, 0)
      assert.notInclude(text(), secret)
      const server = yield* serve(running, { redact: { Open: ["payload.password"] } })
      assert.notInclude((yield* server.get("/api/workflow?id=open")).text, secret)
    }).pipe(Effect.provide(layer))
  })

  claim("that is refused is not in the refusal", (given) => {
    const { layer, text } = overheard()
    return Effect.gen(function*() {
      const running = yield* given.engine(live)
      const refused: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
        yield* Effect.exit(running.use(Short.execute({ password: Redacted.make(secret) }))),
        yield* Effect.exit(running.use(Never.execute({ password: Redacted.make(secret) }))),
        // As from code that is not checked.
        yield* Effect.exit(running.use(Open.execute({ password: secret } as never))),
        yield* Effect.exit(running.use(Login.execute({ password: [secret] } as never)))
      ]
      for (const exit of refused) {
        assert.isTrue(Exit.isFailure(exit))
        assert.notInclude(exits(exit), secret)
      }
      const server = yield* serve(running)
      for (const payload of [{ password: { of: secret } }, { password: [secret] }, secret]) {
        const answer = yield* server.post("/api/workflows/start", { name: "Short", payload, id: "x" })
        assert.notInclude(answer.text, secret)
      }
      const wrong = yield* server.plain("/api/workflows", { headers: { authorization: `Bearer ${secret}` } })
      assert.strictEqual(wrong.status, 401)
      assert.notInclude(wrong.text, secret)
      assert.notInclude(yield* stored(given), secret)
      // What nobody could check before it was stored: the executor refuses it.
      const outside = yield* given.client
      const id = yield* outside.use(Client.start("Short", { payload: { password: secret } }))
      const info = yield* outside.use(
        eventually("its end", Client.get(id), ({ status }) => status === "ERROR" || status === "BLOCKED")
      )
      assert.include(inspect({ ...info, payload: undefined }, { depth: 9 }), "password")
      assert.notInclude(inspect({ ...info, payload: undefined }, { depth: 9 }), secret)
      assert.notInclude(text(), secret)
      assert.notInclude(text(), token)
    }).pipe(Effect.provide(layer))
  })

  claim("of the connection is in no log and no error, whatever fails", () => {
    const { layer, said, text } = overheard()
    return Effect.gen(function*() {
      const url = yield* freshDatabase
      const role = `secretive_${process.pid}`
      // This one says it itself.
      yield* Effect.withTracerEnabled(onServer(url, `CREATE ROLE ${role} LOGIN PASSWORD '${secret}'`), false)
      yield* Effect.addFinalizer(() =>
        Effect.andThen(onServer(url, `DROP OWNED BY ${role}`), onServer(url, `DROP ROLE ${role}`))
      )
      yield* onServer(url, `GRANT CREATE ON DATABASE ${new URL(url).pathname.slice(1)} TO ${role}`)
      const address = new URL(url)
      address.username = role
      address.password = secret
      const storeAt = (at: string) => Layer.fresh(PostgresStore.layer({ url: Redacted.make(at) }))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Layer.provideMerge(
          Engine.layer({ poll: "50 millis", heartbeat: "100 millis" }),
          storeAt(address.toString())
        ),
        scope
      )
      // What is there when it starts and then fails: statements, and the connections themselves. (To drop a schema is to
      // wait for locks of all its tables, against those that are at work on them.)
      yield* onServer(url, "ALTER SCHEMA perdure RENAME TO away")
      const failed = eventually("a failure", Effect.sync(() => text()), (log) => log.includes("will try again"))
      yield* failed
      const error = yield* Effect.exit(Effect.provideContext(Client.list(), context))
      assert.include(exits(error), "does not exist")
      yield* onServer(url, `ALTER ROLE ${role} PASSWORD 'another one'`)
      yield* onServer(url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`)
      const refused = yield* eventually(
        "the password to be refused",
        Effect.exit(Effect.provideContext(Client.list(), context)),
        (exit) => exits(exit).includes("password authentication failed")
      )
      yield* Scope.close(scope, Exit.void)
      address.port = "1"
      const away = yield* Effect.exit(Effect.scoped(Layer.build(storeAt(address.toString()))))
      const failures: ReadonlyArray<Exit.Exit<unknown, unknown>> = [error, refused, away]
      for (const exit of failures) {
        assert.isTrue(Exit.isFailure(exit))
        assert.notInclude(exits(exit), secret)
      }
      assert.isAbove(said.length, 0)
      assert.notInclude(text(), secret)
    }).pipe(Effect.provide(layer))
  }, "postgres")
})
