/** Workflows seen and steered from outside. Every claim holds for an engine that runs workflows and for one that does not. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "./harness.ts"
import { eventually, Log, reaches, reasonOf, recorded, suspends } from "./observing.ts"

const day = 86_400_000
const Quick = Workflow.make("Quick", { payload: { n: Schema.Number }, success: Schema.Number })
const Slow = Workflow.make("Slow")
const quick = Quick.toLayer(({ n }) =>
  n < 0 ? Effect.die(new Error("negative")) : Step.run("double", Effect.succeed(n * 2))
)
const slow = Slow.toLayer(() => Effect.sleep("1 day"))

onBothStores("looking", (claim) => {
  claim(
    "get tells everything of a workflow that is done",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine(quick, { executorId: "here" })
      yield* engine.use(Quick.execute({ n: 2 }, { workflowId: "w", timeout: "1 hour" }))
      const client = yield* given.client
      const info = yield* client.use(Client.get("w"))
      assert.deepStrictEqual(
        [info.workflowId, info.name, info.version, info.status, info.payload, info.success, info.executorId],
        ["w", "Quick", "", "SUCCESS", { n: 2 }, 4, "here"]
      )
      assert.deepStrictEqual([info.failure, info.reason, info.waits, info.recoveryAttempts], [
        undefined,
        undefined,
        [],
        0
      ])
      assert.isTrue(info.createdAt <= info.completedAt! && info.startedAt! <= info.completedAt!)
      assert.strictEqual((yield* reasonOf(client.use(Client.get("nowhere"))))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "steps come in the order of calls, with values, failures, kinds and children",
    Effect.fnUntraced(function*(given) {
      const live = Slow.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run("value", Effect.succeed({ a: [1] }))
          yield* Effect.exit(Step.run("fails", Effect.fail(new Error("no"))))
          yield* Quick.execute({ n: 1 })
          yield* Workflow.now()
        })
      )
      const { use } = yield* given.engine([quick, live])
      yield* use(Slow.execute(undefined, { workflowId: "w" }))
      const steps = yield* use(Client.steps("w"))
      assert.deepStrictEqual(steps.map((step) => [step.stepId, step.kind, step.name, step.outcome]), [
        [0, "step", "value", "success"],
        [1, "step", "fails", "failure"],
        [2, "child", "Quick", "success"],
        [3, "result", "result of Quick", "success"],
        [4, "now", "now", "success"]
      ])
      assert.deepStrictEqual([steps[0]?.value, steps[1]?.failure?.message, steps[2]?.childId], [
        { a: [1] },
        "no",
        "w-2"
      ])
      assert.isTrue(steps.every((step) => step.startedAt <= step.completedAt!))
      assert.strictEqual((yield* reasonOf(use(Client.steps("nowhere"))))._tag, "WorkflowNotFound")
    })
  )

  claim(
    "list filters by status, name, prefix, parent and time, and pages both ways",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent")
      const parent = Parent.toLayer(() => Effect.asVoid(Quick.execute({ n: 1 })))
      const { use } = yield* given.engine([quick, slow, parent])
      const ids = (options: Client.ListOptions) =>
        Effect.map(use(Client.list(options)), ({ workflows }) => workflows.map((info) => info.workflowId).toSorted())
      for (let n = 0; n < 5; n++) yield* use(Quick.execute({ n }, { workflowId: `q_${n}` }))
      yield* use(Effect.exit(Quick.execute({ n: -1 }, { workflowId: "q%bad" })))
      const between = new Date((yield* given.store.now) + 1)
      yield* eventually("the clock to move on", given.store.now, (now) => now > between.getTime())
      yield* use(Slow.start(undefined, { workflowId: "s" }))
      yield* use(Parent.execute(undefined, { workflowId: "p" }))

      assert.deepStrictEqual(yield* ids({ name: "Slow" }), ["s"])
      assert.deepStrictEqual(yield* ids({ status: "ERROR" }), ["q%bad"])
      assert.deepStrictEqual(yield* ids({ status: ["ERROR", "PENDING"] }), ["q%bad", "s"])
      assert.deepStrictEqual(yield* ids({ status: [] }), [])
      assert.deepStrictEqual(yield* ids({ idPrefix: "q_" }), ["q_0", "q_1", "q_2", "q_3", "q_4"])
      assert.deepStrictEqual(yield* ids({ idPrefix: "q%" }), ["q%bad"])
      assert.deepStrictEqual(yield* ids({ parentId: "p" }), ["p-0"])
      assert.deepStrictEqual(yield* ids({ from: between }), ["p", "p-0", "s"])
      assert.lengthOf(yield* ids({ to: between }), 6)
      assert.lengthOf(yield* ids({}), 9)

      for (const order of ["asc", "desc"] as const) {
        const seen: Array<string> = []
        let cursor: string | undefined = undefined
        do {
          const page: Client.Page = yield* use(
            Client.list({ order, limit: 2, ...(cursor === undefined ? {} : { cursor }) })
          )
          assert.isAtMost(page.workflows.length, 2)
          seen.push(...page.workflows.map((info) => info.workflowId))
          cursor = page.cursor
        } while (cursor !== undefined)
        assert.strictEqual(new Set(seen).size, 9)
        assert.strictEqual(seen.length, 9)
        const first = order === "asc" ? seen[0] : seen[8]
        assert.strictEqual(first, "q_0")
      }
    })
  )

  for (
    const [argument, options] of [
      ["limit", { limit: 0 }],
      ["limit", { limit: 1001 }],
      ["limit", { limit: 1.5 }],
      ["from", { from: new Date(Number.NaN) }],
      ["cursor", { cursor: "nonsense" }],
      ["status", { status: "RUNNING" as any }],
      ["order", { order: "sideways" as any }]
    ] as const
  ) {
    claim(
      `list refuses ${argument} of ${JSON.stringify(options)}`,
      Effect.fnUntraced(function*(given) {
        const { use } = yield* given.client
        const reason = yield* reasonOf(use(Client.list(options)))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument])
      })
    )
  }
})

onBothStores("cancelling and resuming", (claim) => {
  claim(
    "cancel interrupts a running step, wherever it runs, and cannot be taken back",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const live = Slow.toLayer(() =>
        Effect.asVoid(Step.run(
          "hangs",
          Effect.onInterrupt(Effect.andThen(log.add("began"), Effect.never), () => log.add("interrupted"))
        ))
      )
      yield* given.engine(live)
      const client = yield* given.client
      yield* client.use(Slow.start(undefined, { workflowId: "w" }))
      yield* log.has("began")
      yield* client.use(Client.cancel("w"))
      yield* log.has("interrupted")
      const info = yield* client.use(Client.get("w"))
      assert.deepStrictEqual([info.status, (info.reason as any).by], ["CANCELLED", "user"])
    })
  )

  claim(
    "cancel leaves workflows that are done as they are, and tells of an unknown id",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([quick, slow])
      yield* use(Quick.execute({ n: 1 }, { workflowId: "done" }))
      yield* use(Slow.start(undefined, { workflowId: "slow" }))
      yield* use(Client.cancel("done"))
      assert.strictEqual((yield* use(Client.get("done"))).status, "SUCCESS")
      const reason = yield* reasonOf(use(Client.cancel(["nowhere", "slow", "done"])))
      assert.deepStrictEqual([reason._tag, reason.workflowId], ["WorkflowNotFound", "nowhere"])
      yield* use(reaches("slow", "CANCELLED"))
      yield* use(Client.cancel("slow"))
      yield* use(Client.cancel([]))
    })
  )

  claim(
    "an enqueued workflow is cancelled before it ever runs",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const client = yield* given.client
      yield* client.use(Slow.start(undefined, { workflowId: "w" }))
      yield* client.use(Client.cancel("w"))
      const { use } = yield* given.engine([quick, Slow.toLayer(() => log.add("ran"))])
      assert.strictEqual((yield* reasonOf(use(Slow.handle("w").result)))._tag, "WorkflowCancelled")
      yield* use(Quick.execute({ n: 1 }))
      assert.deepStrictEqual(log.entries, [])
    })
  )

  claim(
    "cancel takes children along, however deep, unless they are detached or it is told not to",
    Effect.fnUntraced(
      function*(given) {
        const Middle = Workflow.make("Middle")
        const Top = Workflow.make("Top", { payload: { id: Schema.String } })
        const middle = Middle.toLayer(() => Slow.execute())
        const top = Top.toLayer(({ id }) =>
          Effect.andThen(Slow.start(undefined, { workflowId: `${id} detached`, detached: true }), Middle.execute())
        )
        const { use } = yield* given.engine([slow, middle, top])
        for (const id of ["with", "without"]) {
          yield* use(Top.start({ id }, { workflowId: id }))
          yield* use(suspends(`${id}-1-0`))
        }
        yield* use(Client.cancel("with"))
        yield* use(Client.cancel("without", { children: false }))
        for (const id of ["with", "with-1", "with-1-0", "without"]) yield* use(reaches(id, "CANCELLED"))
        assert.strictEqual(((yield* use(Client.get("with-1-0"))).reason as any).by, "parent")
        for (const id of ["with detached", "without detached", "without-1", "without-1-0"]) {
          assert.strictEqual((yield* use(Client.get(id))).status, "PENDING", id)
        }
      }
    )
  )

  claim(
    "resume goes on after the recorded steps; what cannot be resumed says why",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      let held = true
      const live = Slow.toLayer(() =>
        Effect.andThen(
          Step.run("first", log.add("first")),
          Effect.asVoid(
            Step.run(
              "second",
              Effect.suspend(() => Effect.andThen(log.add("second"), held ? Effect.never : Effect.void))
            )
          )
        )
      )
      const { use } = yield* given.engine([quick, live])
      yield* use(Slow.start(undefined, { workflowId: "w" }))
      yield* use(recorded("w", 1))
      yield* log.has("second")
      yield* use(Client.cancel("w"))
      held = false
      yield* use(Client.resume("w"))
      yield* use(Slow.handle("w").result)
      assert.deepStrictEqual(log.entries, ["first", "second", "second"])
      const done = yield* reasonOf(use(Client.resume("w")))
      assert.deepStrictEqual([done._tag, done.status], ["NotResumable", "SUCCESS"])
      assert.strictEqual((yield* reasonOf(use(Client.resume("nowhere"))))._tag, "WorkflowNotFound")
    })
  )
})

onBothStores("waiting", (claim) => {
  claim(
    "result gives the encoded result, waits, and gives up in time",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([quick, slow])
      yield* use(Quick.execute({ n: 4 }, { workflowId: "q" }))
      yield* use(Slow.start(undefined, { workflowId: "s" }))
      assert.strictEqual(yield* use(Client.result("q")), 8)
      const late = yield* reasonOf(use(Client.result("s", { timeout: "10 millis" })))
      assert.strictEqual(late._tag, "ResultTimeout")
      const unknown = yield* reasonOf(use(Client.result("nowhere", { timeout: "1 hour" })))
      assert.strictEqual(unknown._tag, "WorkflowNotFound")
      for (const timeout of [0, "-1 second" as any]) {
        assert.strictEqual((yield* reasonOf(use(Client.result("q", { timeout }))))._tag, "InvalidArgument")
      }
    })
  )

  claim(
    "many wait for one; one that is interrupted leaves the others",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(slow)
      const client = yield* given.client
      yield* use(Slow.start(undefined, { workflowId: "s" }))
      const waiting = yield* Effect.forEach(
        Array.from({ length: 500 }, (_, n) => n),
        (n) => Effect.forkChild((n % 2 ? client : { use }).use(Client.result("s")))
      )
      yield* use(suspends("s"))
      yield* Fiber.interrupt(waiting[0]!)
      yield* given.store.adjustClock(day)
      for (const fiber of waiting.slice(1)) yield* Fiber.join(fiber)
    })
  )

  claim(
    "waitFirst returns the first that is done, however it ended",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([quick, slow])
      yield* use(Slow.start(undefined, { workflowId: "s1" }))
      yield* use(Slow.start(undefined, { workflowId: "s2" }))
      const waiting = yield* Effect.forkChild(use(Client.waitFirst(["s1", "s2"])))
      yield* use(suspends("s2"))
      yield* use(Client.cancel("s2"))
      assert.strictEqual(yield* Fiber.join(waiting), "s2")
      yield* use(Effect.exit(Quick.execute({ n: -1 }, { workflowId: "bad" })))
      assert.strictEqual(yield* use(Client.waitFirst(["s1", "bad"])), "bad")
    })
  )

  claim(
    "waitFirst refuses nothing to wait for, duplicates and unknown ids",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(slow)
      yield* use(Slow.start(undefined, { workflowId: "s" }))
      const reasons = yield* Effect.forEach(
        [[], ["s", "s"], ["s", "nowhere"]],
        (ids) => reasonOf(use(Client.waitFirst(ids)))
      )
      assert.deepStrictEqual(reasons.map((reason) => reason._tag), [
        "InvalidArgument",
        "InvalidArgument",
        "WorkflowNotFound"
      ])
    })
  )

  claim(
    "a blocked workflow's waiters are told outside; a parent waits until it is mended",
    Effect.fnUntraced(
      function*(given) {
        const Parent = Workflow.make("Parent")
        const live = (name: string, ends: Effect.Effect<void>) => [
          Slow.toLayer(() => Effect.andThen(Step.run(name, Effect.void), Effect.asVoid(Step.run("end", ends)))),
          Parent.toLayer(() => Slow.execute(undefined, { workflowId: "w" }))
        ]
        const first = yield* given.engine(live("a", Effect.never))
        yield* first.use(Parent.start(undefined, { workflowId: "p" }))
        yield* first.use(reaches("w", "PENDING"))
        yield* first.use(recorded("w", 1))
        yield* first.close
        const second = yield* given.engine(live("b", Effect.void))
        const told = yield* reasonOf(second.use(Slow.handle("w").result))
        assert.strictEqual(told._tag, "WorkflowBlocked")
        assert.deepStrictEqual([told.expected, told.actual], [`step "a" (step 0)`, `step "b"`])
        assert.strictEqual(
          (yield* reasonOf(second.use(Client.result("p", { timeout: "50 millis" }))))._tag,
          "ResultTimeout"
        )
        yield* second.close
        const third = yield* given.engine(live("a", Effect.void))
        yield* third.use(Client.resume("w"))
        yield* third.use(Parent.handle("p").result)
      }
    )
  )
})
