/** How odd input is tried: it comes back as it was, by every way that a value can go, or is refused and leaves nothing. */
import { assert } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import type { Reason, WorkflowError } from "perdure/WorkflowError"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowStream from "perdure/WorkflowStream"
import type { Given, Needs } from "./harness.ts"
import { reaches, reasonOf, suspends } from "./observing.ts"
import { twice } from "./twice.ts"

// -----------------------------------------------------------------------------
// refused
// -----------------------------------------------------------------------------

/** What is asked for, and the error that it has to be. */
export type Refusal = readonly [
  what: string,
  ask: () => Effect.Effect<unknown, unknown, Needs>,
  tag: Reason["_tag"],
  argument?: string | undefined
]

/** A constructor that throws, as an effect. */
export const made = (make: () => unknown): Effect.Effect<unknown, unknown> =>
  Effect.try({ try: make, catch: (error) => error })

/** The `WorkflowError` of an exit: typed, with problem, detail and, where the caller can do something, a remedy. */
const errorOf = (what: string, exit: Exit.Exit<unknown, unknown>): WorkflowError => {
  assert.strictEqual(exit._tag, "Failure", `${what}: it was accepted`)
  const cause = exit._tag === "Failure" ? exit.cause : Cause.empty
  const failure = cause.reasons.find(Cause.isFailReason)
  assert.isDefined(failure, `${what}: not a typed failure: ${Cause.pretty(cause).slice(0, 500)}`)
  const error: any = failure!.error
  assert.strictEqual(error?._tag, "WorkflowError", `${what}: ${String(error).slice(0, 500)}`)
  return error
}

const checkReason = (what: string, error: WorkflowError, tag: Reason["_tag"], argument: string | undefined): void => {
  const { reason } = error
  assert.strictEqual(reason._tag, tag, `${what}: ${error.message}`)
  if (argument !== undefined) {
    const path = "path" in reason ? reason.path.split("[")[0] : undefined
    const named = "argument" in reason ? reason.argument : path
    assert.strictEqual(named, argument, `${what}: ${error.message}`)
  }
  // A sentence for the problem with its detail, and another for the remedy.
  assert.match(error.message, reason._tag === "InvalidArgument" ? /^Invalid .+: .+\. .+\.$/s : /\.$/, what)
}

/** Each is refused, and no table has a row more or less. */
export const refusesAll = (
  given: Given,
  use: <A, E, R extends Needs>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>,
  refusals: ReadonlyArray<Refusal>
): Effect.Effect<void> =>
  Effect.forEach(refusals, ([what, ask, tag, argument]) =>
    Effect.gen(function*() {
      const before = yield* given.rows
      const exit = yield* Effect.exit(use(Effect.suspend(ask)))
      checkReason(what, errorOf(what, exit), tag, argument)
      assert.deepStrictEqual(yield* given.rows, before, what)
    }), { discard: true })

/** Each is refused in a body, live and on a replay alike, and nothing is recorded but that a child was refused. */
export const refusesInBody = (
  given: Given,
  refusals: ReadonlyArray<
    readonly [string, () => Effect.Effect<unknown, unknown, any>, Reason["_tag"], (string | undefined)?]
  >
): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const body = Effect.forEach(refusals, ([, ask]) => Effect.exit(Effect.suspend(ask)))
    const { live, replayed, steps } = yield* twice<ReadonlyArray<Exit.Exit<unknown, unknown>>, never, any>(given, body)
    for (const exit of [live, replayed]) {
      const exits = exit._tag === "Success" ? exit.value : []
      assert.lengthOf(exits, refusals.length, String(exit))
      refusals.forEach(([what, , tag, argument], i) => checkReason(what, errorOf(what, exits[i]!), tag, argument))
    }
    assert.deepStrictEqual(steps.filter((step) => !/^\d+ child /.test(step)), [])
    const children = yield* given.store.list({ parentId: "subject", order: "asc", limit: 1 })
    assert.lengthOf(children, 0)
  })

// -----------------------------------------------------------------------------
// carried
// -----------------------------------------------------------------------------

/** A value, and what it comes back as; by default as it was. */
export type Carried = readonly [value: unknown, as?: unknown]

/**
 * Sends each value through a payload, a step, an event, a stream, a message and a result. One engine runs the body up to
 * the message and is closed; a second replays it; a client elsewhere reads what came out.
 */
export const carries = (
  given: Given,
  schema: Workflow.Storable,
  values: ReadonlyArray<Carried>
): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const Note = Message.make("note", { payload: schema })
    const Shown = WorkflowEvent.make("shown", { value: schema })
    const Told = WorkflowStream.make("told", { value: schema })
    const Carrier = Workflow.make("Carrier", { payload: schema, success: schema })
    const seen: Array<readonly [where: string, value: unknown]> = []
    const CarrierLive = Carrier.toLayer((payload) =>
      Effect.gen(function*() {
        const fromStep = yield* Step.run("step", Effect.sync(() => payload), { success: schema })
        yield* Shown.set(payload)
        yield* Told.write(payload)
        seen.push(["payload", payload], ["step", fromStep])
        const value = yield* Note.receive()
        seen.push(["message", value])
        return value
      })
    )
    const first = yield* given.engine(CarrierLive)
    const client = yield* given.client
    for (const [i, [value, as = value]] of values.entries()) {
      const id = `v${i}`
      yield* first.use(Carrier.start(value, { workflowId: id }))
      yield* first.use(suspends(id))
      const live = seen.splice(0)
      assert.deepStrictEqual(live.map(([where]) => where), ["payload", "step"])
      for (const [where, got] of live) assert.deepStrictEqual(got, as, `${id} live, ${where}`)
    }
    yield* first.close
    const second = yield* given.engine(CarrierLive)
    for (const [i, [value, as = value]] of values.entries()) {
      const id = `v${i}`
      yield* client.use(Note.send(id, value))
      yield* second.use(reaches(id, "SUCCESS"))
      for (const [where, got] of seen.splice(0)) assert.deepStrictEqual(got, as, `${id} replayed, ${where}`)
      assert.deepStrictEqual(yield* client.use(Carrier.handle(id).result), as, `${id} elsewhere, result`)
      assert.deepStrictEqual(yield* client.use(Shown.get(id)), as, `${id} elsewhere, event`)
      const entries = yield* client.use(Stream.runCollect(Told.read(id)))
      assert.deepStrictEqual([...entries], [as], `${id} elsewhere, stream`)
    }
  })

/** Payloads, messages, events, entries and results cannot carry it: said with the path, before anything is written. */
export const carriesNone = (
  given: Given,
  values: ReadonlyArray<readonly [what: string, make: () => unknown, tag?: "Unencodable" | "PayloadTooLarge"]>
): Effect.Effect<void, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const Anything = Schema.Struct({ deep: Schema.Unknown })
    const Note = Message.make("note", { payload: Anything })
    const Shown = WorkflowEvent.make("shown", { value: Anything })
    const Told = WorkflowStream.make("told", { value: Anything })
    const Target = Workflow.make("Target", { payload: Anything, success: Anything })
    const Child = Workflow.make("Child", { payload: Anything })
    let result: unknown
    const engine = yield* given.engine(Target.toLayer(() => Effect.sync(() => ({ deep: result }))))
    const client = yield* given.client
    yield* client.use(Child.start({ deep: 1 }, { workflowId: "target" }))
    yield* refusesAll(
      given,
      client.use,
      values.flatMap(([what, make, tag = "Unencodable"]): ReadonlyArray<Refusal> => {
        const path = tag === "Unencodable" ? "deep" : undefined
        return [
          [`${what} as a payload`, () => Target.start({ deep: make() }), tag, path],
          [`${what} as a message`, () => Note.send("target", { deep: make() }), tag, path]
        ]
      })
    )
    yield* refusesInBody(
      given,
      values.flatMap(([what, make, tag = "Unencodable"]) => {
        const path = tag === "Unencodable" ? "deep" : undefined
        const of = (where: string, ask: (value: any) => Effect.Effect<unknown, unknown, any>) =>
          [`${what} as ${where}`, () => ask({ deep: make() }), tag, path] as const
        return [
          of("an event", Shown.set),
          of("an entry", Told.write),
          of("a message sent by a body", (value) => Note.send("target", value)),
          of("a payload of a child", (value) => Child.start(value))
        ]
      })
    )
    for (const [i, [what, make, tag = "Unencodable"]] of values.entries()) {
      result = make()
      const reason = yield* reasonOf(engine.use(Target.execute({ deep: i }, { workflowId: `r${i}` })))
      assert.strictEqual(reason._tag, "WorkflowFailed", what)
      assert.include(reason.message, tag === "Unencodable" ? "cannot be stored, at deep" : "too large", what)
      assert.strictEqual((yield* engine.use(Client.get(`r${i}`))).status, "ERROR")
    }
  })
