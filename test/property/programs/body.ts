/** A program as a workflow's body, of nothing but the public API. */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import type { Engine } from "perdure/Engine"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import type { InWorkflow } from "perdure/WorkflowContext"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowStream from "perdure/WorkflowStream"
import { type Op, type Program, scopeOf } from "./program.ts"

export class Broken extends Schema.TaggedError<Broken>()("Broken", { code: Schema.Number }) {}

/** What is run of a program: `path` is where it stands, `others` how many messages come in from outside. */
export interface Node {
  readonly program: Program
  readonly path: string
  readonly fails: boolean
  readonly others: number
  /** Where its present life begins. */
  readonly from: number
}

/** One of a name of its own for each run, so that nobody runs what another has left. */
export const nodeOf = (name: string) =>
  Workflow.make(name, {
    payload: {
      program: Schema.Any,
      path: Schema.String,
      fails: Schema.Boolean,
      others: Schema.Number,
      from: Schema.Number
    },
    success: Schema.Array(Schema.String),
    error: Broken,
    maxRecoveryAttempts: 1_000
  })

export const messageOf = (topic: string) => Message.make(topic, { payload: Schema.Number })
export const eventOf = (key: string) => WorkflowEvent.make(key, { value: Schema.Number })
export const streamOf = (key: string) => WorkflowStream.make(key, { value: Schema.Number })

/** What watches the side effects. */
export interface Witness {
  /** The body of a step begins; how it goes on is for the witness to say. */
  readonly began: (path: string) => Effect.Effect<void>
  /** That of a rollback. */
  readonly undoes: (path: string) => Effect.Effect<void>
  /** A sleep is over, which was to last until then. */
  readonly woke: (path: string, due: number) => void
}

type Needs = Engine | InWorkflow | SqlClient
type Body<A> = Effect.Effect<A, unknown, Needs>

const brief = 5
const never = "30 days"

export const idOf = (root: string, path: string): string => path === "" ? root : `${root}/${path}`

/** The table that transactions write to. */
export const ledger = "property_ledger"

/** `root`: the id of the first workflow. */
export const body = (
  witness: Witness,
  Node: ReturnType<typeof nodeOf>,
  root: string,
  node: Node
): Body<ReadonlyArray<string>> => {
  const id = idOf(root, node.path)
  let others = node.others

  const sequence = (path: string, program: Program, from = 0): Body<ReadonlyArray<string>> =>
    Effect.forEach(program.slice(from), (op, index) => operation(path, `${path}.${from + index}`, op, from + index))

  /** What a child that has ended has left for all. */
  const toldBy = (childPath: string, key: string): Body<string> => {
    const [childId, name] = [idOf(root, childPath), `${childPath}-0`]
    const event = eventOf(name).get(childId).pipe(
      Effect.map(String),
      Effect.catchIf((error) => error.reason._tag === "EventNeverSet", () => Effect.succeed("never set"))
    )
    return Effect.zipWith(
      event,
      Stream.runCollect(streamOf(name).read(childId, { key })),
      (value, entries) => `, event ${value}, stream ${[...entries].join(" ")}`
    )
  }

  const operation = (scope: string, path: string, op: Op, index: number): Body<string> => {
    const branch = (label: string | number, program: Program) => Effect.map(sequence(`${path}.${label}`, program), join)
    const step = <A>(effect: Effect.Effect<A, never, never>) => Effect.andThen(witness.began(path), effect)
    const undoing = "undo" in op && op.undo ? { rollback: () => witness.undoes(path) } : {}
    switch (op._tag) {
      case "Step":
        return Step.run(op.name, step(Effect.as(turns(op.turns), `${op.name} done`)), undoing)
      case "FailingStep":
        return Step.run(op.name, Effect.andThen(witness.began(path), Effect.fail(new Broken({ code: op.code }))), {
          error: Broken
        }).pipe(
          Effect.catchTag("Broken", ({ code }) => Effect.succeed(`${op.name} broken ${code}`))
        )
      case "RetriedStep":
        return Step.run(
          op.name,
          Effect.gen(function*() {
            const { currentAttempt } = (yield* StepStatus.current)!
            yield* witness.began(path)
            if (currentAttempt < op.failures) return yield* new Broken({ code: currentAttempt })
            return `${op.name} after ${currentAttempt}`
          }),
          { error: Broken, retry: { maxAttempts: 3, interval: brief, while: () => true } }
        )
      case "Transaction":
        return Transaction.run(
          op.name,
          Effect.gen(function*() {
            const sql = yield* SqlClient
            yield* sql`INSERT INTO ${sql.literal(ledger)} (root, path) VALUES (${root}, ${path})`
            return `${op.name} committed`
          }),
          undoing
        )
      case "Child": {
        const childPath = `${path}.child`
        const payload = { program: op.program, path: childPath, fails: op.fails, others: 0, from: 0 }
        const options = { workflowId: idOf(root, childPath), key: path }
        const told = (result: Body<ReadonlyArray<string>>) =>
          result.pipe(
            Effect.map(join),
            Effect.catchIf((error) => error instanceof Broken, () => Effect.succeed("failed"))
          )
        const { meanwhile, reads } = op
        return Effect.gen(function*() {
          const before = meanwhile === null ? undefined : yield* Node.start(payload, options)
          const between = meanwhile === null ? "" : yield* branch("meanwhile", meanwhile)
          const result = yield* told(before === undefined ? Node.execute(payload, options) : before.result)
          return `${between} child ${result}${reads ? yield* toldBy(childPath, path) : ""}`
        })
      }
      case "Send": {
        const send = (n: number) =>
          messageOf(`${scope}-${op.topic}`).send(id, op.value, {
            key: `${path}-${n}`,
            ...op.keyed ? { idempotencyKey: path } : {}
          })
        return Effect.as(op.keyed ? Effect.andThen(send(0), send(1)) : send(0), "sent")
      }
      case "Receive":
        return Effect.map(
          messageOf(`${scope}-${op.topic}`).receive({ timeout: brief }),
          (value) => `received ${Option.getOrElse(value, () => "nothing")}`
        )
      case "ReceiveOther":
        return Effect.suspend(() => {
          if (scope !== "m" || others === 0) return Effect.succeed("nothing from outside")
          others--
          return Effect.map(messageOf("other").receive(), (value) => `from outside ${value}`)
        })
      case "Set":
        return Effect.as(eventOf(`${scope}-${op.key}`).set(op.value), "set")
      case "Get":
        return Effect.map(
          eventOf(`${scope}-${op.key}`).get(id, { timeout: brief }),
          (value) => `got ${Option.getOrElse(value, () => "nothing")}`
        )
      case "Write":
        return streamOf(`${scope}-${op.key}`).write(op.value).pipe(
          Effect.as("written"),
          Effect.catchIf((error) => error.reason._tag === "StreamClosed", () => Effect.succeed("refused"))
        )
      case "Close":
        return Effect.as(streamOf(`${scope}-${op.key}`).close, "closed")
      case "Select": {
        const mine = messageOf(path)
        if (op.winner === "sleep") {
          return Effect.map(
            Workflow.select({ message: mine.receive(), late: Effect.sleep(brief) }),
            ({ _tag }) => `selected ${_tag}`
          )
        }
        return Effect.andThen(
          mine.send(id, op.value),
          Effect.map(
            Workflow.select({ late: Effect.sleep(never), message: mine.receive() }),
            ({ value }) => `selected ${value}`
          )
        )
      }
      case "Sleep":
        return Effect.gen(function*() {
          const due = (yield* Clock.currentTimeMillis) + op.ms
          yield* Effect.sleep(op.ms)
          witness.woke(path, due)
          return "slept"
        })
      case "All":
        return Effect.map(
          Workflow.all(op.branches.map((program, index) => branch(index, program)), { concurrency: "unbounded" }),
          (parts) => parts.join(" & ")
        )
      case "Plain":
        return Effect.map(
          Workflow.all(op.branches.map((program, index) => branch(index, program))),
          (parts) => parts.join(" & ")
        )
      case "ForEach":
        return Effect.map(
          Workflow.forEach(Array.from({ length: op.times }), (_, index) => branch(index, op.program), {
            concurrency: op.wide ? "unbounded" : 1
          }),
          (parts) => parts.join(" & ")
        )
      case "Race": {
        const losers: Record<typeof op.loser, Body<unknown>> = {
          receive: messageOf(`${path}-never`).receive(),
          sleep: Effect.sleep(never),
          event: eventOf(`${path}-never`).get(id)
        }
        const lost = Effect.as(losers[op.loser], "the loser")
        const won = branch("winner", op.winner)
        return Effect.map(
          Workflow.race<Body<string>>(op.first ? [won, lost] : [lost, won]),
          (value) => `won by ${value}`
        )
      }
      case "Timeout":
        return op.program === null
          ? Workflow.timeout(messageOf(`${path}-never`).receive(), brief).pipe(
            Effect.map((value) => `received ${value}`),
            Effect.catchIf(Cause.isTimeoutError, () => Effect.succeed("too late"))
          )
          : Effect.map(Workflow.timeout(branch("in time", op.program), never), (value) => `in time ${value}`)
      case "Patch":
        return Effect.map(Workflow.patch(path), (isNew) => isNew ? "patched" : "older than the patch")
      case "Now":
        return same(Effect.map(Workflow.now(), DateTime.toEpochMillis), step)
      case "Uuid":
        return same(Workflow.randomUUID(), step)
      case "Again":
        return scope === scopeOf(node.path)
          ? Node.continueAsNew({ ...node, others, from: index + 1 })
          : Effect.succeed("no life of its own")
    }
  }

  return Effect.gen(function*() {
    const result = yield* sequence(scopeOf(node.path), node.program, node.from)
    if (node.path === "") yield* messageOf("end").receive()
    if (node.fails) return yield* new Broken({ code: 0 })
    return result
  })
}

/** What a step got to see of it is what a replay sees. */
const same = (
  value: Effect.Effect<string | number>,
  step: <A>(effect: Effect.Effect<A>) => Effect.Effect<A>
): Body<string> =>
  Effect.flatMap(value, (now) =>
    Effect.map(
      Step.run("keep", step(Effect.succeed(now))),
      (kept) => kept === now ? "the same" : `${now}, and not ${kept}`
    ))

const turns = (count: number): Effect.Effect<void> =>
  Effect.forEach(
    Array.from({ length: count }),
    () => Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve))),
    {
      discard: true
    }
  )

const join = (parts: ReadonlyArray<string>): string => `(${parts.join(", ")})`
