/** The check-up: silent on a store that is well, and never on one that is not. */
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import { StoreFailed } from "perdure/WorkflowError"
import { expect, it } from "vitest"
import { findingsOf, mostRead } from "../src/internal/findings.ts"
import { sentence } from "../src/internal/sentence.ts"
import { eventually, onBothStores, untilServed } from "./given.ts"
import { live, mails, Nap, Order } from "./shop.ts"

onBothStores(live, (given) => {
  it("finds nothing where all is well", async () => {
    const { cli, effect, json } = given()
    await effect(Order.execute({ item: "pen" }))
    await effect(Nap.start())
    for (let n = 0; n < 4; n++) await effect(mails.enqueue(Nap))
    await untilServed(given())
    expect(await cli("doctor")).toBe(
      "schema     ok\nclock      ok\nexecutors  ok\nworkflows  ok\nqueues     ok\n"
    )
    expect(await json("doctor")).toEqual({ healthy: true, findings: [] })
  })

  it("finds code that nobody has, paused queues, blocked workflows and what was changed by hand, with remedies", async () => {
    const { answer, cli, effect, kind } = given()
    await effect(Client.start("Unknown", { workflowId: "unknown-1", version: "v9" }))
    await cli("queue", "pause", "mails")
    await eventually(() => effect(Client.queues.get("mails")), ({ waiting }) => waiting > 0)
    const drop = kind === "sqlite" ? "DROP INDEX perdure_workflow_fork" : "DROP INDEX perdure.workflow_fork"
    await effect(Effect.flatMap(SqlClient, (sql) => sql.unsafe(drop)))
    const found = await answer("doctor")
    expect(found).toMatchObject({ exitCode: 1, err: "" })
    expect(found.out).toMatch(
      /schema +1 found\n +The index (?:perdure_)?workflow_fork is missing: it is not there\.\n +Make it/
    )
    expect(found.out).toContain("1 workflow \"Unknown\" of version \"v9\" can be run by no living executor")
    expect(found.out).toContain("The queue \"mails\" is paused")
    const { findings, healthy } = JSON.parse((await answer("doctor", "--json")).out)
    expect(healthy).toBe(false)
    expect(findings.map(({ check }: any) => check)).toEqual(["schema", "workflows", "queues"])
    for (const { remedy } of findings) expect(remedy).not.toBe("")
  })
})

const well = {
  kind: "sqlite",
  schema: [],
  clock: { aheadMs: 0, askedMs: 1 },
  now: 1_000_000,
  executors: [],
  needs: [],
  strays: [],
  blocked: [],
  deadLettered: [],
  heads: [],
  unread: []
} as const

const executor = {
  incarnation: "i",
  executorId: "shop-1",
  version: "v1",
  state: "alive",
  leaseUntil: 1_000_000,
  owned: 0,
  served: [],
  queues: null
} as const

it("a text that has its end already gets no full stop besides", () => {
  expect(["it is gone", "it is gone.", "was it dropped?", "wait…", ""].map(sentence)).toEqual([
    "it is gone.",
    "it is gone.",
    "was it dropped?",
    "wait…",
    "."
  ])
  const failed = (detail: string) => new StoreFailed({ detail, retryable: false }).message
  expect([failed("no such table"), failed("was it dropped?"), failed("It is gone.")]).toEqual([
    "The store failed: no such table. This needs a person.",
    "The store failed: was it dropped? This needs a person.",
    "The store failed: It is gone. This needs a person."
  ])
})

it("a clock that is off, a dead lease, strays, dead letters and damage are findings", () => {
  expect(findingsOf(well)).toEqual([])
  const problems = (facts: Parameters<typeof findingsOf>[0]) => findingsOf(facts).map(({ problem }) => problem)
  expect(problems({ ...well, clock: { aheadMs: 1_900, askedMs: 0 } })).toEqual([])
  expect(problems({ ...well, clock: { aheadMs: -90_000, askedMs: 5 } })).toEqual([
    "This machine's clock is 1m30s behind the database's"
  ])
  const dead = { ...executor, state: "lapsed", leaseUntil: 990_000, owned: 2 } as const
  expect(problems({ ...well, executors: [dead] })).toEqual([
    "The executor \"shop-1\" died 10s ago and still owns 2 workflows"
  ])
  // A living one is about to take them over, unless it has had a minute.
  expect(problems({ ...well, executors: [dead, executor] })).toEqual([])
  expect(problems({ ...well, executors: [{ ...dead, leaseUntil: 900_000 }, executor] })).toHaveLength(1)
  expect(problems({ ...well, strays: [{ workflowId: "w", status: "PENDING", why: "asleep" }] })).toEqual([
    "The workflow \"w\" (PENDING) is suspended, and nothing will wake it"
  ])
  expect(problems({ ...well, blocked: ["a", "b", "c", "d"], deadLettered: ["e"] })).toEqual([
    "4 workflows blocked: code and history disagree (\"a\", \"b\", \"c\", ...)",
    "1 dead letter: their executors died again and again (\"e\")"
  ])
  // No more are read.
  const many = Array.from({ length: mostRead }, (_, n) => `w${n}`)
  expect(problems({ ...well, blocked: many, deadLettered: many })).toEqual([
    "At least 100 workflows blocked: code and history disagree (\"w0\", \"w1\", \"w2\", ...)",
    "At least 100 dead letters: their executors died again and again (\"w0\", \"w1\", \"w2\", ...)"
  ])
  const strays = many.map((workflowId) => ({ workflowId, status: "PENDING", why: "asleep" }) as const)
  expect(problems({ ...well, strays }).at(-1)).toBe("There may be more than the 100 that are named")
  const paused = (waiting: number) => {
    const why = {
      _tag: "Queued",
      queue: "mails",
      before: 0,
      running: 0,
      waiting,
      holds: ["paused"],
      servedBy: []
    } as const
    const head = { workflowId: "w", status: "ENQUEUED", why, since: undefined, deadline: undefined, text: "" } as const
    return problems({ ...well, heads: [{ queue: { name: "mails" }, head }] })
  }
  expect([paused(1), paused(2)]).toEqual([
    ["The queue \"mails\" is paused, and 1 workflow waits in it"],
    ["The queue \"mails\" is paused, and 2 workflows wait in it"]
  ])
  expect(problems({ ...well, unread: ["executors"] })).toEqual([
    "The executors could not be read, so nothing is said of them"
  ])
  expect(problems({ ...well, schema: [{ object: "file", problem: "damaged", detail: "row 3 missing" }] })).toEqual([
    "The file is damaged: row 3 missing"
  ])
})
