/** A program run by an engine that is lost now and then, and everything that it left behind compared with the reference. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import * as Engine from "perdure/Engine"
import { Store } from "perdure/Store"
import { options } from "../../engine/harness.ts"
import { body, Broken, ledger, messageOf, nodeOf, type Witness } from "./body.ts"
import { differ, differences } from "./differences.ts"
import { type Case, type Crash, precedes, type Program } from "./program.ts"
import { interpret, type World } from "./reference.ts"

type Needs = Store | SqlClient

const leaseMs = 3_600_000

let runs = 0

/** Where the engine and the reference disagree; empty: nowhere. */
export const compare = (client: Context.Context<Needs>, one: Case): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.scoped(Effect.suspend(() => new Run(client, one).compared)).pipe(
    Effect.provideService(References.MinimumLogLevel, "None")
  )

/** The table of the application, without a constraint that would hide a second row. */
export const makeLedger = Effect.flatMap(
  SqlClient,
  (sql) => sql`CREATE TABLE ${sql.literal(ledger)} (root TEXT NOT NULL, path TEXT NOT NULL)`
)

/** A step's body has begun. */
export interface Begun {
  readonly life: number
  readonly path: string
}

class Run {
  private readonly root = `program${++runs}`
  private readonly node = nodeOf(`Node${runs}`)
  private readonly client: Context.Context<Needs>
  private readonly one: Case
  private readonly begun: Array<Begun> = []
  private readonly undone: Array<Begun> = []
  /** The engine that is not lost yet. */
  private life = 0
  private steps = 0
  private scope: Scope.Closeable | undefined
  private pending: { readonly crash: Crash; readonly due: Deferred.Deferred<void> } | undefined

  constructor(client: Context.Context<Needs>, one: Case) {
    this.client = client
    this.one = one
  }

  private get store() {
    return Context.get(this.client, Store)
  }

  readonly compared = Effect.gen({ self: this }, function*() {
    const { crashes, others, program } = this.one
    const world = interpret(program, values(others))
    const layer = Layer.fresh(Engine.layerClient({ poll: options.poll }))
    const outside = Context.merge(
      this.client,
      yield* Layer.build(Layer.provide(layer, Layer.succeedContext(this.client)))
    )
    yield* this.open
    const driven = Effect.gen({ self: this }, function*() {
      const handle = yield* this.node.start({ program, path: "", fails: false, others, from: 0 }, {
        workflowId: this.root
      })
      for (const value of values(others)) {
        // Twice under one key: it comes once.
        const sent = messageOf("other").send(this.root, value, { idempotencyKey: `other ${value}` })
        yield* Effect.andThen(sent, sent)
      }
      yield* messageOf("end").send(this.root, 0)
      yield* Effect.raceFirst(Effect.exit(handle.result), this.crashesBy(crashes))
      return yield* this.differences(world)
    })
    return yield* Effect.provideContext(driven, outside).pipe(
      Effect.timeout(120_000),
      Effect.catchIf(Cause.isTimeoutError, () => Effect.map(this.state, (state) => [`it does not end: ${state}`]))
    )
  })

  // ---------------------------------------------------------------------------
  // lives
  // ---------------------------------------------------------------------------

  private readonly open = Effect.gen({ self: this }, function*() {
    const life = ++this.life
    this.steps = 0
    const witness: Witness = {
      began: (path) => Effect.suspend(() => this.began(this.begun, life, path)),
      undoes: (path) => Effect.suspend(() => this.began(this.undone, life, path)),
      woke: () => {}
    }
    const live = this.node.toLayer((node) =>
      body(witness, this.node, this.root, node).pipe(
        // What a program does not handle is no part of it.
        Effect.catch((error) => error instanceof Broken ? Effect.fail(error) : Effect.die(error))
      )
    )
    const engine = live.pipe(
      Layer.provideMerge(Layer.fresh(Engine.layer({ ...options, lease: leaseMs, executorId: `life ${life}` })))
    )
    this.scope = yield* Scope.fork(yield* Effect.scope)
    yield* Layer.buildWithScope(Layer.provide(engine, Layer.succeedContext(this.client)), this.scope)
  })

  private began(log: Array<Begun>, life: number, path: string): Effect.Effect<void> {
    // A process that is gone does nothing more.
    if (life !== this.life) return Effect.never
    log.push({ life, path })
    this.steps++
    if (this.pending === undefined || this.steps < this.pending.crash.step) return Effect.void
    const { crash, due } = this.pending
    Deferred.doneUnsafe(due, Exit.void)
    return crash.during ? Effect.never : Effect.void
  }

  /** Ends by nothing but an interruption. */
  private crashesBy(crashes: ReadonlyArray<Crash>) {
    return Effect.gen({ self: this }, function*() {
      for (const crash of crashes) {
        const due = Deferred.makeUnsafe<void>()
        this.pending = { crash, due }
        if (this.steps >= crash.step) Deferred.doneUnsafe(due, Exit.void)
        yield* Deferred.await(due)
        this.pending = undefined
        yield* Effect.uninterruptible(this.crashes(crash))
      }
      return yield* Effect.never
    })
  }

  private crashes({ how }: Crash) {
    return Effect.suspend(() => {
      const scope = this.scope!
      // Nothing of it counts from here on.
      this.life++
      const lost = how === "is lost" ? this.store.adjustClock(2 * leaseMs) : Scope.close(scope, Exit.void)
      return Effect.andThen(Effect.andThen(lost, this.open), Scope.close(scope, Exit.void))
    })
  }

  private readonly state = Effect.gen({ self: this }, function*() {
    const rows = yield* this.store.list({ idPrefix: this.root, order: "asc", limit: 100 })
    return JSON.stringify(
      [
        this.begun,
        this.life,
        this.steps,
        rows.map(({ reason, status, waits, workflowId, executorId, epoch, wakeAt }) => ({
          workflowId,
          status,
          reason,
          waits,
          executorId,
          epoch,
          wakeAt
        }))
      ]
    )
  })

  // ---------------------------------------------------------------------------
  // comparison
  // ---------------------------------------------------------------------------

  private readonly differences = Effect.fnUntraced({ self: this }, function*(this: Run, world: World) {
    return [
      ...yield* differences(this.client, this.node, this.root, world),
      ...differ("steps that ran", [...world.ran].toSorted(), pathsOf(this.begun)),
      ...differ("steps that were rolled back", [...world.undone].toSorted(), pathsOf(this.undone)),
      ...ranAgain(this.begun, retried(this.one.program, "m"))
    ]
  })
}

export const values = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, index) => index)

export const pathsOf = (begun: ReadonlyArray<Begun>): ReadonlyArray<string> =>
  [...new Set(begun.map(({ path }) => path))].toSorted()

/** How often a step may begin in one life: once, or as often as it is tried. */
export const retried = (program: Program, scope: string): ReadonlyMap<string, number> =>
  new Map(program.flatMap((op, index): ReadonlyArray<readonly [string, number]> => {
    const path = `${scope}.${index}`
    const below = (label: string | number, inner: Program) => [...retried(inner, `${path}.${label}`)]
    switch (op._tag) {
      case "RetriedStep":
        return [[path, op.failures + 1]]
      case "Child":
        return [...below("child", op.program), ...op.meanwhile === null ? [] : below("meanwhile", op.meanwhile)]
      case "All":
      case "Plain":
        return op.branches.flatMap((branch, label) => below(label, branch))
      case "ForEach":
        return values(op.times).flatMap((label) => below(label, op.program))
      case "Race":
        return below("winner", op.winner)
      case "Timeout":
        return op.program === null ? [] : below("in time", op.program)
      default:
        return []
    }
  }))

/** Steps that began again although they had ended for good: something after them had begun, or nobody was lost. */
export const ranAgain = (begun: ReadonlyArray<Begun>, tries: ReadonlyMap<string, number>): ReadonlyArray<string> =>
  begun.flatMap(({ life, path }, index) => {
    const before = begun.slice(0, index)
    const later = before.find((other) => precedes(path, other.path))
    const times = before.filter((other) => other.path === path && other.life === life).length
    return [
      ...later === undefined ? [] : [`${path} began after ${later.path} had begun`],
      ...times < (tries.get(path) ?? 1) ? [] : [`${path} began ${times + 1} times in one life`]
    ]
  })
