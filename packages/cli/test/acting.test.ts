/** Acting on workflows: by id, or on all that fit a filter; nothing is destroyed that nobody confirmed. */
import * as Client from "perdure/Client"
import { expect, it } from "vitest"
import { eventually, onBothStores } from "./given.ts"
import { Flaky, live, mails, Nap, Order } from "./shop.ts"

onBothStores(live, (given) => {
  it("workflow start starts by name, with a payload, an id and attributes; the same again attaches", async () => {
    const { answer, cli, effect, json } = given()
    const start = [
      "workflow",
      "start",
      "Order",
      "--payload",
      "{\"item\":\"pen\"}",
      "--id",
      "start-1",
      "--attribute",
      "n=1"
    ]
    expect(await cli(...start)).toBe("Started start-1\n")
    expect(await json(...start)).toEqual({ workflowId: "start-1" })
    expect(await json("workflow", "result", "start-1", "--timeout", "1m")).toEqual({ item: "pen", total: 42 })
    expect((await effect(Client.get("start-1"))).attributes).toEqual({ n: 1 })
    const conflict = await answer("workflow", "start", "Order", "--payload", "{\"item\":\"hat\"}", "--id", "start-1")
    expect(conflict).toMatchObject({ exitCode: 4, out: "" })
    const queued = await json("workflow", "start", "Nap", "--queue", "mails", "--priority", "9", "--delay", "1h")
    expect(await effect(Client.get(queued.workflowId))).toMatchObject({
      status: "DELAYED",
      queue: "mails",
      priority: 9
    })
  })

  it("workflow start refuses what is no JSON and what makes no sense, and starts nothing", async () => {
    const { answer, effect } = given()
    const before = await effect(Client.count())
    for (
      const flags of [
        ["--payload", "{item"],
        ["--attribute", "noequals"],
        ["--priority", "3"],
        ["--timeout", "soon"],
        ["--id", "a\nb"]
      ]
    ) {
      expect(await answer("workflow", "start", "Order", ...flags)).toMatchObject({ exitCode: 2, out: "" })
    }
    expect((await answer("workflow", "start", "Order", "--queue", "nowhere")).exitCode).not.toBe(0)
    expect(await effect(Client.count())).toBe(before)
  })

  it("workflow cancel needs a confirmation, and cancels", async () => {
    const { answer, cli, effect, json } = given()
    for (const n of [1, 2, 3]) await effect(Nap.start(undefined, { workflowId: `cancel-${n}` }))
    const unconfirmed = await answer("workflow", "cancel", "cancel-1")
    expect(unconfirmed).toMatchObject({ exitCode: 4, out: "" })
    expect(unconfirmed.err).toContain("Nothing was done. Add --yes.")
    expect((await effect(Client.get("cancel-1"))).status).toBe("PENDING")
    const table = await cli("workflow", "cancel", "cancel-1", "cancel-2", "--detail", "enough", "--yes")
    expect(table).toMatch(/cancel-2 +Nap +CANCELLED/)
    expect((await json("workflow", "get", "cancel-1")).reason).toMatchObject({ by: "user", detail: "enough" })
    expect(await answer("workflow", "cancel", "nobody", "--yes")).toMatchObject({ exitCode: 3 })
  })

  it("workflow resume goes on, and says when it cannot", async () => {
    const { answer, cli, effect } = given()
    await effect(Nap.start(undefined, { workflowId: "resume-1" }))
    await cli("workflow", "cancel", "resume-1", "--yes")
    expect(await cli("workflow", "resume", "resume-1")).toMatch(/resume-1 +Nap +(?:PENDING|ENQUEUED)/)
    const again = await answer("workflow", "resume", "resume-1")
    expect(again).toMatchObject({ exitCode: 4, out: "" })
    expect(again.err).toContain("cannot be resumed")
  })

  it("workflow delete deletes what is done, and nothing else", async () => {
    const { answer, cli, effect } = given()
    await effect(Order.execute({ item: "pen" }, { workflowId: "delete-1" }))
    await effect(Nap.start(undefined, { workflowId: "delete-2" }))
    expect(await answer("workflow", "delete", "delete-1")).toMatchObject({ exitCode: 4, out: "" })
    expect(await cli("workflow", "delete", "delete-1", "--yes")).toBe("Deleted delete-1.\n")
    expect(await answer("workflow", "delete", "delete-2", "--yes")).toMatchObject({ exitCode: 4, out: "" })
  })

  it("acts on as many ids as are given, and shows each", async () => {
    const { effect, json } = given()
    const ids = Array.from({ length: 1_001 }, (_, n) => `many-${n}`)
    const none = ids.map(() => undefined)
    await effect(mails.enqueueMany(Nap, none, { each: (_, index) => ({ workflowId: ids[index] }) }))
    const { workflows } = await json("workflow", "cancel", ...ids, "--yes")
    expect(new Set(workflows.map(({ status, workflowId }: any) => `${workflowId} ${status}`))).toEqual(
      new Set(ids.map((id) => `${id} CANCELLED`))
    )
  })

  it("acts on all that fit a filter, after a count, and tells how many it was done to", async () => {
    const { answer, cli, effect, json } = given()
    for (const n of [1, 2, 3]) await effect(Nap.start(undefined, { workflowId: `bulk-${n}` }))
    const fit = ["--id-prefix", "bulk-"]
    expect(await cli("workflow", "cancel", ...fit, "--dry-run")).toBe(
      "3 workflows would be looked at; nothing was done.\n"
    )
    expect(await answer("workflow", "cancel", ...fit)).toMatchObject({ exitCode: 4, out: "" })
    expect((await effect(Client.get("bulk-1"))).status).toBe("PENDING")
    expect(await json("workflow", "cancel", ...fit, "--yes")).toEqual({ matched: 3, changed: 3 })
    expect(await cli("workflow", "resume", ...fit, "--yes")).toBe("Resumed 3 of 3 workflows.\n")
    expect(await cli("workflow", "cancel", ...fit, "--yes")).toBe("Cancelled 3 of 3 workflows.\n")
    expect(await cli("workflow", "delete", ...fit, "--yes")).toBe("Deleted 3 of 3 workflows.\n")
    expect(await cli("workflow", "delete", ...fit, "--yes")).toBe("Deleted 0 of 0 workflows.\n")
  })

  it("asks for ids or for filters, never for both or neither", async () => {
    const { answer, effect } = given()
    await effect(Order.execute({ item: "pen" }, { workflowId: "either" }))
    for (const verb of ["cancel", "resume", "delete"]) {
      for (const nothing of [[], ["--id-prefix", ""], ["--id-prefix", "", "--dry-run"]]) {
        const refused = await answer("workflow", verb, ...nothing, "--yes")
        expect(refused).toMatchObject({ exitCode: 2, out: "" })
        expect(refused.err).toContain(`It is not said what to ${verb}.`)
      }
      expect(await answer("workflow", verb, "either", "--id-prefix", "", "--yes")).toMatchObject({
        exitCode: 2,
        out: ""
      })
      expect(await answer("workflow", verb, "some-id", "--name", "Nap", "--yes")).toMatchObject({
        exitCode: 2,
        out: ""
      })
    }
    expect((await effect(Client.get("either"))).status).toBe("SUCCESS")
  })

  it("workflow fork starts again from a step, or with another input", async () => {
    const { answer, cli, effect, json } = given()
    await effect(Order.execute({ item: "pen" }, { workflowId: "fork-1" }))
    expect(await cli("workflow", "fork", "fork-1", "--from-step", "1", "--id", "fork-2")).toBe("Forked as fork-2\n")
    expect(await json("workflow", "result", "fork-2", "--timeout", "1m")).toEqual({ item: "pen", total: 42 })
    const { workflowId } = await json("workflow", "fork", "fork-1", "--payload", "{\"item\":\"hat\"}")
    expect(await json("workflow", "result", workflowId, "--timeout", "1m")).toMatchObject({ item: "hat" })
    expect(await answer("workflow", "fork", "fork-1", "--from-step", "9")).toMatchObject({ exitCode: 2, out: "" })
    expect(await answer("workflow", "fork", "nobody")).toMatchObject({ exitCode: 3, out: "" })
  })

  it("workflow watch shows steps and states until the end, and ends as the workflow did", async () => {
    const { answer, cli, effect } = given()
    await effect(Order.execute({ item: "pen" }, { workflowId: "watch-1" }))
    expect(await cli("workflow", "watch", "watch-1")).toMatch(
      /^ {2}✓ 0 reserve {2}step, \S+\n {2}✓ 1 price {2}step, \S+\nSUCCESS\n$/
    )
    const failed = await cli("workflow", "start", "Order", "--payload", "{\"item\":\"none\"}", "--id", "watch-2")
    expect(failed).toBe("Started watch-2\n")
    const watched = await answer("workflow", "watch", "watch-2", "--json")
    expect(watched).toMatchObject({ exitCode: 1, err: "" })
    const documents = watched.out.trimEnd().split("\n").map((line) => JSON.parse(line))
    expect(documents.at(-1).workflow.status).toBe("ERROR")
    expect(documents.find(({ step }) => step !== undefined).step).toMatchObject({ name: "reserve", outcome: "failure" })
    await effect(Nap.start(undefined, { workflowId: "watch-3" }))
    expect(await answer("workflow", "watch", "watch-3", "--timeout", "500ms")).toMatchObject({ exitCode: 7 })
  })

  it("workflow result waits for the end, and its exit code says how it was", async () => {
    const { answer, effect } = given()
    const running = answer("workflow", "result", "result-1", "--timeout", "1m")
    expect(await running).toMatchObject({ exitCode: 3 })
    await effect(Order.start({ item: "none" }, { workflowId: "result-2" }))
    const failed = await answer("workflow", "result", "result-2", "--timeout", "1m")
    expect(failed).toMatchObject({ exitCode: 1, out: "" })
    expect(failed.err).toMatch(/^perdure: The workflow "Order" with the id "result-2" failed with OutOfStock\.\n$/)
    await effect(Nap.start(undefined, { workflowId: "result-3" }))
    expect(await answer("workflow", "result", "result-3", "--timeout", "200ms")).toMatchObject({ exitCode: 7, out: "" })
  })

  it("workflow steps and explain say what was done and what is waited for", async () => {
    const { answer, cli, effect, json } = given()
    await effect(Order.execute({ item: "pen" }, { workflowId: "steps-1" }))
    expect(await cli("workflow", "steps", "steps-1")).toMatch(
      /^STEP +NAME +KIND +OUTCOME +TRIES +ENDED \(UTC\) +TOOK +DETAIL\n +0 +reserve +step +success +1 .*\n +1 +price +step +success +1 .*\n$/
    )
    expect((await json("workflow", "steps", "steps-1", "--after", "0")).steps).toHaveLength(1)
    await effect(Flaky.execute(undefined, { workflowId: "steps-2" }))
    const time = String.raw`(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.\d{3}`
    const [, first, second, last, ...more] = (await cli("workflow", "steps", "steps-2")).trimEnd().split("\n")
    expect(first).toMatch(new RegExp(`^ +0 +attempt 1 +failed +${time} +\\S+ +OutOfStock.*; next due ${time}$`))
    expect(second).toMatch(new RegExp(`^ +0 +attempt 2 +failed +${time} +OutOfStock.*; next due ${time}$`))
    expect([last, more]).toEqual([expect.stringMatching(new RegExp(`^ +0 +call +step +success +3 +${time} `)), []])
    const [step] = (await json("workflow", "steps", "steps-2")).steps
    expect(step.failedAttempts).toEqual([1, 2].map(() => ({
      failure: expect.objectContaining({ tag: "OutOfStock" }),
      at: expect.any(String),
      retryAt: expect.any(String)
    })))
    expect(await answer("workflow", "steps", "nobody")).toMatchObject({ exitCode: 3 })
    await effect(Nap.start(undefined, { workflowId: "explain-1" }))
    await eventually(() => json("workflow", "explain", "explain-1"), ({ why }) => why._tag === "Suspended")
    expect(await cli("workflow", "explain", "explain-1")).toMatch(
      /^It is suspended, waiting for the time .*\n\nstatus +PENDING/
    )
  })
})
