/** Workflows seen and steered from outside. Every claim holds for an engine that runs workflows and for one that does not. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Auth from "perdure/Auth"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import type { End } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import type { WorkflowError } from "perdure/WorkflowError"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import { advance, attempt, entry, record, suspend } from "../conformance/builders.ts"
import { join, startOwned, submit } from "../conformance/verbs.ts"
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
    "what cannot be read of one is said to be unreadable, and breaks no list",
    Effect.fnUntraced(function*(given) {
      const { store } = given
      const { use } = yield* given.engine(quick)
      yield* use(Quick.execute({ n: 1 }, { workflowId: "good" }))
      yield* join(store, "i")
      const text = "{\"cut"
      const suspended = suspend({ waits: text })
      const settled = (status: "SUCCESS" | "ERROR"): End => ({ _tag: "Settle", status, output: text })
      for (
        const [id, end] of [["waits", suspended], ["fails", settled("ERROR")], ["ends", settled("SUCCESS")]] as const
      ) {
        yield* startOwned(store, id, "i", { payload: text })
        const kinds = ["step", "transaction", "result", "receive", "get event", "read stream"] as const
        yield* submit(
          store,
          advance(id, 1, {
            records: kinds.flatMap((kind, n) => [
              record(2 * n, { kind, value: text }),
              record(2 * n + 1, { kind, value: text, outcome: "failure" })
            ]),
            attempts: [attempt(99, 0, { error: text })],
            events: [{ key: "odd", value: text, codec: "json", stepId: 0 }],
            entries: [entry(0, { value: text })]
          })
        )
        yield* submit(store, advance(id, 1, { end }))
      }
      // Of one millisecond they are in the order of their ids.
      const { workflows } = yield* use(Client.list())
      const byId = new Map(workflows.map((info) => [info.workflowId, info]))
      const [good, waits, fails, ends] = ["good", "waits", "fails", "ends"].map((id) => byId.get(id))
      assert.strictEqual(workflows.length, 4)
      assert.strictEqual(good!.success, 2)
      assert.deepStrictEqual([waits!.payload, ends!.success], Array(2).fill({ unreadable: text }))
      assert.include(waits!.waits[0]!.what, text)
      assert.strictEqual(fails!.failure?.tag, "Unreadable")
      for (const { workflowId } of [waits!, fails!, ends!]) {
        assert.lengthOf(yield* use(Client.steps(workflowId)), 13)
        assert.lengthOf(yield* use(Client.events(workflowId)), 1)
        assert.lengthOf((yield* use(Client.stream(workflowId, "s"))).entries, 1)
        assert.strictEqual((yield* use(Client.explain(workflowId))).workflowId, workflowId)
      }
    })
  )

  claim(
    "steps tell the branch that they are in, in pages that are as long as asked for",
    Effect.fnUntraced(function*(given) {
      const live = Slow.toLayer(() =>
        Effect.gen(function*() {
          yield* Step.run("a/b %2F", Effect.succeed(1))
          yield* Workflow.forEach(["x/y", "z"], (item) => Step.run("inner", Effect.succeed(item)), {
            key: (item) => item
          })
        })
      )
      const { use } = yield* given.engine(live)
      yield* use(Slow.execute(undefined, { workflowId: "w" }))
      const steps = yield* use(Client.steps("w"))
      assert.deepStrictEqual(steps.map(({ branch, name, seq }) => [seq, ...branch, name]), [
        [1, "a/b %2F"],
        [2, "forEach", "x/y", "inner"],
        [3, "forEach", "z", "inner"]
      ])
      const page = yield* use(Client.steps("w", { after: 0, limit: 1 }))
      assert.deepStrictEqual(page, steps.slice(1, 2))
      assert.strictEqual((yield* reasonOf(use(Client.steps("w", { limit: 0 }))))._tag, "InvalidArgument")
      assert.strictEqual((yield* reasonOf(use(Client.steps("w", { after: 0.5 }))))._tag, "InvalidArgument")
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
    "steps show what the body got: a result, a message, an event, or why there was none",
    Effect.fnUntraced(function*(given) {
      const Word = Message.make("word", { payload: Schema.String })
      const Mood = WorkflowEvent.make("mood", { value: Schema.String })
      const live = Slow.toLayer(() =>
        Effect.gen(function*() {
          yield* Quick.handle("q").result
          yield* Effect.exit(Quick.handle("bad").result)
          yield* Effect.exit(Slow.handle("cancelled").result)
          yield* Effect.exit(Quick.handle("nobody").result)
          yield* Word.receive()
          yield* Word.receive({ timeout: 0 })
          yield* Mood.set("calm")
          yield* Mood.get("w")
        })
      )
      const { use } = yield* given.engine([quick, live])
      yield* use(Quick.execute({ n: 2 }, { workflowId: "q" }))
      yield* use(Effect.exit(Quick.execute({ n: -1 }, { workflowId: "bad" })))
      yield* use(Slow.start(undefined, { workflowId: "cancelled", delay: "1 day" }))
      yield* use(Client.cancel("cancelled"))
      const handle = yield* use(Slow.start(undefined, { workflowId: "w" }))
      yield* use(Word.send("w", "hello"))
      yield* use(handle.result)
      assert.deepStrictEqual(
        (yield* use(Client.steps("w"))).map(({ failure, kind, value }) => [kind, value, failure?.tag]),
        [
          ["result", 4, undefined],
          ["result", undefined, "Error"],
          ["result", undefined, "WorkflowCancelled"],
          ["result", undefined, "WorkflowNotFound"],
          ["receive", "hello", undefined],
          ["receive", undefined, undefined],
          ["event", "calm", undefined],
          ["get event", "calm", undefined]
        ]
      )
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
      ["order", { order: "sideways" as any }],
      ["status", { status: ["SUCCESS", "success" as any] }],
      ["ids", { ids: Array.from({ length: 1001 }, (_, n) => `w${n}`) }],
      ["name", { name: "a\u0000b" }],
      ["user", { user: 7 as any }],
      ["hasParent", { hasParent: "yes" as any }],
      ["attribute \"a\"", { attributes: { a: Number.NaN } }],
      ["completedTo", { completedTo: new Date(Number.NaN) }],
      ["limit", { limit: 1e9 }]
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

  claim(
    "looking at workflows, in whatever state, writes nothing",
    Effect.fnUntraced(function*(given) {
      const engine = yield* given.engine([quick, slow])
      yield* engine.use(Quick.execute({ n: 1 }, { workflowId: "done" }))
      yield* engine.use(Effect.exit(Quick.execute({ n: -1 }, { workflowId: "failed" })))
      yield* engine.use(Slow.start(undefined, { workflowId: "sleeps" }))
      yield* engine.use(suspends("sleeps"))
      yield* engine.close
      const { use } = yield* given.client
      yield* use(Quick.start({ n: 1 }, { workflowId: "delayed", delay: "1 hour" }))
      yield* use(WorkflowQueue.make("q").enqueue(Quick, { n: 1 }, { workflowId: "enqueued" }))
      yield* use(Message.make("topic").send("sleeps", undefined))

      const tables = yield* given.sql<{ name: string }>`SELECT format('%I.%I', table_schema, table_name) AS name
        FROM information_schema.tables WHERE table_schema LIKE 'perdure%' AND table_type = 'BASE TABLE'`
      assert.isNotEmpty(tables)
      const rows = Effect.forEach(
        tables,
        ({ name }) =>
          given.sql.unsafe(`SELECT t.xmin::text, t.ctid::text, t::text AS row FROM ${name} t ORDER BY t.ctid`)
      )
      const before = yield* rows
      const all = ["done", "failed", "sleeps", "delayed", "enqueued"]
      assert.sameMembers((yield* use(Client.list())).workflows.map(({ workflowId }) => workflowId), all)
      assert.strictEqual(yield* use(Client.count()), all.length)
      for (const id of all) {
        const look = [Client.get, Client.steps, Client.events, Client.messages, Client.streams, Client.explain]
        for (const one of look) yield* use(Effect.asVoid<unknown, WorkflowError, Engine>(one(id)))
      }
      yield* use(Effect.all([Client.executors, Client.queues.list, Client.schedules.list(), Client.versions.list]))
      assert.deepStrictEqual(yield* rows, before)
    }),
    "postgres"
  )
})

onBothStores("finding", (claim) => {
  claim(
    "list and count restrict by everything that a workflow has, and by all of it together",
    Effect.fnUntraced(function*(given) {
      const Parent = Workflow.make("Parent")
      const parent = Parent.toLayer(() => Effect.asVoid(Quick.execute({ n: 1 })))
      const queue = WorkflowQueue.make("q", { partitioned: true })
      const other = WorkflowQueue.make("other")
      const { use } = yield* given.engine([quick, slow, parent], { executorId: "here" })
      const ada = Auth.layer({ user: "ada" })
      yield* use(Quick.execute({ n: 1 }, { workflowId: "plain" }).pipe(Effect.provide(ada)))
      yield* use(Parent.execute(undefined, { workflowId: "parent" }))
      yield* given.store.adjustClock(day)
      yield* use(
        Effect.flatMap(
          queue.enqueue(Quick, { n: 2 }, {
            workflowId: "queued",
            partitionKey: "k",
            deduplicationId: "d",
            attributes: { kind: "a", size: 3, big: true }
          }),
          (handle) => handle.result
        )
      )
      yield* use(Effect.flatMap(other.enqueue(Quick, { n: 3 }, { workflowId: "other" }), (handle) => handle.result))
      yield* use(Quick.start({ n: 4 }, { workflowId: "versioned", version: "9", attributes: { kind: "b", size: 3 } }))
      const between = new Date((yield* given.store.now) - day / 2)
      const cases: ReadonlyArray<readonly [Client.Filter, ReadonlyArray<string>]> = [
        [{ ids: ["plain", "other", "nowhere"] }, ["other", "plain"]],
        [{ name: ["Parent", "Slow"] }, ["parent"]],
        [{ user: "ada" }, ["plain"]],
        [{ version: "9" }, ["versioned"]],
        [{ executorId: "here", hasParent: false }, ["other", "parent", "plain", "queued"]],
        [{ executorId: "elsewhere" }, []],
        [{ queue: "q" }, ["queued"]],
        [{ queue: ["q", "other"] }, ["other", "queued"]],
        [{ queued: true }, ["other", "queued"]],
        [{ queued: false }, ["parent", "parent-0", "plain", "versioned"]],
        [{ partitionKey: "k" }, ["queued"]],
        [{ deduplicationId: "d" }, ["queued"]],
        [{ hasParent: true }, ["parent-0"]],
        [{ parentId: "parent" }, ["parent-0"]],
        [{ attributes: { size: 3 } }, ["queued", "versioned"]],
        [{ attributes: { size: 3, kind: "a" } }, ["queued"]],
        [{ attributes: { size: "3" } }, []],
        [{ attributes: { big: true } }, ["queued"]],
        [{ schedule: "none" }, []],
        [{ forkedFrom: "plain" }, []],
        [{ wasForked: true }, []],
        [{ from: between }, ["other", "queued", "versioned"]],
        [{ to: between }, ["parent", "parent-0", "plain"]],
        [{ startedFrom: between }, ["other", "queued"]],
        [{ startedTo: between }, ["parent", "parent-0", "plain"]],
        [{ completedFrom: between }, ["other", "queued"]],
        [{ completedTo: between }, ["parent", "parent-0", "plain"]],
        [{ status: "SUCCESS", from: between, name: "Quick", queue: "other" }, ["other"]]
      ]
      for (const [filter, ids] of cases) {
        const page = yield* use(Client.list(filter))
        assert.deepStrictEqual(
          page.workflows.map((info) => info.workflowId).toSorted(),
          ids,
          JSON.stringify(filter)
        )
        assert.strictEqual(yield* use(Client.count(filter)), ids.length, JSON.stringify(filter))
      }
      assert.strictEqual(yield* use(Client.count({}, { limit: 2 })), 2)
      for (const limit of [0, 1.5, 10_000_001]) {
        assert.strictEqual((yield* reasonOf(use(Client.count({}, { limit }))))._tag, "InvalidArgument")
      }
    })
  )

  claim(
    "messages, events and streams of a workflow are seen from outside",
    Effect.fnUntraced(function*(given) {
      const Note = Message.make("note", { payload: Schema.Number })
      const Other = Message.make("other")
      const Progress = WorkflowEvent.make("progress", { value: Schema.Number })
      const Lines = WorkflowStream.make("lines", { value: Schema.String })
      const live = Slow.toLayer(Effect.fnUntraced(function*() {
        yield* Progress.set(1)
        yield* Lines.write("a")
        yield* Lines.write("b")
        yield* Lines.close
        yield* Note.receive()
        yield* Effect.sleep("1 day")
      }))
      const { use } = yield* given.engine(live)
      yield* use(Slow.start(undefined, { workflowId: "w" }))
      for (const n of [1, 2]) yield* use(Note.send("w", n))
      yield* use(Other.send("w"))
      yield* use(eventually("the first note to be received", Client.messages("w"), ({ length }) => length === 2))
      const messages = yield* use(Client.messages("w"))
      assert.deepStrictEqual(messages.map((one) => [one.topic, one.payload, one.receivedBy]), [
        ["note", 2, undefined],
        ["other", undefined, undefined]
      ])
      assert.lengthOf(yield* use(Client.messages("w", { received: true })), 3)
      assert.lengthOf(yield* use(Client.messages("w", { topic: "other" })), 1)
      const first = yield* use(Client.messages("w", { received: true, limit: 2 }))
      const rest = yield* use(Client.messages("w", { received: true, after: first[1]!.seq }))
      assert.deepStrictEqual([...first, ...rest].map(({ payload }) => payload), [1, 2, undefined])
      assert.deepStrictEqual(yield* use(Client.streams("w")), [{ key: "lines", entries: 3, closed: true }])
      assert.deepStrictEqual((yield* use(Client.events("w"))).map((one) => [one.key, one.value]), [["progress", 1]])
      assert.deepStrictEqual(yield* use(Client.events("w", { after: "progress", limit: 1 })), [])
      const wrong: ReadonlyArray<Effect.Effect<unknown, WorkflowError, Engine>> = [
        Client.messages("w", { limit: 1001 }),
        Client.messages("w", { after: -1 }),
        Client.events("w", { limit: 0 }),
        Client.events("w", { after: "a\u0000" }),
        Client.schedules.list({ limit: 0.5 }),
        Client.schedules.list({ after: "" })
      ]
      for (const one of wrong) assert.strictEqual((yield* reasonOf(use(one)))._tag, "InvalidArgument")
      const looks: ReadonlyArray<(id: string) => Effect.Effect<unknown, WorkflowError, Engine>> = [
        (id) => Client.messages(id),
        Client.streams,
        Client.events,
        Client.explain
      ]
      for (const look of looks) {
        assert.strictEqual((yield* reasonOf(use(look("nowhere"))))._tag, "WorkflowNotFound")
        assert.strictEqual((yield* reasonOf(use(look("a\u0000"))))._tag, "InvalidArgument")
      }
    })
  )
})

onBothStores("changing what waits", (claim) => {
  claim(
    "a delayed workflow's start is moved, to a duration, a time, or now",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([quick, slow])
      for (const id of ["a", "b", "c"]) yield* use(Quick.start({ n: 1 }, { workflowId: id, delay: "10 days" }))
      yield* use(Client.setDelay("a", 0))
      assert.strictEqual(yield* use(Quick.handle("a").result), 2)
      yield* use(Client.setDelay("b", "1 hour"))
      yield* use(Client.setDelay("c", new Date((yield* given.store.now) + day)))
      yield* given.store.adjustClock(day / 2)
      assert.strictEqual(yield* use(Quick.handle("b").result), 2)
      assert.strictEqual((yield* use(Client.get("c"))).status, "DELAYED")
      const reasons = yield* Effect.forEach(
        [
          Client.setDelay("a", 1),
          Client.setDelay("nowhere", 1),
          Client.setDelay("c", new Date(Number.NaN)),
          Client.setDelay("c", -1)
        ],
        (operation) => reasonOf(use(operation))
      )
      assert.deepStrictEqual(reasons.map(({ _tag }) => _tag), [
        "NotWaiting",
        "WorkflowNotFound",
        "InvalidArgument",
        "InvalidArgument"
      ])
    })
  )

  claim(
    "a waiting workflow overtakes others by its new priority",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const queue = WorkflowQueue.make("q", { concurrency: 1 })
      const live = Quick.toLayer(({ n }) => Effect.as(log.add(`${n}`), n))
      const { use } = yield* given.engine(live)
      yield* use(queue.enqueue(Quick, { n: 0 }, { workflowId: "w0" }))
      yield* use(Quick.handle("w0").result)
      yield* use(Client.queues.pause("q"))
      for (const n of [1, 2, 3]) yield* use(queue.enqueue(Quick, { n }, { workflowId: `w${n}` }))
      yield* use(Client.setPriority("w3", 5))
      assert.strictEqual((yield* use(Client.get("w3"))).priority, 5)
      yield* use(Client.queues.resume("q"))
      yield* use(Client.waitAll(["w1", "w2", "w3"]))
      assert.deepStrictEqual(log.entries, ["0", "3", "1", "2"])
      const reasons = yield* Effect.forEach(
        [Client.setPriority("w1", 1), Client.setPriority("nowhere", 1), Client.setPriority("w1", 0)],
        (operation) => reasonOf(use(operation))
      )
      assert.deepStrictEqual(reasons.map(({ _tag }) => _tag), ["NotWaiting", "WorkflowNotFound", "InvalidArgument"])
    })
  )

  claim(
    "a delayed workflow takes its new priority along into the queue",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const queue = WorkflowQueue.make("q", { concurrency: 1 })
      const live = Quick.toLayer(({ n }) => Effect.as(log.add(`${n}`), n))
      const { use } = yield* given.engine([live, queue.layer])
      yield* use(Client.queues.pause("q"))
      for (const n of [1, 2]) yield* use(queue.enqueue(Quick, { n }, { workflowId: `w${n}`, delay: "1 hour" }))
      yield* use(queue.enqueue(Quick, { n: 3 }, { workflowId: "w3", priority: 2 }))
      yield* use(Client.setPriority("w2", 5))
      const delayed = yield* use(Client.get("w2"))
      assert.deepStrictEqual([delayed.status, delayed.priority], ["DELAYED", 5])
      // In no queue there is no place, delayed or not.
      yield* use(Quick.start({ n: 4 }, { workflowId: "alone", delay: "1 day" }))
      assert.strictEqual((yield* reasonOf(use(Client.setPriority("alone", 5))))._tag, "NotWaiting")
      yield* given.store.adjustClock(day / 12)
      for (const id of ["w1", "w2"]) yield* use(reaches(id, "ENQUEUED"))
      yield* use(Client.queues.resume("q"))
      yield* use(Client.waitAll(["w1", "w2", "w3"]))
      assert.deepStrictEqual(log.entries, ["2", "3", "1"])
    })
  )

  claim(
    "attributes are replaced, in whatever state",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(quick)
      yield* use(Quick.execute({ n: 1 }, { workflowId: "w", attributes: { a: 1, b: "x" } }))
      yield* use(Client.setAttributes("w", { c: true }))
      assert.deepStrictEqual((yield* use(Client.get("w"))).attributes, { c: true })
      assert.strictEqual(yield* use(Client.count({ attributes: { a: 1 } })), 0)
      assert.strictEqual(yield* use(Client.count({ attributes: { c: true } })), 1)
      assert.strictEqual((yield* reasonOf(use(Client.setAttributes("nowhere", {}))))._tag, "WorkflowNotFound")
      assert.strictEqual((yield* reasonOf(use(Client.setAttributes("w", { a: null as any }))))._tag, "InvalidArgument")
    })
  )
})

onBothStores("queues, versions and executors, seen from outside", (claim) => {
  claim(
    "an operator's limits and pauses count at once, until they are given up",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("q", { concurrency: 1 })
      const { use } = yield* given.engine([slow, queue.layer])
      for (const id of ["a", "b", "c"]) yield* use(queue.enqueue(Slow, undefined, { workflowId: id }))
      yield* use(suspends("a"))
      const info = yield* use(Client.queues.get("q"))
      assert.deepStrictEqual(
        [info.limits.concurrency, info.overridden, info.paused, info.waiting, info.running],
        [1, false, false, 2, 1]
      )
      assert.isDefined(info.oldest)
      const client = yield* given.client
      yield* client.use(Client.queues.setLimits("q", { concurrency: 2 }))
      yield* use(suspends("b"))
      assert.strictEqual((yield* use(Client.queues.get("q"))).overridden, true)
      yield* client.use(Client.queues.pause("q"))
      yield* client.use(Client.cancel("a"))
      assert.strictEqual((yield* use(Client.get("c"))).status, "ENQUEUED")
      yield* client.use(Client.queues.resume("q"))
      yield* use(suspends("c"))
      yield* client.use(Client.queues.resetLimits("q"))
      assert.strictEqual((yield* use(Client.queues.get("q"))).overridden, false)
      assert.include((yield* use(Client.queues.list)).map((one) => one.name), "q")

      const occupied = yield* reasonOf(use(Client.queues.delete("q")))
      assert.deepStrictEqual([occupied._tag, occupied.why], ["QueueRefused", "occupied"])
      yield* use(Client.cancel(["b", "c"]))
      yield* use(Client.queues.delete("q"))
      for (
        const operation of [
          Client.queues.get("q"),
          Client.queues.setLimits("q", {}),
          Client.queues.resetLimits("q"),
          Client.queues.pause("q"),
          Client.queues.resume("q"),
          Client.queues.delete("q")
        ]
      ) {
        const reason = yield* reasonOf(use(operation as Effect.Effect<unknown, never, never>))
        assert.deepStrictEqual([reason._tag, reason.why], ["QueueRefused", "unknown"])
      }
      // It is there again as soon as it is used.
      assert.strictEqual(yield* use(Effect.map(queue.enqueue(Slow), (handle) => typeof handle.workflowId)), "string")
    })
  )

  claim(
    "limits that make no sense are refused, and whether a queue is partitioned stays with its code",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("q")
      const { use } = yield* given.engine(queue.layer)
      for (
        const [argument, limits] of [
          ["concurrency", { concurrency: 0 }],
          ["executorConcurrency", { concurrency: 1, executorConcurrency: 2 }],
          ["rateLimit.limit", { rateLimit: { limit: 0.5, period: "1 second" } }],
          ["partitioned", { partitioned: true }]
        ] as const
      ) {
        const reason = yield* reasonOf(use(Client.queues.setLimits("q", limits)))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument])
      }
    })
  )

  claim(
    "versions are listed, and one can be made the latest again",
    Effect.fnUntraced(function*(given) {
      const live = Quick.toLayer(() =>
        Effect.map(WorkflowContext.current, (context) => Number(context.applicationVersion))
      )
      const first = yield* given.engine(live, { version: "1", executorId: "one" })
      assert.strictEqual((yield* first.use(Client.versions.latest))?.version, "1")
      const second = yield* given.engine(live, { version: "2", executorId: "two" })
      assert.deepStrictEqual((yield* second.use(Client.versions.list)).map((one) => one.version), ["2", "1"])
      yield* second.use(Client.versions.setLatest("1"))
      assert.strictEqual((yield* second.use(Client.versions.latest))?.version, "1")
      assert.strictEqual(yield* second.use(Quick.execute({ n: 0 }, { version: "" })), 1)
      const unknown = yield* reasonOf(second.use(Client.versions.setLatest("3")))
      assert.deepStrictEqual([unknown._tag, unknown.argument], ["InvalidArgument", "version"])

      const executors = yield* second.use(
        eventually(
          "both to have said what they serve",
          Client.executors,
          (all) => all.filter((one) => one.served.some(({ name }) => name === "Quick")).length === 2
        )
      )
      assert.deepStrictEqual(
        executors.map((one) => [one.executorId, one.version, one.state, one.queues]).toSorted(),
        [["one", "1", "alive", null], ["two", "2", "alive", null]]
      )
    })
  )
})

onBothStores("in a body", (claim) => {
  claim(
    "looking and steering are refused, since nothing is recorded; in a step they work",
    Effect.fnUntraced(function*(given) {
      const Body = Workflow.make("Body", { success: Schema.Array(Schema.String) })
      const body = Body.toLayer(() =>
        Effect.gen(function*() {
          const reasons: Array<string> = []
          for (
            const operation of [
              Client.get("q"),
              Client.list(),
              Client.cancel("q"),
              Client.cancelAll({ name: "Quick" }),
              Client.explain("q"),
              Client.queues.list,
              Client.schedules.list(),
              Client.versions.latest,
              Quick.handle("q").status,
              Quick.handle("q").cancel
            ]
          ) reasons.push((yield* reasonOf(operation as Effect.Effect<unknown, never, Engine>))._tag)
          reasons.push(yield* Step.run("look", Effect.map(Client.get("q"), (info) => info.status)))
          return reasons
        })
      )
      const { use } = yield* given.engine([quick, body])
      yield* use(Quick.execute({ n: 1 }, { workflowId: "q" }))
      assert.deepStrictEqual(yield* use(Body.execute()), [...Array.from({ length: 10 }, () => "NotInBody"), "SUCCESS"])
    })
  )

  claim(
    "waitFirst and waitAll are recorded, and a replay sees the same",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const Body = Workflow.make("Body", { success: Schema.String })
      const live = (end: Effect.Effect<void>) =>
        Body.toLayer(() =>
          Effect.gen(function*() {
            const first = yield* Client.waitFirst(["s", "q", Quick.handle("bad")])
            yield* Client.waitAll(["q", "bad"])
            yield* Step.run("note", log.add(first))
            yield* Step.run("end", end)
            return first
          })
        )
      const one = yield* given.engine([quick, slow, live(Effect.never)])
      yield* one.use(Slow.start(undefined, { workflowId: "s" }))
      yield* one.use(Effect.exit(Quick.execute({ n: -1 }, { workflowId: "bad" })))
      yield* one.use(Quick.start({ n: 1 }, { workflowId: "q", delay: "1 hour" }))
      yield* one.use(Body.start(undefined, { workflowId: "b" }))
      yield* one.use(suspends("b"))
      yield* one.use(Client.setDelay("q", 0))
      yield* log.has("bad")
      yield* one.close
      const two = yield* given.engine([quick, slow, live(Effect.void)])
      assert.strictEqual(yield* two.use(Body.handle("b").result), "bad")
      assert.deepStrictEqual(log.entries, ["bad"])
    })
  )
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

  claim(
    "what is cancelled and being undone cannot be resumed, and says so",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const gate = yield* Deferred.make<void>()
      const live = Slow.toLayer(() =>
        Effect.andThen(
          Step.run("reserve", log.add("reserve"), {
            rollback: () => Effect.andThen(log.add("release"), Deferred.await(gate))
          }),
          Effect.sleep("1 day")
        )
      )
      const { use } = yield* given.engine(live)
      yield* use(Slow.start(undefined, { workflowId: "w" }))
      yield* use(recorded("w", 1))
      yield* use(Client.cancel("w"))
      yield* log.has("release")
      const undoing = yield* reasonOf(use(Client.resume("w")))
      assert.deepStrictEqual([undoing._tag, undoing.status], ["NotResumable", "CANCELLED"])
      assert.match(undoing.detail, /its rollbacks have begun/)
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual((yield* reasonOf(use(Slow.handle("w").result)))._tag, "WorkflowCancelled")
      const undone = yield* reasonOf(use(Client.resume("w")))
      assert.match(undone.detail, /its rollbacks have run/)
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
    "waiting refuses what cannot be an id",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([])
      for (const id of ["", "a\0", "\ud800", "x".repeat(513)]) {
        for (const wait of [Client.result(id), Client.waitFirst([id]), Client.waitAll([id])]) {
          assert.strictEqual((yield* reasonOf(use(wait)))._tag, "InvalidArgument")
        }
      }
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
