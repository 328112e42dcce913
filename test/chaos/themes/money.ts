/** Transfers in transactions, between steps: the sum stays, and each is entered once. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Client, Step, Transaction, Workflow, WorkflowContext } from "perdure"
import type { SideEffect } from "../../crash/harness/sideEffects.ts"
import { did } from "../../crash/workflows/World.ts"
import { exactly, upTo } from "../checks.ts"
import { recovery } from "../figures.ts"
import { sure } from "../sure.ts"
import type { Seen, Theme } from "./Theme.ts"

const accounts = 5
const opening = 1000

const Transfer = Workflow.make("Transfer", {
  payload: { from: Schema.Int, to: Schema.Int, amount: Schema.Int },
  maxRecoveryAttempts: 1000
})

/** The value of a step is the process that ran it, so that a run after its record can be told. */
const TransferLive = Transfer.toLayer(Effect.fnUntraced(function*({ amount, from, to }) {
  yield* Step.run("check", did("check").pipe(Effect.andThen(Effect.sleep("50 millis")), Effect.as(process.pid)))
  yield* Transaction.run(
    "move",
    Effect.gen(function*() {
      const sql = yield* SqlClient
      const { workflowId } = yield* WorkflowContext.current
      // In the order of their numbers, so that two transfers never wait for one another.
      for (const [account, change] of [[from, -amount], [to, amount]].sort(([a], [b]) => a! - b!)) {
        yield* sql`UPDATE accounts SET balance = balance + ${change!} WHERE id = ${account!}`
      }
      yield* sql`INSERT INTO transfers (workflow_id, amount) VALUES (${workflowId ?? ""}, ${amount})`
    })
  )
  yield* Step.run("tell", did("tell").pipe(Effect.andThen(Effect.sleep("50 millis")), Effect.as(process.pid)))
}))

const perAct = 4
const transferOf = (index: number, number: number) => `transfer-${index}-${number}`

interface Late {
  readonly what: string
  readonly pid: number
  readonly recorded: unknown
  readonly runs: ReadonlyArray<SideEffect>
}

/**
 * Runs after the record of another. A process that is frozen just where a step begins goes on there, and it can be at one
 * such place at a time; what it starts afterwards it starts without a lease.
 */
const tooLate = (late: ReadonlyArray<Late>, { lapsed, stops }: Seen): ReadonlyArray<string> =>
  late
    .filter(({ pid }, index) => !lapsed.has(pid) || late.findIndex((other) => other.pid === pid) < index)
    .map(({ pid, recorded, runs, what }) =>
      `${what} ran last in ${pid}, and ${recorded} had recorded it: ` +
      JSON.stringify({ runs, stops: stops.filter((stop) => stop.pid === pid) })
    )

export const money = (): Theme => ({
  name: "money",
  live: TransferLive,
  prepare: Effect.gen(function*() {
    const sql = yield* SqlClient
    yield* sql`CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)`
    yield* sql`CREATE TABLE transfers (workflow_id TEXT NOT NULL, amount INTEGER NOT NULL)`
    for (const id of upTo(accounts)) yield* sql`INSERT INTO accounts (id, balance) VALUES (${id}, ${opening})`
  }),
  act: (index) =>
    Effect.forEach(upTo(perAct), (number) => {
      const from = (index + number) % accounts
      const payload = { from, to: (from + 1 + number % (accounts - 1)) % accounts, amount: 1 + number }
      return sure(Transfer.execute(payload, { workflowId: transferOf(index, number) }))
    }, { concurrency: "unbounded" }),
  check: (seen) =>
    Effect.gen(function*() {
      const { acts, sideEffects } = seen
      const sql = yield* SqlClient
      const [total] = yield* sql<{ readonly sum: number | string }>`SELECT sum(balance) AS sum FROM accounts`
      const entered = yield* sql<{ readonly workflow_id: string }>`SELECT workflow_id FROM transfers`
      const transfers = upTo(acts).flatMap((index) => upTo(perAct).map((number) => transferOf(index, number)))
      const late = yield* Effect.forEach(transfers, (workflowId) =>
        Effect.map(Client.steps(workflowId), (steps) =>
          steps.filter(({ kind }) =>
            kind === "step"
          ).flatMap((step) => {
            const runs = sideEffects.filter((run) => run.workflowId === workflowId && run.step === step.name)
            const { pid } = runs.at(-1)!
            return pid === step.value
              ? []
              : [{ what: `${step.name} of ${workflowId}`, pid, recorded: step.value, runs }]
          })))
      return [
        ...exactly("sum of all balances", [Number(total?.sum)], [accounts * opening]),
        ...exactly("transfers entered", entered.map((row) => row.workflow_id).sort(), [...transfers].sort()),
        ...tooLate(late.flat(), seen)
      ]
    }),
  figures: (seen) =>
    Effect.succeed(recovery(seen.sideEffects.filter(({ workflowId }) => workflowId.startsWith("transfer-")), seen))
})
