/** Work that goes on when the test says so, and how much of it went on at once. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { eventually } from "./observing.ts"

/** Work behind a gate, by its id. */
export const Task = Workflow.make("Task", { payload: { id: Schema.String }, success: Schema.String })

export class Gate {
  /** In the order of their starts. */
  readonly started: Array<string> = []
  /** Most that ran at once, of those that `of` puts together. */
  readonly most = new Map<string, number>()
  private readonly running = new Map<string, Set<string>>()
  private readonly latches = new Map<string, Deferred.Deferred<void>>()
  private readonly of: (id: string) => string
  private all = false

  constructor(of: (id: string) => string = () => "all") {
    this.of = of
  }

  /** Waits until `open` lets it pass. */
  readonly pass = (id: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const group = this.of(id)
      const running = this.running.get(group) ?? new Set()
      this.running.set(group, running.add(id))
      this.started.push(id)
      this.most.set(group, Math.max(this.most.get(group) ?? 0, running.size))
      return Effect.ensuring(
        this.all ? Effect.yieldNow : Deferred.await(this.latch(id)),
        Effect.sync(() => running.delete(id))
      )
    })

  /** Bodies of {@link Task}: one step behind the gate. */
  readonly live = Task.toLayer(({ id }) => Effect.as(Step.run("work", this.pass(id)), id))

  readonly open = (...ids: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.forEach(ids, (id) => Deferred.succeed(this.latch(id), undefined), { discard: true })

  /** Everything may pass, from now on. */
  readonly openAll: Effect.Effect<void> = Effect.suspend(() => {
    this.all = true
    return this.open(...this.latches.keys())
  })

  /** Waits until these have started, in whatever order, and says in which order all have. */
  readonly has = (...ids: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
    eventually(
      `the starts of ${ids.join(", ")}`,
      Effect.sync(() => this.started),
      (started) => ids.every((id) => started.includes(id))
    )

  private latch(id: string): Deferred.Deferred<void> {
    const known = this.latches.get(id)
    if (known !== undefined) return known
    const latch = Deferred.makeUnsafe<void>()
    this.latches.set(id, latch)
    return latch
  }
}

/** No poll in sight, longer than any test waits: whatever happens in it happens because somebody was told. */
export const unpolled = { poll: "1 hour" } as const
