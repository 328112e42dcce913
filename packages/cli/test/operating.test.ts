/** Queues, schedules, executors and versions from the command line. */
import * as Client from "perdure/Client"
import { expect, it } from "vitest"
import { onBothStores } from "./given.ts"
import { live, mails, Nap, Order } from "./shop.ts"

onBothStores(live, (given) => {
  it("queue list shows depth, running and limits", async () => {
    const { cli, effect, json } = given()
    for (let n = 0; n < 4; n++) await effect(mails.enqueue(Nap))
    const { queues } = await json("queue", "list")
    expect(queues.find(({ name }: any) => name === "mails")).toMatchObject({
      limits: { concurrency: 2 },
      paused: false
    })
    expect(await cli("queue", "list")).toMatch(
      /QUEUE +STATE +WAITING +DELAYED +RUNNING +OLDEST +LIMITS\n(?:.*\n)*mails +open +\d+ +0 +\d+ .*2 at once\n/
    )
  })

  it("queue limit changes what is given, keeps the rest, and gives it back", async () => {
    const { answer, cli, json } = given()
    const limit = (...flags: ReadonlyArray<string>) => json("queue", "limit", "mails", ...flags)
    expect((await limit("--rate", "50/1m", "--executor-concurrency", "1")).limits).toMatchObject({
      concurrency: 2,
      executorConcurrency: 1,
      rateLimit: { limit: 50, periodMs: 60_000 }
    })
    expect((await limit("--concurrency", "none", "--ageing", "10m")).limits).toMatchObject({
      concurrency: null,
      rateLimit: { limit: 50 },
      ageingMs: 600_000
    })
    expect(await cli("queue", "limit", "mails")).toMatch(/^queue +mails\nlimits +by an operator\nat once +no limit\n/)
    expect(await limit("--reset")).toMatchObject({ overridden: false, limits: { concurrency: 2, rateLimit: null } })
    for (
      const flags of [["--concurrency", "0"], ["--rate", "often"], ["--reset", "--concurrency", "1"], [
        "--partition-concurrency",
        "2"
      ]]
    ) expect(await answer("queue", "limit", "mails", ...flags)).toMatchObject({ exitCode: 2, out: "" })
    expect(await answer("queue", "limit", "nowhere")).toMatchObject({ exitCode: 3, out: "" })
  })

  it("queue pause and resume", async () => {
    const { answer, cli, effect } = given()
    expect(await cli("queue", "pause", "mails")).toBe("The queue mails is paused: what has started goes on.\n")
    expect((await effect(Client.queues.get("mails"))).paused).toBe(true)
    expect(await cli("queue", "resume", "mails")).toBe("The queue mails is open.\n")
    expect((await effect(Client.queues.get("mails"))).paused).toBe(false)
    expect(await answer("queue", "pause", "nowhere")).toMatchObject({ exitCode: 3, out: "" })
  })

  it("schedule list, next, pause and resume", async () => {
    const { answer, cli, effect, json } = given()
    const rule = { workflow: Order, payload: { item: "book" }, cron: "30 2 * * *", timeZone: "Europe/Berlin" }
    await effect(Client.schedules.create("nightly", rule))
    expect(await cli("schedule", "list", "--name-prefix", "night")).toMatch(
      /^SCHEDULE +WORKFLOW +RULE +STATE +NEXT +LAST\nnightly +Order +30 2 \* \* \* Europe\/Berlin +on +in .*\n$/
    )
    const { ticks } = await json("schedule", "next", "nightly", "--count", "3")
    expect(ticks).toHaveLength(3)
    expect(await cli("schedule", "next", "nightly", "--count", "1")).toMatch(/^\d{4}-\S+Z {2}\(in .*\)\n$/)
    expect(await cli("schedule", "pause", "nightly")).toBe("The schedule nightly is paused.\n")
    expect((await json("schedule", "list", "--paused")).schedules).toHaveLength(1)
    expect((await json("schedule", "list", "--no-paused", "--name-prefix", "night")).schedules).toHaveLength(0)
    expect(await cli("schedule", "resume", "nightly")).toMatch(/^The schedule nightly is on; next: \d{4}-.*\n$/)
    for (const verb of ["next", "pause", "resume", "trigger"]) {
      expect(await answer("schedule", verb, "nothing")).toMatchObject({ exitCode: 3, out: "" })
    }
  })

  it("schedule trigger and backfill start workflows, each tick once", async () => {
    const { answer, effect, json } = given()
    await effect(Client.schedules.create("hourly", { workflow: Order, payload: { item: "pen" }, interval: "1 hour" }))
    const { workflowId } = await json("schedule", "trigger", "hourly")
    expect(await json("workflow", "result", workflowId, "--timeout", "1m")).toMatchObject({ item: "pen" })
    const range = ["--from", "3h", "--to", "1s"]
    const first = await json("schedule", "backfill", "hourly", ...range)
    expect(first.started).toBe(first.workflowIds.length)
    expect(first.started).toBeGreaterThanOrEqual(2)
    expect((await json("schedule", "backfill", "hourly", ...range)).started).toBeLessThanOrEqual(1)
    expect(await answer("schedule", "backfill", "hourly", "--from", "3h")).toMatchObject({ exitCode: 2, out: "" })
  })

  it("executor list and version list show who lives and what is the latest", async () => {
    const { answer, cli, json } = given()
    expect(await cli("executor", "list")).toMatch(
      /^EXECUTOR +VERSION +STATE +LEASE ENDS +OWNS +QUEUES +RUNS\nshop-1 +v1 +alive +in .* all +/
    )
    const { executors } = await json("executor", "list")
    expect(executors[0]).toMatchObject({ executorId: "shop-1", version: "v1", state: "alive", queues: null })
    expect(new Date(executors[0].leaseUntil).getTime()).toBeGreaterThan(0)
    expect(await cli("version", "list")).toMatch(/^VERSION +FIRST SEEN +LATEST SINCE\nv1 +.*, the latest\n$/)
    expect(await cli("version", "set-latest", "v1")).toBe("The latest version is v1.\n")
    expect(await answer("version", "set-latest", "v9")).toMatchObject({ exitCode: 2, out: "" })
  })
})
