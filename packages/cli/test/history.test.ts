/** Carrying histories: between stores of both kinds, whole, over nothing that is there. */
import * as Effect from "effect/Effect"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "perdure/Client"
import { afterAll, beforeAll, expect, it } from "vitest"
import { emptyPlace, eventually, onBothStores, run } from "./given.ts"
import { Approval, Approved, live, Nap, Order } from "./shop.ts"

let folder = ""
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "perdure-history-"))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

onBothStores(live, (given) => {
  it("history export and import carry a workflow to a store of the other kind, and back", () =>
    Effect.gen(function*() {
      const { cli, effect, kind } = given()
      const file = join(folder, `whole-${kind}.jsonl`)
      yield* Effect.promise(async () => {
        await effect(Approved.start({ text: "please" }, { workflowId: "carry-1", attributes: { tier: "gold" } }))
        await effect(Approval.send("carry-1", { by: "ada" }))
        await cli("workflow", "result", "carry-1", "--timeout", "1m")
        await cli("history", "export", "carry-1", "--output", file)
      })
      const other = yield* emptyPlace(kind === "sqlite" ? "postgres" : "sqlite")
      const elsewhere = async (...args: ReadonlyArray<string>) => {
        const answer = await run([...args, "--store", other])
        if (answer.exitCode !== 0) throw new Error(`${args.join(" ")}: ${answer.exitCode} ${answer.err}`)
        return answer.out
      }
      yield* Effect.promise(async () => {
        await elsewhere("migrate", "up")
        expect(await elsewhere("history", "import", file)).toBe("Imported carry-1.\n")
        for (const look of [["workflow", "steps"], ["event", "get"], ["stream", "tail"]]) {
          expect(await elsewhere(...look, "carry-1", "--json")).toBe(await cli(...look, "carry-1", "--json"))
        }
        expect(JSON.parse(await elsewhere("workflow", "get", "carry-1", "--json"))).toEqual(
          JSON.parse(await cli("workflow", "get", "carry-1", "--json"))
        )
        const copy = readFileSync(file, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line))
        const back = (await elsewhere("history", "export", "carry-1")).trimEnd().split("\n").map((line) =>
          JSON.parse(line)
        )
        copy[0].workflow.epoch = back[0].workflow.epoch
        expect(back).toEqual(copy)
      })
    }).pipe(Effect.scoped, Effect.runPromise))

  it("history export writes one of many rows whole, and leaves no file that is not", async () => {
    const { answer, cli, effect, kind } = given()
    const file = join(folder, `many-${kind}.jsonl`)
    await effect(Order.execute({ item: "pen" }, { workflowId: "many" }))
    const steps = Array.from({ length: 3_000 }, (_, stepId) => stepId)
    await effect(Effect.gen(function*() {
      const { records: [first], ...rest } = yield* Client.exportHistory("many")
      const records = steps.map((stepId) => ({ ...first!, stepId, seq: stepId + 1, asked: stepId }))
      yield* Client.importHistory({ ...rest, records, workflow: { ...rest.workflow, workflowId: "many-2" } })
    }))
    expect(await answer("history", "export", "many-2", "nobody", "--output", file)).toMatchObject({ exitCode: 3 })
    expect(existsSync(file)).toBe(false)
    await cli("history", "export", "many-2", "many", "--output", file)
    const text = readFileSync(file, "utf8")
    expect(text).toBe(await cli("history", "export", "many-2", "many"))
    const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line))
    expect(lines.flatMap(({ step }) => step === undefined ? [] : [step.stepId])).toEqual([...steps, 0, 1])
    expect(lines.flatMap(({ end, lines }) => end === undefined ? [] : [[end, lines]])).toEqual([
      ["many-2", 3_001],
      ["many", 3]
    ])
    await cli("workflow", "delete", "many-2", "--yes")
    expect((await answer("history", "import", file)).out).toBe("Imported many-2.\n")
    // Only who owns it is numbered anew.
    const withoutEpoch = (text: string) => text.replace(/"epoch":\d+/, "")
    expect(withoutEpoch(await cli("history", "export", "many-2", "many"))).toBe(withoutEpoch(text))
  })

  it("history import overwrites nothing, and says what was there", async () => {
    const { answer, cli, effect, kind } = given()
    const file = join(folder, `taken-${kind}.jsonl`)
    for (const n of [1, 2]) await effect(Order.execute({ item: "pen" }, { workflowId: `taken-${n}` }))
    await cli("history", "export", "taken-1", "taken-2", "--output", file)
    await cli("workflow", "delete", "taken-2", "--yes")
    const again = await answer("history", "import", file)
    expect(again).toMatchObject({ exitCode: 4, out: "Imported taken-2.\n" })
    expect(again.err).toContain("nothing of them was overwritten: taken-1")
    expect(await answer("history", "export", "taken-1", "--output", file)).toMatchObject({ exitCode: 6, out: "" })
  })

  it("one that was not done arrives blocked, and runs only when it is resumed", async () => {
    const { cli, effect, json, kind } = given()
    const file = join(folder, `napping-${kind}.jsonl`)
    await effect(Nap.start(undefined, { workflowId: "napping" }))
    await eventually(() => effect(Client.explain("napping")), ({ why }) => why._tag === "Suspended")
    await cli("history", "export", "napping", "--output", file)
    await cli("workflow", "cancel", "napping", "--yes")
    await cli("workflow", "delete", "napping", "--yes")
    await cli("history", "import", file)
    expect(await json("workflow", "get", "napping")).toMatchObject({
      status: "BLOCKED",
      reason: { actual: "an imported one" }
    })
    await cli("workflow", "resume", "napping")
    await eventually(() => effect(Client.explain("napping")), ({ why }) => why._tag === "Suspended")
  })

  it("a file that is no history, or was cut short, is refused before anything is written", async () => {
    const { answer, cli, effect, kind } = given()
    await effect(Order.execute({ item: "pen" }, { workflowId: "cut-1" }))
    const whole = await cli("history", "export", "cut-1")
    const lines = whole.trimEnd().split("\n")
    await cli("workflow", "delete", "cut-1", "--yes")
    const file = join(folder, `cut-${kind}.jsonl`)
    for (
      const text of [
        "",
        "hello\n",
        lines.slice(0, -1).join("\n"),
        [lines[0], ...lines.slice(2)].join("\n"),
        lines.slice(1).join("\n"),
        whole.replace("\"status\":\"SUCCESS\"", "\"status\":\"DONE\"")
      ]
    ) {
      writeFileSync(file, text)
      expect(await answer("history", "import", file)).toMatchObject({ exitCode: 2, out: "" })
    }
    expect(await answer("workflow", "get", "cut-1")).toMatchObject({ exitCode: 3 })
    expect(await answer("history", "import", join(folder, "nowhere"))).toMatchObject({ exitCode: 6, out: "" })
    expect(existsSync(join(folder, "nowhere"))).toBe(false)
    expect(await answer("history", "export", "nobody")).toMatchObject({ exitCode: 3, out: "" })
  })
})
