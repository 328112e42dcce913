/** Code that changed between two runs: what blocks, before anything more runs, and what does not. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { setTimeout as after } from "node:timers/promises"
import * as Client from "perdure/Client"
import type * as Engine from "perdure/Engine"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Workflow from "perdure/Workflow"
import type { WorkflowError } from "perdure/WorkflowError"
import { type Given, onBothStores, type Running } from "./harness.ts"
import { eventually, Log, reaches, recorded, stepsOf } from "./observing.ts"

const Subject = Workflow.make("Subject", { success: Schema.String })
const unbounded = { concurrency: "unbounded" } as const
type Body = (log: Log) => Effect.Effect<unknown, any>

const step = (log: Log, name: string, options: Pick<Step.Options, "renamed"> = {}) =>
  Step.run(name, log.effect(name, name), options)

/** The code of the first deploy: three steps, then one that is under way when the engine is changed. */
const original: Body = (log) =>
  Effect.gen(function*() {
    yield* step(log, "a")
    yield* step(log, "b")
    yield* step(log, "c")
    yield* Step.run("under way", Effect.andThen(log.add("under way"), Effect.never))
  })

const liveOf = (body: Body, log: Log) => Subject.toLayer(() => Effect.as(Effect.orDie(body(log)), "ended"))

/** Runs `before` until `records` are there, then gives the workflow to an engine with `then`. */
const deploy = (given: Given, before: Body, records: number, then: Body, options?: Engine.Options): Effect.Effect<
  { readonly log: Log; readonly engine: Running },
  WorkflowError,
  Scope.Scope
> =>
  Effect.gen(function*() {
    const first = yield* given.engine(liveOf(before, new Log()))
    yield* first.use(Subject.start(undefined, { workflowId: "w" }))
    yield* first.use(recorded("w", records))
    yield* first.close
    const log = new Log()
    return { log, engine: yield* given.engine(liveOf(then, log), options) }
  })

interface Blocking {
  readonly what: string
  readonly body: Body
  readonly expected: string
  readonly actual: string
}

const rest: Body = (log) => Effect.andThen(step(log, "c"), step(log, "d"))

const blocking: ReadonlyArray<Blocking> = [
  {
    what: "a recorded step was renamed",
    body: (log) => Effect.andThen(step(log, "a"), Effect.andThen(step(log, "b2"), rest(log))),
    expected: `step "b" (step 1)`,
    actual: `step "b2"`
  },
  {
    what: "the first step was renamed",
    body: (log) => Effect.andThen(step(log, "a2"), Effect.andThen(step(log, "b"), rest(log))),
    expected: `step "a" (step 0)`,
    actual: `step "a2"`
  },
  {
    what: "a step was inserted before recorded ones without a patch",
    body: (log) =>
      Effect.andThen(step(log, "a"), Effect.andThen(step(log, "new"), Effect.andThen(step(log, "b"), rest(log)))),
    expected: `step "b" (step 1)`,
    actual: `step "new"`
  },
  {
    what: "a long sleep was inserted before recorded steps",
    body: (log) =>
      Effect.andThen(step(log, "a"), Effect.andThen(Effect.sleep("1 day"), Effect.andThen(step(log, "b"), rest(log)))),
    expected: `step "b" (step 1)`,
    actual: "a sleep until "
  },
  {
    what: "a sleep without end was inserted before recorded steps",
    body: (log) =>
      Effect.andThen(step(log, "a"), Effect.andThen(Effect.sleep(Infinity), Effect.andThen(step(log, "b"), rest(log)))),
    expected: `step "b" (step 1)`,
    actual: "a sleep without end"
  },
  {
    what: "a recorded step was removed at the end of the records",
    body: (log) => Effect.andThen(step(log, "a"), Effect.andThen(step(log, "b"), step(log, "d"))),
    expected: `step "c" (step 2)`,
    actual: `step "d"`
  },
  {
    what: "a recorded step was removed in the middle",
    body: (log) => Effect.andThen(step(log, "a"), rest(log)),
    expected: `step "b" (step 1)`,
    actual: `step "d"`
  },
  {
    what: "another kind of operation has a step's name",
    body: (log) =>
      Effect.andThen(
        step(log, "a"),
        Effect.andThen(Workflow.make("b").start(), rest(log)) as Effect.Effect<unknown, any>
      ),
    expected: `step "b" (step 1)`,
    actual: `child "b"`
  },
  {
    what: "a recorded step moved into a branch",
    body: (log) => Effect.andThen(step(log, "a"), Effect.andThen(Workflow.all([step(log, "b")]), rest(log))),
    expected: `step "b" (step 1)`,
    actual: `step "b"`
  },
  {
    what: "records are left over at the end",
    body: (log) => Effect.andThen(step(log, "a"), step(log, "b")),
    expected: `step "c" (step 2)`,
    actual: "the end of the workflow"
  },
  {
    what: "the body now fails before it asks for its records",
    body: (log) => Effect.andThen(step(log, "a"), Effect.die("new check")),
    expected: `step "b" (step 1)`,
    actual: "the end of the workflow"
  },
  {
    what: "a schema cannot read the record",
    body: (log) =>
      Effect.andThen(
        step(log, "a"),
        Effect.andThen(Step.run("b", log.effect("b", 1), { success: Schema.Number }), rest(log))
      ),
    expected: `step "b" (step 1)`,
    actual: "a schema that cannot read it"
  }
]

onBothStores("divergence", (claim) => {
  for (const { actual, body, expected, what } of blocking) {
    claim(
      `blocks before anything more runs when ${what}; mended code and a resume end it`,
      Effect.fnUntraced(
        function*(given) {
          const { engine, log } = yield* deploy(given, original, 3, body)
          const { reason } = yield* engine.use(reaches("w", "BLOCKED"))
          const told = reason as { readonly _tag: string; readonly expected: string; readonly actual: string }
          assert.strictEqual(told._tag, "Blocked")
          assert.strictEqual(told.expected, expected)
          assert.include(told.actual, actual)
          yield* engine.close
          assert.deepStrictEqual(log.entries, [])
          assert.lengthOf(yield* Effect.flatMap(given.client, ({ use }) => use(stepsOf("w"))), 3)

          const mended = yield* given.engine(liveOf((log) =>
            Effect.gen(function*() {
              for (const name of ["a", "b", "c"]) yield* step(log, name)
              yield* step(log, "under way")
            }), log))
          yield* mended.use(Client.resume("w"))
          assert.strictEqual(yield* mended.use(Subject.handle("w").result), "ended")
          assert.deepStrictEqual(log.entries, ["under way"])
        }
      )
    )
  }

  const passing: ReadonlyArray<readonly [string, Body, ReadonlyArray<string>]> = [
    ["steps after the recorded part are added, changed or removed", rest_("d", "e"), ["d", "e"]],
    ["recorded steps are asked for in another order", (log) =>
      Effect.gen(function*() {
        for (const name of ["c", "a", "b", "d"]) yield* step(log, name)
      }), ["d"]],
    [
      "recorded steps are now asked for at once",
      (log) => Effect.andThen(Effect.all(["b", "c", "a"].map((name) => step(log, name)), unbounded), step(log, "d")),
      ["d"]
    ],
    ["an insertion is declared by a patch", (log) =>
      Effect.gen(function*() {
        yield* step(log, "a")
        if (yield* Workflow.patch("one")) yield* step(log, "inserted")
        yield* step(log, "b")
        yield* step(log, "c")
        if (yield* Workflow.patch("two")) yield* step(log, "appended")
      }), ["appended"]],
    ["a step is `renamed`", (log) =>
      Effect.gen(function*() {
        yield* step(log, "a")
        yield* step(log, "b2", { renamed: "b" })
        yield* step(log, "c")
        yield* step(log, "d", { renamed: "never" })
      }), ["d"]],
    ["plain asynchronous work delays the asking, for less than the grace", (log) =>
      Effect.gen(function*() {
        yield* step(log, "a")
        yield* Effect.promise(() => after(30))
        yield* step(log, "b")
        yield* step(log, "c")
      }), []],
    ["a record is no longer asked for where it was, but by a fork", (log) =>
      Effect.andThen(
        Effect.all([Effect.andThen(step(log, "a"), step(log, "b")), step(log, "c")], unbounded),
        step(log, "d")
      ), ["d"]]
  ]
  function rest_(...names: ReadonlyArray<string>): Body {
    return (log) =>
      Effect.gen(function*() {
        for (const name of ["a", "b", "c", ...names]) yield* step(log, name)
      })
  }
  for (const [what, body, runs] of passing) {
    claim(
      `does not block when ${what}`,
      Effect.fnUntraced(function*(given) {
        const { engine, log } = yield* deploy(given, original, 3, body)
        const blocked = Effect.map(reaches("w", "BLOCKED"), (info): unknown => info.reason)
        assert.strictEqual(yield* engine.use(Effect.raceFirst(Subject.handle("w").result, blocked)), "ended")
        assert.deepStrictEqual(log.entries, runs)
      })
    )
  }

  claim(
    "a grace of any length is waited for",
    Effect.fnUntraced(function*(given) {
      const slow: Body = (log) =>
        Effect.gen(function*() {
          yield* step(log, "a")
          yield* Effect.promise(() => after(100))
          yield* step(log, "b")
          yield* step(log, "c")
        })
      // Longer than a timer of the platform.
      const { engine } = yield* deploy(given, original, 3, slow, { replayGrace: "30 days" })
      const blocked = Effect.map(reaches("w", "BLOCKED"), (info): unknown => info.reason)
      assert.strictEqual(yield* engine.use(Effect.raceFirst(Subject.handle("w").result, blocked)), "ended")
    })
  )

  claim(
    "a step that is renamed among its attempts is the same step, with the attempts that it had",
    Effect.fnUntraced(function*(given) {
      const seen: Array<string> = []
      const charge = (name: string, renamed: string | undefined) =>
        Subject.toLayer(() =>
          Step.run(
            name,
            Effect.flatMap(StepStatus.current, (status) => {
              const attempt = status!.currentAttempt
              seen.push(`${name}: step ${status!.stepId}, attempt ${attempt}`)
              return attempt < 3 ? Effect.fail("no") : Effect.succeed("ended")
            }),
            { renamed, retry: { maxAttempts: 4, interval: "1 hour" } }
          ).pipe(Effect.orDie)
        )
      const names = [["charge", undefined], ["charge card", "charge"], ["charge card", "charge"], [
        "pay",
        "charge card"
      ]]
      for (const [attempt, [name, renamed]] of names.entries()) {
        const engine = yield* given.engine(charge(name!, renamed))
        if (attempt === 0) yield* engine.use(Subject.start(undefined, { workflowId: "w" }))
        else yield* given.store.adjustClock(86_400_000)
        if (attempt === 3) assert.strictEqual(yield* engine.use(Subject.handle("w").result), "ended")
        else {
          yield* engine.use(eventually("the attempt", Client.steps("w"), (steps) => steps[0]?.attempts === attempt + 1))
        }
        yield* engine.close
      }
      assert.deepStrictEqual(seen, [
        "charge: step 0, attempt 0",
        "charge card: step 0, attempt 1",
        "charge card: step 0, attempt 2",
        "pay: step 0, attempt 3"
      ])
    })
  )

  claim(
    "a patch that a workflow passed as new stays true in it",
    Effect.fnUntraced(function*(given) {
      const patched = (last: string): Body => (log) =>
        Effect.gen(function*() {
          if (yield* Workflow.patch("one")) yield* step(log, "inserted")
          yield* step(log, "a")
          yield* Step.run("last", Effect.suspend(() => last === "" ? Effect.never : log.add(last)))
        })
      const { engine, log } = yield* deploy(given, patched(""), 3, patched("last"))
      assert.strictEqual(yield* engine.use(Subject.handle("w").result), "ended")
      assert.deepStrictEqual(log.entries, ["last"])
    })
  )

  for (const [what, records, patch] of [["has got to", 1, ["inserted"]], ["has gone on after", 2, []]] as const) {
    claim(
      `what other branches recorded says nothing of a patch that one ${what}`,
      Effect.fnUntraced(function*(given) {
        const branches = (patched: boolean, end: Body): Body => (log) =>
          Workflow.all([
            Effect.gen(function*() {
              yield* step(log, "a")
              if (patched && (yield* Workflow.patch("one"))) yield* step(log, "inserted")
              if (records === 2) yield* step(log, "after")
              yield* end(log)
            }),
            Effect.forEach(["b", "c"], (name) => step(log, name))
          ], unbounded)
        const { engine, log } = yield* deploy(
          given,
          branches(false, () => Step.run("under way", Effect.never)),
          records + 2,
          branches(true, (log) => step(log, "end"))
        )
        assert.strictEqual(yield* engine.use(Subject.handle("w").result), "ended")
        assert.deepStrictEqual(log.entries, [...patch, "end"])
      })
    )
  }

  for (const place of ["first", "in the middle", "last"]) {
    claim(
      `a patch whose call was dropped is passed over: ${place}`,
      Effect.fnUntraced(function*(given) {
        const body = (call: boolean, end: Body): Body => (log) =>
          Effect.gen(function*() {
            const patch = (here: string) => call && here === place ? Effect.asVoid(Workflow.patch("one")) : Effect.void
            yield* patch("first")
            yield* step(log, "a")
            yield* patch("in the middle")
            yield* step(log, "b")
            yield* patch("last")
            yield* end(log)
          })
        const { engine, log } = yield* deploy(
          given,
          body(true, () => Step.run("under way", Effect.never)),
          3,
          body(false, (log) => step(log, "end"))
        )
        assert.strictEqual(yield* engine.use(Subject.handle("w").result), "ended")
        assert.deepStrictEqual(log.entries, ["end"])
      })
    )
  }

  claim(
    "a blocked workflow that is resumed with the same code blocks again; it can be cancelled",
    Effect.fnUntraced(
      function*(given) {
        const { engine, log } = yield* deploy(given, original, 3, rest)
        yield* engine.use(reaches("w", "BLOCKED"))
        yield* engine.use(Client.resume("w"))
        yield* engine.use(reaches("w", "BLOCKED"))
        yield* engine.use(Client.cancel("w"))
        yield* engine.use(reaches("w", "CANCELLED"))
        assert.deepStrictEqual(log.entries, [])
      }
    )
  )

  claim(
    "a payload that the running code cannot read blocks",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const before = Workflow.make("Changing", { payload: { n: Schema.String } })
      const then = Workflow.make("Changing", { payload: { n: Schema.Number } })
      const client = yield* given.client
      yield* client.use(before.start({ n: "text" }, { workflowId: "w" }))
      const engine = yield* given.engine(then.toLayer(() => log.add("ran")))
      yield* engine.use(reaches("w", "BLOCKED"))
      assert.deepStrictEqual(log.entries, [])
    })
  )

  claim(
    "a workflow of an unknown name or another version is never claimed, and costs no attempt",
    Effect.fnUntraced(
      function*(given) {
        const log = new Log()
        const Other = Workflow.make("Other")
        const client = yield* given.client
        yield* client.use(Other.start(undefined, { workflowId: "other" }))
        yield* client.use(Subject.start(undefined, { workflowId: "old", version: "1" }))
        const newer = yield* given.engine(liveOf((log) => log.add("ran"), log), { version: "2" })
        yield* newer.use(Subject.execute(undefined, { workflowId: "new" }))
        for (const id of ["other", "old"]) {
          const info = yield* newer.use(Client.get(id))
          assert.deepStrictEqual([info.status, info.recoveryAttempts], ["ENQUEUED", 0])
        }
        assert.deepStrictEqual(log.entries, ["ran"])
        yield* newer.close
        const engine = yield* given.engine(liveOf((log) => log.add("ran old"), log), { version: "1" })
        assert.strictEqual(yield* engine.use(Subject.handle("old").result), "ended")
        assert.deepStrictEqual(log.entries, ["ran", "ran old"])
      }
    )
  )
})
