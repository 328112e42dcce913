/** Perdure, on whichever store: what both of its engines share. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import { setTimeout } from "node:timers/promises"
import { Client, Engine, Message, Step, Workflow, WorkflowEvent, WorkflowQueue } from "perdure"
import type { Store } from "perdure/Store"
import { copy } from "../../harness/copies.ts"
import type { Driver, Opening, Tally } from "../../harness/Engine.ts"

const Sum = Workflow.make("Sum", { payload: { steps: Schema.Int }, success: Schema.Int })

const SumLive = Sum.toLayer(Effect.fnUntraced(function*({ steps }) {
  let sum = 0
  for (let i = 0; i < steps; i++) sum += yield* Step.run(`step ${i}`, Effect.sync(() => i))
  return sum
}))

const Job = Workflow.make("Job", { success: Schema.Int })

const jobLive = (handled: () => void) =>
  Job.toLayer(() =>
    Step.run(
      "handle",
      Effect.sync(() => {
        handled()
        return 1
      })
    )
  )

const Walk = Workflow.make("Walk", { payload: { steps: Schema.Int }, success: Schema.Int })
const Note = Message.make("note", { payload: Schema.Int })
const Receiver = Workflow.make("Receiver", { payload: { count: Schema.Int } })
const Ready = WorkflowEvent.make("ready", { value: Schema.Int })
const Delayed = { payload: { delayMs: Schema.Int }, success: Schema.Int } as const
const Publisher = Workflow.make("Publisher", Delayed)
const Finisher = Workflow.make("Finisher", Delayed)
const Held = Workflow.make("Held", { success: Schema.Int })
const Child = Workflow.make("Child", { success: Schema.Int })
const Family = Workflow.make("Family", { payload: { children: Schema.Int }, success: Schema.Int })
const Sleeper = Workflow.make("Sleeper", { payload: { ms: Schema.Int } })
const Dozer = Workflow.make("Dozer", { payload: { until: Schema.Int } })
/** Without a limit. */
const dozers = WorkflowQueue.make("dozers")

/** What the driver wants to be told of, by the workflows of this process. */
class Told {
  received = (_: number) => {}
  reached = () => {}
  passed = (_: number) => {}
  held = 0
  slept = () => {}
  woke = (_: number) => {}
}

const live = (told: Told, holds: boolean) => {
  const take = (delayMs: number) => Step.run("take", Effect.promise(() => setTimeout(delayMs, 1)))
  const reached = Effect.sync(() => told.reached())
  const second = Effect.suspend(() => {
    told.held++
    return holds ? Effect.never : Effect.succeed(1)
  })
  const one = Effect.sync(() => 1)
  return Layer.mergeAll(
    SumLive,
    Walk.toLayer(Effect.fnUntraced(function*({ steps }) {
      let sum = 0
      for (let i = 0; i < steps; i++) {
        sum += yield* Step.run(`step ${i}`, Effect.sync(() => i))
        told.passed(i)
      }
      return sum
    })),
    Receiver.toLayer(Effect.fnUntraced(function*({ count }) {
      for (let i = 0; i < count; i++) told.received(yield* Note.receive())
    })),
    Publisher.toLayer(Effect.fnUntraced(function*({ delayMs }) {
      const value = yield* take(delayMs)
      yield* reached
      yield* Ready.set(value)
      return value
    })),
    Finisher.toLayer(({ delayMs }) => Effect.tap(take(delayMs), () => reached)),
    Held.toLayer(Effect.fnUntraced(function*() {
      yield* Step.run("first", one)
      yield* Step.run("second", second)
      return yield* Step.run("third", one)
    })),
    Child.toLayer(() => Step.run("one", one)),
    Family.toLayer(Effect.fnUntraced(function*({ children }) {
      const results = yield* Workflow.forEach(Array.from({ length: children }), () => Child.execute(), {
        concurrency: "unbounded"
      })
      return results.reduce((sum, result) => sum + result, 0)
    })),
    Sleeper.toLayer(({ ms }) => Effect.sleep(ms)),
    Dozer.toLayer(Effect.fnUntraced(function*({ until }) {
      told.slept()
      yield* Workflow.sleepUntil(new Date(until))
      told.woke(until)
    }))
  )
}

/** Names of the tables, which differ between the stores. */
export interface Tables {
  readonly workflow: string
  readonly step: string
}

export const open = async (
  opening: Opening,
  store: Layer.Layer<Store | SqlClient, unknown>,
  tables: Tables
): Promise<Required<Driver>> => {
  const jobs = WorkflowQueue.make(
    `jobs-${opening.concurrency ?? 0}`,
    opening.concurrency === undefined ? {} : { executorConcurrency: opening.concurrency }
  )
  const engine = opening.runs
    ? Engine.layer({ executorId: opening.executor, queues: [jobs, dozers] })
    : Engine.layerClient()
  const scope = Scope.makeUnsafe()
  const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.buildWithScope(layer, scope)
  const context = await Effect.runPromise(build(Layer.provideMerge(engine, store)))
  const run = Effect.runPromiseWith(context)
  const told = new Told()
  if (opening.runs) await run(build(live(told, opening.holds === true)))
  const sql = Context.get(context, SqlClient)
  const query = <A extends object>(statement: string) => run(sql.unsafe<A>(statement))
  const count = async (statement: string) => Number((await query<{ readonly n: number }>(statement))[0]?.n)
  return {
    close: () => Effect.runPromise(Scope.close(scope, Exit.void)),
    tally: async (): Promise<Tally> => ({
      done: await count(`SELECT count(*) AS n FROM ${tables.workflow} WHERE status = 'SUCCESS'`),
      steps: await count(`SELECT count(*) AS n FROM ${tables.step}`)
    }),
    execute: (id, steps) => run(Sum.execute({ steps }, { workflowId: id })),
    walk: (id, steps, passed) => {
      told.passed = passed
      return run(Walk.execute({ steps }, { workflowId: id }))
    },
    enqueue: (id) => run(Effect.asVoid(jobs.enqueue(Job, undefined, { workflowId: id }))),
    enqueueMany: (ids) =>
      run(Effect.asVoid(
        jobs.enqueueMany(Job, ids.map(() => undefined), { each: (_, index) => ({ workflowId: ids[index] }) })
      )),
    serve: (handled) => run(Effect.asVoid(build(jobLive(handled)))),
    enqueueAndWait: (id) =>
      run(Effect.asVoid(Effect.flatMap(jobs.enqueue(Job, undefined, { workflowId: id }), (handle) => handle.result))),
    receive: (id, count, received) => {
      told.received = received
      return run(Effect.asVoid(Receiver.start({ count }, { workflowId: id })))
    },
    send: (id, value) => run(Note.send(id, value)),
    publish: (id, delayMs, setting) => {
      told.reached = setting
      return run(Effect.asVoid(Publisher.start({ delayMs }, { workflowId: id })))
    },
    observe: (id) => run(Ready.get(id)),
    finish: (id, delayMs, ending) => {
      told.reached = ending
      return run(Effect.asVoid(Finisher.start({ delayMs }, { workflowId: id })))
    },
    result: (id) => run(Finisher.handle(id).result),
    startHeld: (id) => run(Effect.asVoid(Held.start(undefined, { workflowId: id }))),
    held: () => told.held,
    family: (id, children) => run(Family.execute({ children }, { workflowId: id })),
    sleep: (id, ms) => run(Effect.asVoid(Sleeper.start({ ms }, { workflowId: id }))),
    doze: (untils) => run(Effect.asVoid(dozers.enqueueMany(Dozer, untils.map((until) => ({ until }))))),
    dozing: (slept, woke) => {
      told.slept = slept
      told.woke = woke
    },
    past: (id, count) =>
      copy(
        query,
        [{ name: tables.workflow, id: "workflow_id", time: "created_at" }, { name: tables.step, id: "workflow_id" }],
        id,
        count
      ),
    page: async () =>
      (await run(Client.list({ status: "SUCCESS", limit: 100 }))).workflows.map(({ workflowId }) => workflowId),
    cancel: (id) => run(Client.cancel(id)),
    resume: (id) => run(Client.resume(id))
  }
}
