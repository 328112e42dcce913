/** Messages, events and streams from the command line. */
import { expect, it } from "vitest"
import { onBothStores } from "./given.ts"
import { Approved, live, Nap } from "./shop.ts"

onBothStores(live, (given) => {
  it("message send delivers once under a key, and says when nobody will receive it", async () => {
    const { answer, cli, effect, json } = given()
    await effect(Approved.start({ text: "please" }, { workflowId: "send-1" }))
    const send = ["message", "send", "send-1", "approval", "{\"by\":\"ada\"}", "--key", "k"]
    expect(await cli(...send)).toBe("Sent to send-1.\n")
    expect(await json("workflow", "result", "send-1", "--timeout", "1m")).toBe("ada")
    expect(await cli(...send)).toBe("Sent to send-1.\n")
    expect(await answer("message", "send", "send-1", "approval", "{\"by\":\"bob\"}")).toMatchObject({ exitCode: 4 })
    expect(await answer("message", "send", "nobody", "approval")).toMatchObject({ exitCode: 3, out: "" })
    expect(await answer("message", "send", "send-1", "approval", "ada")).toMatchObject({ exitCode: 2, out: "" })
  })

  it("event get prints one value, or all", async () => {
    const { answer, cli, effect, json } = given()
    await effect(Approved.start({ text: "please" }, { workflowId: "event-1" }))
    expect(await json("event", "get", "event-1", "progress", "--timeout", "1m")).toBe("asked: please")
    expect(await cli("event", "get", "event-1")).toMatch(/^KEY +SET +VALUE\nprogress +\S.* +"asked: please"\n$/)
    expect(await answer("event", "get", "event-1", "other")).toMatchObject({ exitCode: 7, out: "" })
    expect(await answer("event", "get", "nobody", "progress")).toMatchObject({ exitCode: 3 })
    await effect(Nap.start(undefined, { workflowId: "event-2" }))
    await cli("workflow", "cancel", "event-2", "--yes")
    expect(await answer("event", "get", "event-2", "progress", "--timeout", "1m")).toMatchObject({ exitCode: 1 })
  })

  it("stream tail prints what is there, and what comes until the end", async () => {
    const { answer, cli, effect } = given()
    await effect(Approved.start({ text: "please" }, { workflowId: "stream-1" }))
    await cli("event", "get", "stream-1", "progress", "--timeout", "1m")
    const followed = cli("stream", "tail", "stream-1", "lines", "--json")
    await cli("message", "send", "stream-1", "approval", "{\"by\":\"ada\"}")
    const entries = (await followed).trimEnd().split("\n").map((line) => JSON.parse(line))
    expect(entries.map(({ offset, value }) => [offset, value])).toEqual([[0, "please"], [1, "ada"]])
    expect(await cli("stream", "tail", "stream-1")).toBe("0 \"please\"\n1 \"ada\"\n")
    expect(await cli("stream", "tail", "stream-1", "--from", "1", "--no-follow")).toBe("1 \"ada\"\n")
    expect(await answer("stream", "tail", "nobody", "lines")).toMatchObject({ exitCode: 3 })
    await effect(Nap.start(undefined, { workflowId: "stream-2" }))
    expect(await cli("stream", "tail", "stream-2", "lines", "--no-follow")).toBe("")
    expect(await answer("stream", "tail", "stream-2")).toMatchObject({ exitCode: 2, out: "" })
  })
})
