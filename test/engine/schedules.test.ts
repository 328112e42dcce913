/** Schedules: one workflow per tick, whatever becomes of executors; made, changed, paused and fired by hand. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Auth from "perdure/Auth"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import type { StepFailed } from "perdure/StepFailed"
import { StoreError, StoreUnavailable } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowSchedule from "perdure/WorkflowSchedule"
import { type Given, onBothStores, storeOf } from "./harness.ts"
import { eventually, Log, reaches, reasonOf, suspends } from "./observing.ts"

const minute = 60_000
const hour = 60 * minute

const Report = Workflow.make("Report", { payload: { kind: Schema.String }, success: Schema.String })
const Long = Workflow.make("Long")

const hourly = WorkflowSchedule.make("hourly", { workflow: Report, payload: { kind: "sum" }, cron: "0 * * * *" })

/** Says which tick it is of, as its body learns it. */
const report = (log: Log, then: Effect.Effect<unknown, StepFailed> = Effect.void) =>
  Report.toLayer(Effect.fnUntraced(function*({ kind }) {
    const { schedule } = yield* WorkflowContext.current
    const tick = `${kind} ${schedule?.name} ${schedule?.scheduledAt.toISOString()}`
    yield* Step.run("note", log.add(tick))
    yield* then
    return tick
  }))
const long = Long.toLayer(() => Effect.sleep("10000 days"))

/** Moves the store's clock to a time. */
const moveTo = (given: Given, to: number) => Effect.flatMap(given.store.now, (now) => given.store.adjustClock(to - now))

/** The next full hour from now on, by the store's clock. */
const nextHour = (given: Given) => Effect.map(given.store.now, (now) => Math.ceil((now + 1) / hour) * hour)

/** Moves the store's clock away from a full hour: none comes by itself while a test counts them. */
const offTheHour = (given: Given) => Effect.flatMap(nextHour(given), (next) => moveTo(given, next + 10 * minute))

const iso = (ms: number) => new Date(ms).toISOString()

const ofSchedule = (name: string) =>
  Effect.map(
    Client.list({ schedule: name, order: "asc", limit: 1000 }),
    ({ workflows }) => workflows.map((info) => info.workflowId).toSorted()
  )

/** Waits until the schedule has passed this tick. */
const passed = (name: string, tick: number) =>
  eventually(
    `"${name}" to have passed ${iso(tick)}`,
    Client.schedules.get(name),
    ({ nextFire }) => nextFire !== undefined && nextFire.getTime() > tick
  )

/** Makes something happen just before the next change of a schedule is written. */
const beforeChange = (given: Given, first: Effect.Effect<unknown>) => {
  const store = storeOf(given)
  const { writeSchedule } = store
  store.writeSchedule = (...change) => {
    store.writeSchedule = writeSchedule
    return Effect.andThen(first, writeSchedule(...change))
  }
}

onBothStores("ticks", (claim) => {
  claim(
    "a tick starts one workflow, that knows its time, for any number of executors",
    Effect.fnUntraced(function*(given) {
      yield* offTheHour(given)
      const log = new Log()
      const engines = yield* Effect.forEach([1, 2, 3], () => given.engine(Layer.mergeAll(report(log), hourly.layer)))
      const { use } = engines[0]!
      const first = yield* nextHour(given)
      for (let n = 0; n < 4; n++) {
        yield* moveTo(given, first + n * hour + 5)
        yield* use(reaches(`hourly/${iso(first + n * hour)}`, "SUCCESS"))
      }
      assert.deepStrictEqual(
        yield* use(ofSchedule("hourly")),
        [0, 1, 2, 3].map((n) => `hourly/${iso(first + n * hour)}`)
      )
      assert.deepStrictEqual(log.entries.toSorted(), [0, 1, 2, 3].map((n) => `sum hourly ${iso(first + n * hour)}`))
      const info = yield* use(Client.get(`hourly/${iso(first)}`))
      assert.deepStrictEqual([info.schedule, info.scheduledAt?.getTime(), info.version], ["hourly", first, ""])
      const schedule = yield* use(Client.schedules.get("hourly"))
      assert.deepStrictEqual(
        [schedule.nextFire?.getTime(), schedule.lastFire?.getTime(), schedule.lastWorkflowId],
        [first + 4 * hour, first + 3 * hour, `hourly/${iso(first + 3 * hour)}`]
      )
    })
  )

  claim(
    "the tick's time is there again after a recovery",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const first = yield* given.engine(
        Layer.mergeAll(report(log, Step.run("hangs", Effect.never)), hourly.layer)
      )
      const tick = yield* nextHour(given)
      yield* moveTo(given, tick + 5)
      const entry = `sum hourly ${iso(tick)}`
      yield* log.has(entry)
      yield* first.close
      const second = yield* given.engine(report(log, Step.run("hangs", Effect.void)))
      assert.strictEqual(yield* second.use(Report.handle(`hourly/${iso(tick)}`).result), entry)
      assert.strictEqual(log.count(entry), 1)
    })
  )

  claim(
    "after an outage a schedule skips, takes the latest, or as many as it may, and goes on",
    Effect.fnUntraced(function*(given) {
      const client = yield* given.client
      const policies = { skip: "skip", latest: "latest", three: { all: 3 } } as const
      for (const [name, missed] of Object.entries(policies)) {
        yield* client.use(Client.schedules.create(name, { workflow: Long, interval: "1 hour", missed }))
      }
      const first = yield* nextHour(given)
      yield* moveTo(given, first + 9 * hour + 10 * minute)
      const { use } = yield* given.engine(long)
      for (const name of Object.keys(policies)) yield* use(passed(name, first + 9 * hour))
      assert.deepStrictEqual(yield* use(ofSchedule("skip")), [])
      assert.deepStrictEqual(yield* use(ofSchedule("latest")), [`latest/${iso(first + 9 * hour)}`])
      assert.deepStrictEqual(yield* use(ofSchedule("three")), [7, 8, 9].map((n) => `three/${iso(first + n * hour)}`))
      yield* moveTo(given, first + 10 * hour + 5)
      for (const name of Object.keys(policies)) {
        yield* use(
          eventually(
            `the next tick of ${name}`,
            ofSchedule(name),
            (ids) => ids.includes(`${name}/${iso(first + 10 * hour)}`)
          )
        )
      }
    })
  )

  claim(
    "a tick while the latest workflow goes on starts another, none, or cancels that one",
    Effect.fnUntraced(function*(given) {
      yield* offTheHour(given)
      const overlaps = ["allow", "skip", "cancel"] as const
      const layers = overlaps.map((overlap) =>
        WorkflowSchedule.make(overlap, { workflow: Long, cron: "0 * * * *", overlap }).layer
      )
      const { use } = yield* given.engine([long, ...layers])
      const first = yield* nextHour(given)
      yield* moveTo(given, first + 5)
      for (const name of overlaps) yield* use(suspends(`${name}/${iso(first)}`))
      // Twice: what was passed over the first time must not hide what still goes on.
      for (let n = 1; n <= 2; n++) {
        yield* moveTo(given, first + n * hour + 5)
        for (const name of overlaps) yield* use(passed(name, first + n * hour))
      }
      const all = (name: string) => [0, 1, 2].map((n) => `${name}/${iso(first + n * hour)}`)
      assert.deepStrictEqual(yield* use(ofSchedule("allow")), all("allow"))
      assert.deepStrictEqual(yield* use(ofSchedule("skip")), [`skip/${iso(first)}`])
      assert.deepStrictEqual(yield* use(ofSchedule("cancel")), all("cancel"))
      yield* use(reaches(`cancel/${iso(first)}`, "CANCELLED"))
      yield* use(reaches(`cancel/${iso(first + hour)}`, "CANCELLED"))
      yield* use(reaches(`cancel/${iso(first + 2 * hour)}`, "PENDING"))
      // Once it has ended, the next tick starts one.
      yield* use(Client.cancel(`skip/${iso(first)}`))
      yield* moveTo(given, first + 3 * hour + 5)
      yield* use(reaches(`skip/${iso(first + 3 * hour)}`, "PENDING"))
    })
  )

  claim(
    "what has the deduplication id of a schedule and is not of it is not cancelled by its ticks",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("reports")
      const { use } = yield* given.engine(long, { queues: [queue] })
      yield* use(queue.enqueue(Long, undefined, { workflowId: "other", deduplicationId: "report" }))
      yield* use(Client.schedules.create("s", {
        workflow: Long,
        cron: "0 * * * *",
        overlap: "cancel",
        queue,
        deduplicationId: "report"
      }))
      const first = yield* nextHour(given)
      for (const tick of [first, first + hour]) {
        yield* moveTo(given, tick + 5)
        yield* use(passed("s", tick))
      }
      assert.strictEqual((yield* use(Client.get("other"))).status, "PENDING")
    })
  )

  claim(
    "a tick whose latest workflow cannot be cancelled yet starts nothing beside it",
    Effect.fnUntraced(function*(given) {
      const store = storeOf(given)
      const { cancel } = store
      const unavailable = new StoreError({ reason: new StoreUnavailable({ message: "The store is away" }) })
      let asked = 0
      store.cancel = (...which) => asked++ === 0 ? Effect.fail(unavailable) : cancel(...which)
      const schedule = WorkflowSchedule.make("s", { workflow: Long, cron: "0 * * * *", overlap: "cancel" })
      const { use } = yield* given.engine([long, schedule.layer])
      const first = yield* nextHour(given)
      for (const tick of [first, first + hour]) {
        yield* moveTo(given, tick + 5)
        yield* use(reaches(`s/${iso(tick)}`, "PENDING"))
      }
      assert.strictEqual((yield* use(Client.get(`s/${iso(first)}`))).status, "CANCELLED")
      assert.isAbove(asked, 1)
    })
  )

  const changes = [
    ["", { attributes: { changed: true } }],
    ["; by a rule that has the same tick, too", { cron: "0 0-23 * * *" }]
  ] as const
  for (const [how, change] of changes) {
    claim(
      `a schedule that is changed while it fires goes on from there, and its workflow too${how}`,
      Effect.fnUntraced(function*(given) {
        const { use } = yield* given.engine(long)
        yield* use(Client.schedules.create("s", { workflow: Long, cron: "0 * * * *", overlap: "cancel" }))
        const tick = yield* nextHour(given)
        const fired = use(reaches(`s/${iso(tick)}`, "PENDING"))
        beforeChange(given, Effect.andThen(Effect.orDie(moveTo(given, tick + 5)), fired))
        const { nextFire } = yield* use(Client.schedules.update("s", change))
        if (how === "") assert.strictEqual(nextFire?.getTime(), tick + hour)
        yield* use(passed("s", tick))
        assert.strictEqual((yield* use(Client.get(`s/${iso(tick)}`))).status, "PENDING")
      })
    )
  }

  claim(
    "a tick waits in its queue, on behalf of its user, with its timeout and attributes",
    Effect.fnUntraced(function*(given) {
      yield* offTheHour(given)
      const Guarded = Workflow.make("Guarded", { requiredRoles: ["clerk"] })
      const queue = WorkflowQueue.make("reports", { concurrency: 1 })
      const schedule = WorkflowSchedule.make("guarded", {
        workflow: Guarded,
        cron: "0 * * * *",
        queue,
        priority: 7,
        timeout: "2 hours",
        attributes: { kind: "nightly" }
      })
      const seen = new Log()
      const live = Guarded.toLayer(() =>
        Effect.flatMap(
          WorkflowContext.current,
          ({ assumedRole, roles, user }) => seen.add(`${user} ${roles.join()} ${assumedRole}`)
        )
      )
      const asClerk = schedule.layer.pipe(Layer.provide(Auth.layer({ user: "ada", roles: ["clerk"] })))
      const { use } = yield* given.engine([live, asClerk])
      const tick = yield* nextHour(given)
      yield* moveTo(given, tick + 5)
      const info = yield* use(reaches(`guarded/${iso(tick)}`, "SUCCESS"))
      assert.deepStrictEqual([info.queue, info.priority, info.attributes], ["reports", 7, { kind: "nightly" }])
      assert.strictEqual(info.deadline!.getTime() - info.createdAt.getTime(), 2 * hour)
      assert.deepStrictEqual(seen.entries, ["ada clerk clerk"])
      const nobody = yield* reasonOf(use(Client.schedules.create("other", { workflow: Guarded, interval: "1 hour" })))
      assert.strictEqual(nobody._tag, "WorkflowUnauthorized")
      const byName = { workflow: "Guarded", interval: "1 hour", queue: "reports" } as const
      const unnamed = yield* reasonOf(use(Client.schedules.create("by name", byName)))
      assert.strictEqual(unnamed._tag, "WorkflowUnauthorized")
      const named = yield* use(Client.schedules.create("by name", { ...byName, user: "ada", roles: ["clerk"] }))
      assert.deepInclude(named, { queue: "reports", user: "ada" })
      // Who changes when it is due need not be who may start it.
      const updated = yield* use(Client.schedules.update("by name", { interval: "2 hours" }))
      assert.deepInclude(updated, { intervalMs: 2 * hour, user: "ada", roles: ["clerk"] })
      const shapeless = yield* reasonOf(use(Client.schedules.create("", { workflow: "", interval: "1 hour" })))
      assert.deepInclude(shapeless, { _tag: "InvalidArgument", argument: "schedule name" })
      const nameless = yield* reasonOf(use(Client.schedules.create("of none", { workflow: "", interval: "1 hour" })))
      assert.deepInclude(nameless, { _tag: "InvalidArgument", argument: "workflow name" })
    })
  )
})

onBothStores("managing schedules", (claim) => {
  claim(
    "code's declaration wins at a deploy over its earlier one, and a pause stays",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const first = yield* given.engine([report(log), hourly.layer])
      yield* first.use(Client.schedules.pause("hourly"))
      yield* first.close
      const daily = WorkflowSchedule.make("hourly", { workflow: Report, payload: { kind: "max" }, cron: "0 0 * * *" })
      const second = yield* given.engine([report(log), daily.layer])
      const info = yield* second.use(Client.schedules.get("hourly"))
      assert.deepStrictEqual(
        [info.cron, info.timeZone, info.payload, info.paused, info.origin, info.workflow],
        ["0 0 * * *", "UTC", { kind: "max" }, true, "code", "Report"]
      )
      const tick = (yield* second.use(Client.schedules.next("hourly")))[0]!.getTime()
      yield* moveTo(given, tick + 5)
      yield* second.use(Client.schedules.resume("hourly"))
      yield* moveTo(given, tick + 24 * hour + 5)
      yield* second.use(reaches(`hourly/${iso(tick + 24 * hour)}`, "SUCCESS"))
      assert.deepStrictEqual(log.entries, [`max hourly ${iso(tick + 24 * hour)}`])
    })
  )

  claim(
    "a schedule is created, found, changed and deleted at run time, from a process that runs nothing",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      const created = yield* use(
        Client.schedules.create("a", {
          workflow: Report,
          payload: { kind: "x" },
          cron: "0 9 * * mon-fri",
          timeZone: "Europe/Berlin",
          missed: { all: 5 },
          overlap: "skip"
        })
      )
      assert.deepStrictEqual(
        [created.origin, created.paused, created.missed, created.overlap, created.payload, created.timeZone],
        ["runtime", false, { all: 5 }, "skip", { kind: "x" }, "Europe/Berlin"]
      )
      yield* use(
        Client.schedules.create("b", { workflow: "Elsewhere", payload: [1, { a: null }], interval: "30 minutes" })
      )
      const exists = yield* reasonOf(use(Client.schedules.create("a", { workflow: Long, interval: "1 hour" })))
      assert.deepStrictEqual([exists._tag, exists.name], ["ScheduleExists", "a"])

      const now = yield* given.store.now
      const next = yield* use(Client.schedules.next("b", 5))
      assert.isAbove(next[0]!.getTime(), now)
      assert.deepStrictEqual(
        next.map((tick) => tick.getTime() - next[0]!.getTime()),
        [0, 1, 2, 3, 4].map((n) => n * 30 * minute)
      )
      const days = yield* use(Client.schedules.next("a", 7))
      assert.deepStrictEqual(new Set(days.map((tick) => tick.getUTCDay())), new Set([1, 2, 3, 4, 5]))
      assert.lengthOf(yield* use(Client.schedules.next("a", 1000)), 1000)
      for (const count of [0, 1001, 1.5, Number.NaN]) {
        const refused = yield* reasonOf(use(Client.schedules.next("a", count)))
        assert.deepStrictEqual([refused._tag, refused.argument], ["InvalidArgument", "count"], String(count))
      }

      yield* use(Client.schedules.pause("b"))
      const names = (options: Client.schedules.ListOptions) =>
        Effect.map(use(Client.schedules.list(options)), (all) => all.map((one) => one.name))
      assert.deepStrictEqual(yield* names({}), ["a", "b"])
      assert.deepStrictEqual(yield* names({ paused: true }), ["b"])
      assert.deepStrictEqual(yield* names({ workflow: "Report" }), ["a"])
      assert.deepStrictEqual(yield* names({ namePrefix: "b" }), ["b"])
      assert.deepStrictEqual(yield* names({ names: ["a", "none"] }), ["a"])
      assert.deepStrictEqual([yield* names({ limit: 1 }), yield* names({ after: "a", limit: 5 })], [["a"], ["b"]])

      const changed = yield* use(Client.schedules.update("a", { interval: "1 hour", overlap: "cancel" }))
      assert.deepStrictEqual(
        [changed.cron, changed.intervalMs, changed.overlap, changed.missed, changed.payload],
        [undefined, hour, "cancel", { all: 5 }, { kind: "x" }]
      )
      assert.strictEqual(changed.nextFire!.getTime() % hour, 0)
      const kept = yield* use(Client.schedules.update("b", { payload: { now: "this" } }))
      assert.deepStrictEqual([kept.payload, kept.paused, kept.intervalMs], [{ now: "this" }, true, 30 * minute])

      const line = WorkflowQueue.make("line")
      const placed = yield* use(Client.schedules.update("b", { queue: line, priority: 5, deduplicationId: "one" }))
      assert.strictEqual(placed.queue, "line")
      const free = yield* use(Client.schedules.update("b", { queue: null }))
      assert.deepStrictEqual([free.queue, free.payload, free.paused], [undefined, { now: "this" }, true])
      const prior = yield* reasonOf(use(Client.schedules.update("b", { queue: null, priority: 5 })))
      assert.deepStrictEqual([prior._tag, prior.argument], ["InvalidArgument", "priority"])
      const started = yield* use(Client.schedules.trigger("b"))
      assert.strictEqual((yield* use(Client.get(started))).queue, undefined)

      yield* use(Client.schedules.delete("a"))
      assert.deepStrictEqual(yield* names({}), ["b"])
      for (
        const operation of [
          Client.schedules.get("a"),
          Client.schedules.update("a", { overlap: "skip" }),
          Client.schedules.pause("a"),
          Client.schedules.resume("a"),
          Client.schedules.delete("a"),
          Client.schedules.trigger("a"),
          Client.schedules.next("a"),
          Client.schedules.backfill("a", { from: new Date(0), to: new Date(0) })
        ]
      ) {
        const reason = yield* reasonOf(use(operation as Effect.Effect<unknown, never, never>))
        assert.deepStrictEqual([reason._tag, reason.name], ["ScheduleNotFound", "a"])
      }
    })
  )

  claim(
    "several schedules are applied at once, all of them or none, and not in a body",
    Effect.fnUntraced(function*(given) {
      const client = yield* given.client
      const { use } = client
      yield* use(Client.schedules.create("b", { workflow: Long, interval: "1 hour" }))
      yield* use(Client.schedules.pause("b"))
      const nightly = WorkflowSchedule.make("a", { workflow: Report, payload: { kind: "x" }, cron: "0 2 * * *" })
      const applied = yield* use(
        Client.schedules.apply([
          WorkflowSchedule.make("b", { workflow: Long, interval: "1 hour", overlap: "skip" }),
          nightly
        ])
      )
      assert.deepStrictEqual(
        applied.map(({ cron, name, origin, overlap, paused }) => [name, cron, overlap, paused, origin]),
        [["b", undefined, "skip", true, "runtime"], ["a", "0 2 * * *", "allow", false, "runtime"]]
      )
      assert.isDefined(applied[1]!.nextFire)

      const other = WorkflowSchedule.make("c", { workflow: Long, interval: "1 hour" })
      const lost = WorkflowSchedule.make("d", { workflow: Long, interval: "1 hour", queue: "nowhere" })
      const refused = yield* reasonOf(use(Client.schedules.apply([other, lost])))
      assert.strictEqual(refused._tag, "InvalidArgument")
      const twice = yield* reasonOf(use(Client.schedules.apply([other, other])))
      assert.deepStrictEqual([twice._tag, twice.argument], ["InvalidArgument", "schedules"])
      assert.lengthOf(yield* use(Client.schedules.list()), 2)

      const InBody = Workflow.make("InBody", { success: Schema.String })
      const engine = yield* given.engine(InBody.toLayer(() =>
        // `as`: a body has the engine, which its type does not let it ask for
        Effect.map(reasonOf(Client.schedules.apply([other]) as Effect.Effect<unknown, never>), (reason) => reason._tag)
      ))
      assert.strictEqual(yield* engine.use(InBody.execute()), "NotInBody")
    })
  )

  claim(
    "a schedule made by a client fires in an executor that was there before",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      yield* given.engine(report(log))
      const client = yield* given.client
      yield* client.use(
        Client.schedules.create("late", { workflow: Report, payload: { kind: "k" }, interval: "1 hour" })
      )
      const tick = yield* nextHour(given)
      yield* moveTo(given, tick + 5)
      yield* client.use(reaches(`late/${iso(tick)}`, "SUCCESS"))
    })
  )

  claim(
    "a trigger starts a workflow at once, each time another, paused or not",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const { use } = yield* given.engine([report(log), hourly.layer])
      yield* use(Client.schedules.pause("hourly"))
      const ids = yield* Effect.forEach([1, 2], () => use(Client.schedules.trigger("hourly")))
      assert.strictEqual(new Set(ids).size, 2)
      for (const id of ids) assert.match(yield* use(Report.handle(id).result), /^sum hourly 20/)
    })
  )

  claim(
    "a backfill starts what was not started of a range, once however often it is asked for",
    Effect.fnUntraced(function*(given) {
      yield* offTheHour(given)
      const log = new Log()
      const { use } = yield* given.engine([report(log), hourly.layer])
      const now = yield* given.store.now
      const from = new Date(Math.floor(now / hour) * hour - 50 * hour)
      const to = new Date(from.getTime() + 40 * hour)
      const twice = yield* Effect.all(
        [1, 2].map(() => use(Client.schedules.backfill("hourly", { from, to }))),
        { concurrency: 2 }
      )
      assert.deepStrictEqual(twice.map(({ workflowIds }) => workflowIds.length), [40, 40])
      assert.strictEqual(twice[0]!.started + twice[1]!.started, 40)
      for (const id of twice[0]!.workflowIds) yield* use(Report.handle(id).result)
      assert.strictEqual(log.entries.length, 40)
      assert.strictEqual(log.entries.toSorted()[0], `sum hourly ${from.toISOString()}`)
      yield* use(Client.schedules.update("hourly", { payload: { kind: "other" } }))
      assert.strictEqual((yield* use(Client.schedules.backfill("hourly", { from, to }))).started, 0)
    })
  )

  claim(
    "a backfill refuses a range that is backwards, in the future, or too long, and starts nothing",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.client
      yield* use(Client.schedules.create("often", { workflow: Long, cron: "* * * * *" }))
      const now = yield* given.store.now
      const at = (ms: number) => new Date(now + ms)
      for (
        const [argument, range] of [
          ["range", { from: at(-hour), to: at(-2 * hour) }],
          ["range", { from: at(-87_660 * hour), to: at(0) }],
          ["to", { from: at(-hour), to: at(hour) }],
          ["from", { from: new Date(Number.NaN), to: at(0) }]
        ] as const
      ) {
        const reason = yield* reasonOf(use(Client.schedules.backfill("often", range)))
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", argument])
      }
      assert.deepStrictEqual(yield* use(ofSchedule("often")), [])
    })
  )

  claim(
    "a schedule whose queue is gone waits for it, and holds up no other",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("gone")
      const { use } = yield* given.engine([long, queue.layer])
      yield* use(Client.schedules.create("stuck", { workflow: Long, interval: "1 hour", queue: "gone" }))
      yield* use(Client.schedules.create("well", { workflow: Long, interval: "1 hour" }))
      assert.strictEqual(yield* given.store.deleteQueue("gone"), "deleted")
      const tick = yield* nextHour(given)
      yield* moveTo(given, tick + 5)
      yield* use(reaches(`well/${iso(tick)}`, "PENDING"))
      assert.strictEqual((yield* use(Client.schedules.get("stuck"))).nextFire?.getTime(), tick)
      yield* given.store.registerQueue("gone", queue.definition.limits)
      yield* use(reaches(`stuck/${iso(tick)}`, "PENDING"))
    })
  )

  claim(
    "however many cannot be fired, they hold up none that comes after them",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("gone")
      const { use } = yield* given.engine([long, queue.layer])
      const stuck = Array.from(
        { length: 100 },
        (_, n) => WorkflowSchedule.make(`stuck ${n}`, { workflow: Long, interval: "1 hour", queue: "gone" })
      )
      yield* use(Client.schedules.apply(stuck))
      yield* use(Client.schedules.create("well", { workflow: Long, cron: "1 * * * *" }))
      assert.strictEqual(yield* given.store.deleteQueue("gone"), "deleted")
      const tick = yield* nextHour(given)
      yield* moveTo(given, tick + minute + 5)
      yield* use(reaches(`well/${iso(tick + minute)}`, "PENDING"))
      assert.strictEqual((yield* use(Client.schedules.get("stuck 99"))).nextFire?.getTime(), tick)
      yield* given.store.registerQueue("gone", queue.definition.limits)
      for (const { name } of stuck) yield* use(reaches(`${name}/${iso(tick)}`, "PENDING"))
    })
  )

  claim(
    "what is declared makes its queue again where it was deleted",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("again", { concurrency: 3 })
      const schedule = WorkflowSchedule.make("s", { workflow: Long, interval: "1 hour", queue })
      const { use } = yield* given.engine([long, schedule.layer])
      assert.strictEqual(yield* given.store.deleteQueue("again"), "deleted")
      const tick = yield* nextHour(given)
      yield* moveTo(given, tick + 5)
      yield* use(reaches(`s/${iso(tick)}`, "PENDING"))
      assert.strictEqual((yield* given.store.queues(["again"]))[0]?.limits.concurrency, 3)
    })
  )

  claim(
    "a schedule that cannot be read is shown, holds up no other, and can be mended",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine(long)
      yield* use(Client.schedules.create("good", { workflow: Long, interval: "1 hour" }))
      const rule = JSON.stringify({ cron: "0 * * * *", timeZone: "Mars/Base" })
      const tick = yield* nextHour(given)
      yield* given.store.writeSchedule("create", { name: "bad", workflowName: "Long", rule, start: "{}" }, tick)
      yield* moveTo(given, tick + 5)
      yield* use(reaches(`good/${iso(tick)}`, "PENDING"))
      const bad = (yield* use(Client.schedules.list()))[0]
      assert.deepStrictEqual([bad?.name, bad?.timeZone, bad?.nextFire?.getTime()], ["bad", "Mars/Base", tick])
      const reason = yield* reasonOf(use(Client.schedules.trigger("bad")))
      assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", "schedule"])
      yield* use(Client.schedules.delete("bad"))
      yield* use(Client.schedules.create("bad", { workflow: Long, interval: "1 hour" }))
      yield* moveTo(given, tick + hour + 5)
      yield* use(reaches(`bad/${iso(tick + hour)}`, "PENDING"))
    })
  )
})
