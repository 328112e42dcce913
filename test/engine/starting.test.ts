/** Starting workflows: ids, scopes, principals, and what is refused before anything is written. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Auth from "perdure/Auth"
import * as Client from "perdure/Client"
import * as Engine from "perdure/Engine"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowId from "perdure/WorkflowId"
import * as WorkflowTimeout from "perdure/WorkflowTimeout"
import { onBothStores, storeOf } from "./harness.ts"
import { Log, reaches, reasonOf, stepsOf, suspends } from "./observing.ts"

const day = 86_400_000
const Echo = Workflow.make("Echo", { payload: { n: Schema.Number }, success: Schema.String })
const Other = Workflow.make("Other", { payload: { n: Schema.Number }, success: Schema.String })

/** Returns its own id. */
const idOf = Effect.map(WorkflowContext.current, ({ workflowId }) => workflowId ?? "none")
const lives = [Echo.toLayer(() => idOf), Other.toLayer(() => idOf)]

onBothStores("workflow ids", (claim) => {
  claim(
    "the same id with the same start attaches, with another is a conflict",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const engine = yield* given.engine([Echo.toLayer(({ n }) => Step.run("s", log.effect("ran", `${n}`))), lives[1]!])
      const { use } = engine
      const ten = yield* use(
        Effect.all(Array.from({ length: 10 }, () => Echo.execute({ n: 1 }, { workflowId: "w" })), {
          concurrency: "unbounded"
        })
      )
      assert.deepStrictEqual(new Set(ten), new Set(["1"]))
      assert.strictEqual(log.count("ran"), 1)
      const input = yield* reasonOf(use(Echo.execute({ n: 2 }, { workflowId: "w" })))
      const name = yield* reasonOf(use(Other.start({ n: 1 }, { workflowId: "w" })))
      assert.deepStrictEqual([input._tag, name._tag, name.name], ["WorkflowConflict", "WorkflowConflict", "Echo"])
      assert.strictEqual(yield* use(Echo.execute({ n: 1 }, { workflowId: "w" })), "1")
    })
  )

  claim(
    "distinct bytes are distinct ids",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(lives)
      const ids = ["a", "A", " a", "a ", "a/../b", "a%2Fb", "'\";--", "é", "e\u0301", "\u{1F980}", "x".repeat(400), "."]
      const got = yield* use(
        Effect.forEach(ids, (workflowId) => Echo.execute({ n: 1 }, { workflowId }), { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(got, ids)
      assert.deepStrictEqual((yield* use(Client.get("e\u0301"))).workflowId, "e\u0301")
    })
  )

  for (
    const [what, id] of [["empty", ""], ["too long", "x".repeat(401)], ["with a NUL", "a\0b"], [
      "with a line break",
      "a\nb"
    ], ["with half a surrogate pair", "\udc00"]] as const
  ) {
    claim(
      `an id that is ${what} is refused, on a call and in a scope`,
      Effect.fnUntraced(function*(given) {
        const { use } = yield* given.engine(lives)
        const call = yield* reasonOf(use(Echo.start({ n: 1 }, { workflowId: id })))
        const scope = yield* reasonOf(use(Echo.start({ n: 1 }).pipe(Effect.provide(WorkflowId.layer(id)))))
        assert.deepStrictEqual([call._tag, scope._tag, scope.argument], [
          "InvalidArgument",
          "InvalidArgument",
          "workflow id"
        ])
        assert.lengthOf((yield* use(Client.list())).workflows, 0)
      })
    )
  }

  claim(
    "a scope gives its id to the first workflow only; scopes nest; leaving restores",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(lives)
      const inner = Echo.execute({ n: 2 }).pipe(Effect.provide(WorkflowId.layer("inner")))
      const ids = yield* use(
        Effect.all([
          inner,
          Echo.execute({ n: 1 }),
          Echo.execute({ n: 3 }),
          Other.execute({ n: 1 }),
          Echo.execute({ n: 4 }, { workflowId: "option" })
        ])
          .pipe(Effect.provide(WorkflowId.layer("outer")))
      )
      assert.deepStrictEqual([ids[0], ids[1], ids[4]], ["inner", "outer", "option"])
      assert.lengthOf([...new Set(ids)], 5)
      assert.notInclude([ids[2], ids[3]], "outer")
      assert.notStrictEqual(yield* use(Echo.execute({ n: 1 })), "outer")
    })
  )

  claim(
    "one layer value provided twice is two scopes",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(lives)
      const layer = WorkflowId.layer("one")
      assert.strictEqual(yield* use(Effect.provide(Echo.execute({ n: 1 }), layer)), "one")
      assert.strictEqual((yield* reasonOf(use(Effect.provide(Echo.execute({ n: 2 }), layer))))._tag, "WorkflowConflict")
    })
  )

  claim(
    "Effect.retry of an execute in a scope is the same start",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine(Echo.toLayer(() => Effect.andThen(log.add("ran"), idOf)))
      let tries = 0
      const id = yield* use(
        Echo.execute({ n: 1 }).pipe(
          Effect.flatMap((id) => tries++ < 2 ? Effect.fail("lost") : Effect.succeed(id)),
          Effect.retry({ times: 5 }),
          Effect.provide(WorkflowId.layer("once"))
        )
      )
      assert.deepStrictEqual([id, log.entries, tries], ["once", ["ran"], 3])
    })
  )

  claim(
    "an id scope around a body's caller does not reach into its children",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.Array(Schema.String) })
      const parent = Parent.toLayer(() =>
        Effect.all([
          Echo.execute({ n: 1 }),
          Effect.provide(Echo.execute({ n: 2 }), WorkflowId.layer("given")),
          Other.execute({ n: 1 }, { workflowId: "option" })
        ])
      )
      const { use } = yield* given.engine([...lives, parent])
      assert.deepStrictEqual(yield* use(Effect.provide(Parent.execute(), WorkflowId.layer("p"))), [
        "p-0",
        "given",
        "option"
      ])
    })
  )
})

onBothStores("timeouts", (claim) => {
  const Slow = Workflow.make("Slow", { success: Schema.NullOr(Schema.Number) })
  const Limited = Workflow.make("Limited", { success: Schema.NullOr(Schema.Number), timeout: "4 days" })
  /** Days from start to deadline. */
  const daysOf = (id: string) =>
    Effect.map(
      Client.get(id),
      (info) =>
        info.deadline === undefined ? undefined : Math.round((info.deadline.getTime() - info.createdAt.getTime()) / day)
    )

  claim(
    "the option wins over the scope, the inner scope over the outer, the scope over the definition",
    Effect.fnUntraced(
      function*(given) {
        const { use } = yield* given.client
        const start = (id: string, options = {}) => Limited.start(undefined, { workflowId: id, ...options })
        yield* use(Effect.gen(function*() {
          yield* start("definition")
          yield* Effect.gen(function*() {
            yield* start("outer")
            yield* start("inner").pipe(Effect.provide(WorkflowTimeout.layer("2 days")))
            yield* start("restored")
            yield* start("option", { timeout: "1 day" })
          }).pipe(Effect.provide(WorkflowTimeout.layer("3 days")))
          yield* Slow.start(undefined, { workflowId: "none" })
        }))
        const days = yield* use(Effect.forEach(["definition", "outer", "inner", "restored", "option", "none"], daysOf))
        assert.deepStrictEqual(days, [4, 3, 2, 3, 1, undefined])
      }
    )
  )

  for (const timeout of [0, -5, Number.NaN, Infinity, "1 fortnight"] as ReadonlyArray<any>) {
    claim(
      `a timeout of ${String(timeout)} is refused`,
      Effect.fnUntraced(function*(given) {
        const { use } = yield* given.client
        const option = yield* reasonOf(use(Slow.start(undefined, { timeout })))
        const scope = yield* reasonOf(use(Effect.provide(Slow.start(), WorkflowTimeout.layer(timeout))))
        assert.deepStrictEqual([option._tag, scope._tag], ["InvalidArgument", "InvalidArgument"])
        assert.throws(() => Workflow.make("W", { timeout }), /timeout/)
      })
    )
  }

  claim(
    "children inherit the deadline, unless they have their own or are detached",
    Effect.fnUntraced(function*(given) {
      const live = Slow.toLayer(() =>
        Effect.gen(function*() {
          yield* Limited.start(undefined, { workflowId: "own", timeout: "5 days" })
          yield* Echo.start({ n: 1 }, { workflowId: "inherits" })
          yield* Echo.start({ n: 1 }, { workflowId: "detached", detached: true })
          return null
        })
      )
      const { use } = yield* given.engine([live, ...lives])
      yield* use(Slow.execute(undefined, { workflowId: "p", timeout: "10 days" }))
      yield* use(reaches("inherits", "SUCCESS"))
      assert.deepStrictEqual(yield* use(Effect.forEach(["p", "own", "inherits", "detached"], daysOf)), [
        10,
        5,
        10,
        undefined
      ])
    })
  )

  claim(
    "a deadline that passes interrupts the running step and cancels children",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Slow.toLayer(() => Effect.as(Echo.execute({ n: 1 }, { workflowId: "child" }), null))
      const child = Echo.toLayer(() =>
        Step.run(
          "hangs",
          Effect.onInterrupt(Effect.andThen(log.add("began"), Effect.never), () => log.add("interrupted"))
        )
      )
      const { use } = yield* given.engine([live, child])
      yield* use(Slow.start(undefined, { workflowId: "p", timeout: "1 day" }))
      yield* log.has("began")
      yield* given.store.adjustClock(day)
      const reason = yield* reasonOf(use(Slow.handle("p").result))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "timeout"])
      yield* log.has("interrupted")
      yield* use(reaches("child", "CANCELLED"))
    })
  )
})

onBothStores("principals", (claim) => {
  const whoami = Effect.map(
    WorkflowContext.current,
    ({ assumedRole, roles, user }) => ({ user: user ?? null, roles, assumedRole: assumedRole ?? null })
  )
  const Who = Schema.Struct({
    user: Schema.NullOr(Schema.String),
    roles: Schema.Array(Schema.String),
    assumedRole: Schema.NullOr(Schema.String)
  })
  const Whoami = Workflow.make("Whoami", { success: Who })
  const Guarded = Workflow.make("Guarded", { success: Who, requiredRoles: ["owner", "admin"] })
  const ada = { user: "ada", roles: ["admin", "writer"] }

  claim(
    "scopes nest and are restored; steps see them; nobody is the default",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(Whoami.toLayer(() => Step.run("who", whoami)))
      const who = yield* use(
        Effect.all([
          Whoami.execute(),
          Effect.all([
            Whoami.execute(),
            Effect.provide(Whoami.execute(), Auth.layer({ user: "bob" })),
            Whoami.execute()
          ]).pipe(Effect.provide(Auth.layer(ada)))
        ])
      )
      const [nobody, [outer, inner, restored]] = who
      assert.deepStrictEqual(nobody, { user: null, roles: [], assumedRole: null })
      assert.deepStrictEqual([outer.user, inner.user, restored.user, outer.roles, inner.roles], [
        "ada",
        "bob",
        "ada",
        ada.roles,
        []
      ])
    })
  )

  claim(
    "required roles are checked before the start; the first that fits is assumed",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(Guarded.toLayer(() => whoami))
      const refused = yield* reasonOf(use(Guarded.execute()))
      const wrong = yield* reasonOf(
        use(Effect.provide(Guarded.execute(), Auth.layer({ user: "eve", roles: ["reader"] })))
      )
      assert.deepStrictEqual([refused._tag, refused.user, wrong.user], ["WorkflowUnauthorized", null, "eve"])
      assert.lengthOf((yield* use(Client.list())).workflows, 0)
      const who = yield* use(Effect.provide(Guarded.execute(undefined, { workflowId: "w" }), Auth.layer(ada)))
      assert.deepStrictEqual(who, { ...ada, assumedRole: "admin" })
      const info = yield* use(Client.get("w"))
      assert.deepStrictEqual([info.user, info.roles, info.assumedRole], ["ada", ada.roles, "admin"])
    })
  )

  claim(
    "children inherit the principal, which is there again in another engine",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.Array(Who) })
      const live = Parent.toLayer(() =>
        Effect.gen(function*() {
          yield* Effect.sleep(day)
          const child = yield* Guarded.execute()
          const other = yield* Effect.provide(Whoami.execute(), Auth.layer({ user: "bob" }))
          return [yield* whoami, child, other]
        })
      )
      const all = [live, Guarded.toLayer(() => whoami), Whoami.toLayer(() => whoami)]
      const first = yield* given.engine(all)
      yield* first.use(Effect.provide(Parent.start(undefined, { workflowId: "p" }), Auth.layer(ada)))
      yield* first.use(suspends("p"))
      yield* first.close
      yield* given.store.adjustClock(day)
      const second = yield* given.engine(all)
      const [parent, child, other] = yield* second.use(Parent.handle("p").result)
      assert.deepStrictEqual([parent, child, other?.user], [{ ...ada, assumedRole: null }, {
        ...ada,
        assumedRole: "admin"
      }, "bob"])
    })
  )

  claim(
    "an Auth, timeout or id layer around the application does not leak into workflows",
    Effect.fnUntraced(function*(given) {
      const around = Layer.mergeAll(
        Auth.layer({ user: "root", roles: ["admin"] }),
        WorkflowTimeout.layer("1 day"),
        WorkflowId.layer("leaked")
      )
      const Parent = Workflow.make("Parent", { success: Who })
      const live = Layer.mergeAll(
        Parent.toLayer(() => Effect.tap(whoami, () => Whoami.execute())),
        Whoami.toLayer(() => Step.run("who", whoami))
      ).pipe(Layer.provide(around))
      const { use } = yield* given.engine(live).pipe(Effect.provide(around))
      const who = yield* use(Parent.execute(undefined, { workflowId: "p" }))
      assert.deepStrictEqual(who, { user: null, roles: [], assumedRole: null })
      const child = yield* use(Client.get("p-0"))
      assert.deepStrictEqual([child.user, child.deadline, child.success], [undefined, undefined, who])
    })
  )
})

onBothStores("engines", (claim) => {
  claim(
    "a start whose write has no answer when the engine closes fails, and so does one that comes later",
    Effect.fnUntraced(function*(given) {
      const store = storeOf(given)
      const asked = yield* Deferred.make<void>()
      store.write = () => Effect.andThen(Deferred.succeed(asked, undefined), Effect.never)
      const engine = yield* given.engine(lives)
      const early = yield* Effect.forkChild(reasonOf(engine.use(Echo.start({ n: 1 }))))
      yield* Deferred.await(asked)
      yield* engine.close
      assert.strictEqual((yield* Fiber.join(early))._tag, "EngineStopped")
      assert.strictEqual((yield* reasonOf(engine.use(Echo.start({ n: 1 }))))._tag, "EngineStopped")
    })
  )

  claim(
    "a client starts, an executor elsewhere runs, the client gets the result",
    Effect.fnUntraced(function*(given) {
      const client = yield* given.client
      const handle = yield* client.use(Echo.start({ n: 1 }, { workflowId: "w" }))
      assert.strictEqual(yield* client.use(handle.status), "ENQUEUED")
      const timeout = yield* reasonOf(client.use(handle.resultWithin("10 millis")))
      assert.deepStrictEqual([timeout._tag, timeout.isRetryable], ["ResultTimeout", true])
      const waiting = yield* Effect.forkChild(client.use(handle.result))
      yield* given.engine(lives)
      assert.strictEqual(yield* Fiber.join(waiting), "w")
      assert.strictEqual(yield* client.use(Echo.execute({ n: 2 }, { workflowId: "x" })), "x")
    })
  )

  claim(
    "in a body a result is waited for so long, and again",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const Parent = Workflow.make("Parent", { success: Schema.Array(Schema.String) })
      const Slow = Workflow.make("Slow", { success: Schema.String })
      const lives = [
        Slow.toLayer(() => Effect.as(Effect.sleep("3 hours"), "slow")),
        Parent.toLayer(Effect.fnUntraced(function*() {
          const handle = yield* Effect.orDie(Slow.start())
          const within = handle.resultWithin("1 hour").pipe(
            Effect.catch((error) => Effect.succeed(String(error._tag === "WorkflowError" && error.reason._tag))),
            Effect.tap(log.add)
          )
          return [yield* within, yield* within, yield* Effect.orDie(handle.result)]
        }))
      ]
      const first = yield* given.engine(lives)
      yield* first.use(Parent.start(undefined, { workflowId: "w" }))
      for (let hours = 1; hours < 3; hours++) {
        yield* first.use(suspends("w"))
        yield* given.store.adjustClock(3_600_000)
        yield* log.has("ResultTimeout", hours)
      }
      yield* first.use(suspends("w"))
      yield* first.close
      yield* given.store.adjustClock(3_600_000)
      const second = yield* given.engine(lives)
      assert.deepStrictEqual(
        yield* second.use(Parent.handle("w").result),
        ["ResultTimeout", "ResultTimeout", "slow"]
      )
      assert.deepStrictEqual((yield* second.use(stepsOf("w"))).map((line) => line.split(" ")[1]), [
        "child",
        "result",
        "result",
        "result"
      ])
    })
  )

  claim(
    "in a body the limit on a result counts while no process is there, and what came in time has come",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent", { success: Schema.String })
      const Quick = Workflow.make("Quick", { success: Schema.String })
      const parent = Parent.toLayer(() =>
        Effect.orDie(
          Effect.flatMap(Quick.start(undefined, { workflowId: "q" }), (handle) => handle.resultWithin("1 hour"))
        )
      )
      const quick = Quick.toLayer(() => Effect.succeed("in time"))
      const first = yield* given.engine(parent)
      yield* first.use(Parent.start(undefined, { workflowId: "w" }))
      yield* first.use(suspends("w"))
      yield* first.close
      const other = yield* given.engine(quick)
      assert.strictEqual(yield* other.use(Quick.handle("q").result), "in time")
      yield* other.close
      yield* given.store.adjustClock(7_200_000)
      const second = yield* given.engine(parent)
      assert.strictEqual(yield* second.use(Parent.handle("w").result), "in time")
    })
  )

  claim(
    "a definition whose body is not here is enqueued",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(lives[0]!)
      yield* use(Other.start({ n: 1 }, { workflowId: "w" }))
      assert.strictEqual((yield* use(Client.get("w"))).status, "ENQUEUED")
    })
  )

  claim(
    "a handle of an unknown id fails with WorkflowNotFound at once",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(lives)
      const handle = Echo.handle("nowhere")
      for (
        const ask of [
          handle.result,
          handle.status,
          handle.info,
          handle.steps,
          handle.cancel,
          handle.resultWithin("1 hour")
        ]
      ) {
        assert.strictEqual(
          (yield* reasonOf(use(ask as Effect.Effect<unknown, any, Engine.Engine>)))._tag,
          "WorkflowNotFound"
        )
      }
      assert.throws(() => Echo.handle(""), /workflow id/)
    })
  )

  claim(
    "interrupting the caller of execute detaches it",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine(
        Echo.toLayer(() => Step.run("s", Effect.as(Effect.andThen(log.add("began"), log.has("go")), "done")))
      )
      const caller = yield* Effect.forkChild(use(Echo.execute({ n: 1 }, { workflowId: "w" })))
      yield* log.has("began")
      yield* Fiber.interrupt(caller)
      yield* log.add("go")
      assert.strictEqual(yield* use(Echo.handle("w").result), "done")
    })
  )

  claim(
    "registering a name twice is refused",
    Effect.fnUntraced(function*(given) {
      const exit = yield* Effect.exit(given.engine([lives[0]!, Echo.toLayer(() => Effect.succeed("other"))]))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(JSON.stringify(exit), "AlreadyRegistered")
    })
  )

  claim(
    "a name is free again when the layer of its body closes",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([])
      const once = (answer: string) =>
        use(Echo.execute({ n: 1 }).pipe(Effect.provide(Echo.toLayer(() => Effect.succeed(answer)))))
      assert.deepStrictEqual([yield* once("one"), yield* once("another")], ["one", "another"])
    })
  )

  claim(
    "two engines in one process are two engines, and share the store's work",
    Effect.fnUntraced(function*(given) {
      const [one, two] = [
        yield* given.engine(lives, { executorId: "one" }),
        yield* given.engine(lives, { executorId: "two" })
      ]
      const ids = yield* Effect.forEach([1, 2, 3, 4], (n) => (n % 2 ? one : two).use(Echo.execute({ n })), {
        concurrency: "unbounded"
      })
      assert.lengthOf(new Set(ids), 4)
      assert.deepStrictEqual((yield* two.use(Client.get(ids[0]!))).executorId, "one")
    })
  )

  claim(
    "a workflow without a success schema has no result, whatever its body returns",
    Effect.fnUntraced(function*(given) {
      const Nothing = Workflow.make("Nothing")
      const Odd = Workflow.make("Odd")
      const { use } = yield* given.engine([
        Nothing.toLayer(() => Effect.succeed([undefined, 1n]) as Effect.Effect<any>),
        Odd.toLayer(() => Effect.succeed("leak") as Effect.Effect<any>)
      ])
      assert.isUndefined(yield* use(Nothing.execute()))
      assert.isUndefined(yield* use(Odd.execute()))
    })
  )

  for (
    const [argument, options] of [
      ["heartbeat", { lease: "1 second", heartbeat: "600 millis" }],
      ["maxRunning", { maxRunning: 0 }],
      ["maxRunning", { maxRunning: 1.5 }],
      ["maxSteps", { maxSteps: Number.NaN }],
      ["lease", { lease: 0 }],
      ["poll", { poll: Infinity }],
      ["suspendAfter", { suspendAfter: -1 }],
      ["executorId", { executorId: "" }],
      ["version", { version: "a\nb" }]
    ] as const
  ) {
    claim(
      `Engine.layer refuses ${argument} of ${JSON.stringify(options)}`,
      Effect.fnUntraced(function*(given) {
        const reason = yield* reasonOf(given.engine([], options as Engine.Options))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument])
      }),
      "sqlite"
    )
  }

  for (
    const [argument, make] of [
      ["workflow name", () => Workflow.make("")],
      ["workflow name", () => Workflow.make("x".repeat(257))],
      ["maxRecoveryAttempts", () => Workflow.make("w", { maxRecoveryAttempts: -1 })],
      ["maxRecoveryAttempts", () => Workflow.make("w", { maxRecoveryAttempts: 1.5 })],
      ["maxRecoveryAttempts", () => Workflow.make("w", { maxRecoveryAttempts: 2 ** 31 })],
      ["required role", () => Workflow.make("w", { requiredRoles: [""] })]
    ] as const
  ) {
    claim(
      `Workflow.make refuses ${argument}: ${make.toString().slice(6)}`,
      () => Effect.sync(() => assert.throws(make, new RegExp(argument))),
      "sqlite"
    )
  }

  claim(
    "a payload that cannot be stored is refused before anything is written",
    Effect.fnUntraced(function*(given) {
      const Any = Workflow.make("Any", { payload: Schema.Struct({ deep: Schema.Array(Schema.Number) }) })
      const { use } = yield* given.client
      const wrong = yield* reasonOf(use(Any.start({ deep: [1, "no" as any] })))
      assert.deepStrictEqual([wrong._tag, wrong.path], ["Unencodable", "deep[1]"])
      assert.lengthOf((yield* use(Client.list())).workflows, 0)
    })
  )
})

/** How many bodies are in memory at once. */
class Crowd {
  most = 0
  private now = 0
  readonly counts = <A, E, R>(body: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      this.most = Math.max(this.most, ++this.now)
      return Effect.ensuring(body, Effect.sync(() => void this.now--))
    })
}

onBothStores("room", (claim) => {
  const unbounded = { concurrency: "unbounded" } as const
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)
  const echo = (crowd: Crowd) =>
    Echo.toLayer(({ n }) => crowd.counts(Step.run("s", Effect.as(Effect.sleep(1), `${n}`))))

  claim(
    "of a burst of starts no more bodies run at once than there is room for, and all come to their end",
    Effect.fnUntraced(function*(given) {
      const crowd = new Crowd()
      const { use } = yield* given.engine(echo(crowd), { maxRunning: 5 })
      const results = yield* use(Effect.forEach(numbers(50), (n) => Echo.execute({ n }), unbounded))
      assert.deepStrictEqual(results, numbers(50).map(String))
      assert.isAtMost(crowd.most, 5)
      // What was on its way has arrived: there is room again.
      assert.strictEqual(yield* use(Echo.execute({ n: 50 })), "50")
    })
  )

  claim(
    "of the children of many parents no more run at once than there is room for, and a parent that waits takes none",
    Effect.fnUntraced(function*(given) {
      const crowd = new Crowd()
      const Parent = Workflow.make("Parent", { payload: { n: Schema.Number }, success: Schema.Number })
      const parent = Parent.toLayer(({ n }) =>
        crowd.counts(Effect.map(
          Workflow.forEach(numbers(10), (i) => Echo.execute({ n: n * 10 + i }), unbounded),
          (results) => results.length
        )).pipe(Effect.orDie)
      )
      const { use } = yield* given.engine([echo(crowd), parent], { maxRunning: 3 })
      const results = yield* use(Effect.forEach(numbers(5), (n) => Parent.execute({ n }), unbounded))
      assert.deepStrictEqual(results, numbers(5).map(() => 10))
      assert.isAtMost(crowd.most, 3)
    })
  )
})
