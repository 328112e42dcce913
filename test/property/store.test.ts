/**
 * Holds both stores to one model of their contract in memory: two processes in turns do anything in any order, every answer
 * and all that can be seen of every workflow must be the model's.
 *
 * `PERDURE_SEED=n` runs one seed again; `PERDURE_COMMANDS=n` sets how many runs there are.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { it } from "vitest"
import { limitMs, report, seed } from "./holds.ts"
import { type Action, type Ending, executors, ids, Model, type Place } from "./store/model.ts"
import { Real } from "./store/real.ts"
import { onStores } from "./stores.ts"

const runs = Number(process.env["PERDURE_COMMANDS"] ?? 24)

class Does implements fc.AsyncCommand<Model, Real> {
  private readonly action: Action
  private readonly turn: number

  constructor(action: Action, turn: number) {
    this.action = action
    this.turn = turn
  }

  /**
   * Who advances or renews has owned it. One that owns it no more says something of its own: else it would say what the
   * owner said last, which is recorded. Nobody waits for itself.
   */
  check(model: Model): boolean {
    const { action } = this
    if (action._tag !== "Advance" && action._tag !== "Renew") return true
    const workflow = model.workflows.get(action.id)
    if (workflow === undefined || workflow.executor === null) return false
    if (workflow.owner === null && !action.late) return false
    if (action._tag === "Advance" && action.end._tag === "Suspend" && action.end.awaits?.id === action.id) return false
    // A child is started by a record, and nobody is its own.
    if (action._tag === "Advance" && action.child !== null && (action.records === 0 || action.child.id === action.id)) {
      return false
    }
    // Refused for two reasons: which one is told is not said.
    if (action._tag === "Advance" && action.end._tag === "Suspend" && action.end.awaits !== null) {
      if (action.child !== null && model.refuses(action.child)) return false
    }
    return action._tag === "Renew" || action.records > 0 || !action.late
  }

  async run(model: Model, real: Real): Promise<void> {
    const answer = await Effect.runPromise(real.does(this.action, model, this.turn))
    assert.deepStrictEqual(answer, model.does(this.action), "the answer")
    for (const id of ids) {
      assert.deepStrictEqual(await Effect.runPromise(real.view(id, this.turn + 1)), model.view(id), `workflow ${id}`)
    }
    assert.deepStrictEqual(await Effect.runPromise(real.queue(this.turn + 1)), model.queue, "the queue")
  }

  toString(): string {
    return JSON.stringify({ ...this.action, turn: this.turn })
  }
}

const id = fc.constantFrom(...ids)
const by = fc.nat({ max: executors - 1 })
const payload = fc.constantFrom(1 as const, 2 as const)
const priority = fc.constantFrom(0, 0, 1, 2)
const place: fc.Arbitrary<Place> = fc.oneof(
  fc.constant({ _tag: "Large" as const }),
  fc.record({ _tag: fc.constant("Queue" as const), priority, deduplicationId: fc.constantFrom(null, "x", "x", "x") })
)
const late = fc.nat({ max: 9 }).map((n) => n === 9)

const end: fc.Arbitrary<Ending> = fc.oneof(
  fc.record({ _tag: fc.constantFrom("None" as const, "None", "None", "None", "Succeed", "Fail", "Block", "Release") }),
  fc.record({
    _tag: fc.constant("Suspend" as const),
    sleeps: fc.boolean(),
    awaits: fc.option(fc.record({ id, on: fc.constantFrom("end" as const, "event" as const, "stream" as const) })),
    seen: fc.constantFrom(true, true, false)
  })
)

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ _tag: fc.constant("Start" as const), id, payload, owner: fc.option(by, { freq: 1 }), place })
  },
  { weight: 4, arbitrary: fc.record({ _tag: fc.constant("Claim" as const), by }) },
  {
    weight: 20,
    arbitrary: fc.record({
      _tag: fc.constant("Advance" as const),
      id,
      late,
      records: fc.constantFrom(0, 1, 1, 2),
      child: fc.option(
        fc.record({ id, payload, place: fc.option(place), detached: fc.constantFrom(false, false, true) }),
        {
          freq: 2
        }
      ),
      rollback: fc.constantFrom(false, false, true),
      event: fc.option(fc.nat({ max: 2 })),
      entry: fc.boolean(),
      consumes: fc.boolean(),
      end
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ _tag: fc.constant("Deliver" as const), id, message: fc.nat({ max: 3 }), payload })
  },
  { weight: 4, arbitrary: fc.record({ _tag: fc.constantFrom("Cancel" as const, "Resume", "Resume", "Delete"), id }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Renew" as const), id, late, payload }) },
  { weight: 2, arbitrary: fc.record({ _tag: fc.constantFrom("Lapse" as const, "Leave", "Beat", "Hear"), by }) },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Clock" as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("Limit" as const), concurrency: fc.constantFrom(null, 1, 1, 2) })
  },
  {
    weight: 1,
    arbitrary: fc.record({ _tag: fc.constant("Pause" as const), paused: fc.constantFrom(true, false, false) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("Priority" as const), id, priority }) }
)

const commands = fc.commands([fc.tuple(action, fc.nat({ max: 1 })).map(([action, turn]) => new Does(action, turn))], {
  maxCommands: 200,
  size: "max"
})

onStores(`the contract, seed ${seed}`, (opened) => {
  it("is what the model says, whatever two processes do in turns", () =>
    fc.assert(
      fc.asyncProperty(commands, async (commands) => {
        const real = new Real(opened().stores.slice(0, 2))
        await Effect.runPromise(real.begin)
        await fc.asyncModelRun(() => ({ model: new Model(), real }), commands)
      }),
      { seed, numRuns: runs, reporter: report, interruptAfterTimeLimit: limitMs, markInterruptAsFailure: true }
    ))
})
