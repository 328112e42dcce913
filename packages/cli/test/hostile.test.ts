/** Forty hostile strings in every field that users control: shown as text, exported whole, and nothing else. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { execFileSync } from "node:child_process"
import { stripVTControlCharacters } from "node:util"
import * as Client from "perdure/Client"
import * as Step from "perdure/Step"
import { Store } from "perdure/Store"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowStream from "perdure/WorkflowStream"
import { describe, expect, it } from "vitest"
import { json, line, lines, prettyJson } from "../src/internal/printable.ts"
import { argument } from "../src/internal/shell.ts"
import { render } from "../src/internal/table.ts"
import { onBothStores, untilServed } from "./given.ts"
import { hostile } from "./hostile.ts"

/** What no terminal may be sent: controls but for line breaks, bidirectional and invisible marks, halves of pairs. */
const harmful = /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** What a database holds, and what a process can be given; and of that what is taken as a name. */
const storable = hostile.filter((text) => text.isWellFormed() && !text.includes("\u0000"))
const names = storable.filter((text) => !/\p{Cc}/u.test(text))

/** What a shell makes of a script. */
const shell = (script: string): string => execFileSync("sh", ["-c", script], { encoding: "utf8" })

/** Some at a time: an open command has connections of its own. */
const forEachOf = async <A>(items: ReadonlyArray<A>, act: (item: A, index: number) => Promise<void>): Promise<void> => {
  const left = [...items.entries()]
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await act(next[1], next[0])
  }
  await Promise.all(Array.from({ length: 8 }, work))
}

describe("texts", () => {
  it("are one argument each of a shell, and none a flag", () => {
    const texts = [...storable, "", "it's", "-f", "--all", "plain-name_1"]
    const said = shell(texts.map((text) => `set -- ${argument(text)}; printf '%s\\0' "$#" "$@"\n`).join(""))
    const shown = texts.flatMap((text) => text.startsWith("-") ? ["2", "--", text] : ["1", text])
    expect(said.split("\0").slice(0, -1)).toEqual(shown)
    expect(argument("plain-name_1")).toBe("plain-name_1")
  })

  it("are forty, and harmless on a line, in a table and in JSON", () => {
    expect(new Set(hostile).size).toBe(40)
    for (const text of hostile) {
      for (const shown of [line(text), json(text), json({ [text]: [text] })]) {
        expect(shown).not.toMatch(harmful)
        expect(shown).not.toContain("\n")
      }
      for (const shown of [lines(text), prettyJson({ [text]: text })]) expect(shown).not.toMatch(harmful)
      expect(JSON.parse(json({ text }))).toEqual({ text })
      expect(JSON.parse(prettyJson([text]))).toEqual([text])
      const table = render([{ title: "A", shrinks: true }, { title: "B" }], [[text, "b"]], { width: 12, colors: true })
      expect(table.split("\n")).toHaveLength(2)
      expect(stripVTControlCharacters(table)).not.toMatch(harmful)
    }
  })
})

/** Publishes what it is given in every way, and fails with it. */
const Echo = Workflow.make("Echo", { payload: { text: Schema.String } })
const live = Layer.mergeAll(Echo.toLayer(Effect.fnUntraced(function*({ text }) {
  yield* Step.run("echo", Effect.succeed({ [text]: text }))
  yield* WorkflowEvent.make("said", { value: Schema.String }).set(text)
  yield* WorkflowStream.make("said", { value: Schema.String }).write(text)
  yield* Effect.die(new Error(text))
})))

const unlimited = {
  concurrency: null,
  executorConcurrency: null,
  rateLimit: null,
  partitioned: null,
  ageingMs: null
}

onBothStores(live, (given) => {
  it("in payloads, results, failures, events, streams, attributes and messages are shown as text", async () => {
    const { answer, cli, effect, json, kind } = given()
    await Promise.all(hostile.map(async (text, n) => {
      // Attributes, users and ids refuse what a database cannot hold, or what is a control.
      const attributes = text.isWellFormed() && !text.includes("\u0000") ? { note: text } : {}
      await effect(Effect.exit(Echo.execute({ text }, { workflowId: `hostile-${n}`, attributes })))
    }))
    await forEachOf(hostile, async (text, n) => {
      const id = `hostile-${n}`
      for (const look of [["workflow", "steps", id], ["event", "get", id], ["stream", "tail", id]]) {
        expect(await cli(...look), `${kind} ${look.join(" ")}`).not.toMatch(harmful)
      }
      const { err, exitCode } = await answer("workflow", "result", id)
      expect(exitCode).toBe(1)
      expect(err).not.toMatch(harmful)
      const shown = await cli("workflow", "get", id)
      expect(shown).not.toMatch(harmful)
      expect(JSON.parse(/^payload\n([^]*?)\n\n/m.exec(shown)![1]!)).toEqual({ text })
      expect(await json("event", "get", id, "said")).toBe(text)
    })
    const exported = await cli("history", "export", ...hostile.map((_, n) => `hostile-${n}`))
    expect(exported).not.toMatch(harmful)
    expect(await effect(Client.count({ name: "Echo" }))).toBe(40)
  })

  it("as ids, names, topics, keys, queues and filters are looked for, or refused, and shown as text", async () => {
    const { answer, effect } = given()
    const before = await effect(Client.count())
    await forEachOf(hostile, async (text) => {
      for (
        const args of [
          ["workflow", "start", "Nothing", "--payload", text],
          ["message", "send", text, text, "1"],
          ["event", "get", "hostile-1", text],
          ["queue", "pause", text],
          ["schedule", "trigger", text],
          ["history", "import", `/nowhere/${text}`]
        ]
      ) {
        const { err, exitCode, out } = await answer(...args)
        expect(exitCode, `${JSON.stringify(args)} ${err}`).toBeGreaterThan(0)
        expect(exitCode, `${JSON.stringify(args)} ${err}`).toBeLessThan(70)
        expect(out).toBe("")
        expect(err).toMatch(/^perdure: /)
        expect(err).not.toMatch(harmful)
      }
      const listed = await answer("workflow", "list", "--id-prefix", `nobody${text}`)
      expect([0, 2]).toContain(listed.exitCode)
    })
    expect(await effect(Client.count())).toBe(before)
  })

  it(
    "as names of queues, schedules, executors and versions are listed, and named in remedies that a shell may run",
    async () => {
      const { answer, cli, effect, json } = given()
      await untilServed(given())
      await effect(Effect.flatMap(Store, (store) =>
        Effect.forEach(storable, (text, n) =>
          Effect.gen(function*() {
            yield* store.registerQueue(text, unlimited)
            yield* store.setQueue(text, { paused: true })
            const rule = JSON.stringify({ cron: text, timeZone: text })
            yield* store.writeSchedule("create", { name: text, workflowName: text, rule, start: "{}" }, null)
            yield* store.join({ incarnation: `hostile-${n}`, executorId: text, version: text }, 600_000)
          }))))
      for (const text of names) {
        await effect(Client.start("Echo", { payload: { text }, queue: text, version: "v1" }))
      }
      for (const list of [["queue", "list"], ["schedule", "list"], ["executor", "list"], ["version", "list"]]) {
        expect(await cli(...list), list.join(" ")).not.toMatch(harmful)
      }
      expect((await answer("doctor")).out).not.toMatch(harmful)
      const { queues } = await json("queue", "list")
      expect(queues.map(({ name }: any) => name)).toEqual(expect.arrayContaining([...storable]))
      const { findings } = JSON.parse((await answer("doctor", "--json")).out)
      const commands = findings.flatMap(({ remedy }: any) => /perdure queue resume .*$/s.exec(remedy) ?? [])
      const resumed = shell(["perdure() { shift 2; printf '%s\\n' \"$@\"; }", ...commands].join("\n"))
      expect(resumed.split("\n").slice(0, -1).toSorted()).toEqual(names.toSorted())
    }
  )
})
