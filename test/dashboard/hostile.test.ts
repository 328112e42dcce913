/**
 * Text that wants to be more than text, in every field that users control: shown as text, on every page, with nothing run,
 * asked for, or hidden.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Client from "perdure/Client"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import * as WorkflowEvent from "perdure/WorkflowEvent"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowStream from "perdure/WorkflowStream"
import type { Page } from "playwright-core"
import { expect } from "vitest"
import { visible } from "../../packages/dashboard/src/app/text/visible.ts"
import { waitFor } from "../waitFor.ts"
import { onPages, type Shown } from "./onPages.ts"

const strings: ReadonlyArray<string> = [
  "<script>alert(1)</script>",
  "<img src=x onerror=alert(1)>",
  "<svg/onload=alert(1)>",
  "\"><script src=//evil.example/x.js></script>",
  "'-alert(1)-'",
  "javascript:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "<iframe srcdoc='<script>parent.alert(1)</script>'>",
  "<a href=javascript:alert(1)>click</a>",
  "<style>*{display:none}</style>",
  "<base href=//evil.example/>",
  "<meta http-equiv=refresh content=0;url=//evil.example>",
  "<form action=//evil.example><input name=token></form>",
  "<link rel=stylesheet href=//evil.example/x.css>",
  "</textarea><script>alert(1)</script>",
  "{{constructor.constructor('alert(1)')()}}",
  "${alert(1)}",
  "`${process.exit()}`",
  "__proto__",
  "constructor",
  "hasOwnProperty",
  "toString",
  "../../../../etc/passwd",
  "..",
  ".",
  "/",
  "//evil.example/path",
  "\\\\evil.example\\share",
  "%2e%2e%2f%00",
  "?a=b&c=d#e",
  "a#b?c",
  "'; DROP TABLE workflow; --",
  "\u202Etxt.exe\u202C",
  "\u2066left\u2069 \u200Fright\u200E",
  "a\u200Bzero\uFEFFwidth",
  "e\u0301\u0316 Z\u0351\u036B\u0343alg\u0361o",
  "👩‍👩‍👧‍👦 日本語 العربية עברית",
  "null",
  "  spaces  ",
  "x".repeat(250)
]

/** Those that only values may have: ids and names refuse control characters. */
const inValues: ReadonlyArray<string> = [
  ...strings,
  "\u001b[31mred\u001b[0m\u0007",
  "line\nline\r\ttab",
  "\u0000NUL",
  "\u0085\u2028\u2029"
]

const Odd = Schema.Struct({ text: Schema.String, keyed: Schema.Record(Schema.String, Schema.Json) })

const names = ["<b>Bold</b>", "__proto__", "\u202Eeman"] as const

const all = inValues.join("\n")
const keyed = Object.fromEntries(strings.map((text, index) => [text, index]))
const topic = "<i>topic</i>"
const go = Message.make(topic, { payload: Schema.String })

/** Every field of it is hostile: names, steps, branches, values, events, streams, messages, errors and their causes. */
const definitions = names.map((name) => {
  const definition = Workflow.make(name, { payload: Odd, success: Odd })
  const layer = definition.toLayer(Effect.fn(function*(payload) {
    yield* Workflow.forEach(strings, (text) => Step.run(text, Effect.succeed({ [text]: text })), {
      concurrency: "unbounded",
      key: (text) => text
    })
    yield* WorkflowEvent.make("<u>event</u>", { value: Odd }).set(payload)
    const lines = WorkflowStream.make("<s>stream</s>", { value: Schema.String })
    for (const line of inValues) yield* lines.write(line)
    yield* go.receive()
    if (payload.text === "fail") {
      return yield* Effect.die(
        new Error(all, { cause: new Error("<script>alert('cause')</script>", { cause: new TypeError("\u202Eesuac") }) })
      )
    }
    return payload
  }))
  return { definition, layer }
})
const live = definitions.map(({ layer }) => layer)
const odd = definitions[0]!.definition
const queue = WorkflowQueue.make("<q>\u202Equeue</q>", { concurrency: 1 })

const payload = { text: all, keyed }

const addressOf = (page: string, params: Readonly<Record<string, string>>): string =>
  `${page}?${new URLSearchParams(params)}`

/** The text of the page, as it can be read, has it. */
const isShown = (page: Page, text: string) =>
  waitFor(
    `the page to show ${JSON.stringify(text.slice(0, 60))}`,
    async () => (await read(page)).includes(fold(visible(text)))
  )

/** Lines and runs of spaces are for layout to choose. */
const fold = (text: string): string => text.replace(/\s+/g, " ").trim()
const read = async (page: Page): Promise<string> => fold((await page.locator("body").textContent()) ?? "")

const waits = ({ run }: Pick<Shown, "run">, id: string) =>
  waitFor(`${JSON.stringify(id)} to wait`, async () => {
    const { failure, waits } = await run(Client.get(id))
    if (failure !== undefined) throw new Error(`It failed: ${failure.message}`)
    return waits.length > 0
  })

onPages("hostile text is shown as text", (claim) => {
  claim("as an id: in the list, on its page, in the palette", { live }, async ({ open, page, run }) => {
    for (const id of strings) {
      await run(
        odd.start({ text: id, keyed: {} }, { workflowId: id, attributes: { note: id, [id.slice(0, 60)]: "key" } })
      )
    }
    await open("workflows")
    await page.getByRole("table", { name: "Workflows" }).waitFor()
    for (const id of strings) {
      await open(addressOf("workflows", { id }))
      const link = page.getByRole("table", { name: "Workflows" }).getByRole("link", { name: visible(id), exact: true })
        .first()
      await link.waitFor()
      await link.click()
      await waitFor(`the page of ${JSON.stringify(id)}`, async () => {
        const title = await page.getByRole("heading", { level: 1 }).first().textContent()
        return title !== null && fold(title) === fold(visible(id))
      })
      await isShown(page, `note=${id}`)
    }
  })

  claim("in names, steps, branches, values, events, messages, streams and errors", { live }, async (
    { open, page, run }
  ) => {
    for (const { definition } of definitions) {
      await run(definition.start(payload, { workflowId: `of ${definition.name}` }))
    }
    const id = `of ${odd.name}`
    await waits({ run }, id)
    await open(addressOf("workflow", { id, tab: "values" }))
    for (const text of inValues) await isShown(page, text)
    for (const { definition } of definitions) {
      await open(addressOf("workflows", { name: definition.name }))
      await page.getByRole("link", { name: visible(`of ${definition.name}`), exact: true }).first().waitFor()
    }
    await open(addressOf("workflow", { id, tab: "events" }))
    await isShown(page, "<u>event</u>")
    await open(addressOf("workflow", { id, tab: "streams" }))
    await isShown(page, "<s>stream</s>")
    await page.getByRole("log").waitFor()
    for (const text of inValues) await isShown(page, text)
    await open(addressOf("workflow", { id, tab: "timeline", step: "3" }))
    await page.getByRole("complementary", { name: "Step 3" }).waitFor()
    for (const text of strings.slice(0, 6)) await isShown(page, text)
    await run(go.send(id, all))
    await open(addressOf("workflow", { id, tab: "messages" }))
    await isShown(page, topic)
    await isShown(page, "\u001b[31mred\u001b[0m\u0007")

    await run(odd.start({ text: "fail", keyed }, { workflowId: "fails" }))
    await waits({ run }, "fails")
    await run(go.send("fails", "now"))
    await open(addressOf("workflow", { id: "fails", tab: "values" }))
    await page.getByText("Caused by").first().waitFor()
    for (const text of strings) await isShown(page, text)
    await isShown(page, "<script>alert('cause')</script>")
    await isShown(page, "\u202Eesuac")
  })

  claim("in queues, schedules, executors, versions, users and reasons", {
    live,
    engine: { executorId: "<em>\u202Eexecutor</em>", version: "<sup>__proto__</sup>", queues: [queue] }
  }, async ({ open, page, run }) => {
    await run(queue.enqueue(odd, payload, { workflowId: "queued" }))
    await run(Client.schedules.create("<h1>\u202Eschedule", { workflow: odd, payload, cron: "0 0 1 1 *" }))
    await run(Client.cancel("queued", { detail: strings.join(" ") }))
    await open("")
    await isShown(page, queue.name)
    await isShown(page, "<em>\u202Eexecutor</em>")
    await open(addressOf("queues", { name: queue.name }))
    await page.getByRole("region").first().waitFor()
    await isShown(page, queue.name)
    await open(addressOf("schedules", { name: "<h1>\u202Eschedule" }))
    await isShown(page, "<h1>\u202Eschedule")
    await open("executors")
    await isShown(page, "<em>\u202Eexecutor</em>")
    for (const name of names) await isShown(page, name)
    await open("versions")
    await isShown(page, "<sup>__proto__</sup>")
    await open(addressOf("workflow", { id: "queued", tab: "values" }))
    for (const text of strings) await isShown(page, text)
  })

  // What a page makes of its address does not hang on the store.
  claim("in the address, whatever it asks for", { refuses: true, only: "sqlite" }, async ({ open, page }) => {
    const places = [
      ["workflows", "name", "Workflows"],
      ["workflow", "id", undefined],
      ["queues", "name", "Queues"],
      ["compare", "left", "Compare"]
    ] as const
    for (const [index, text] of inValues.entries()) {
      const [place, key, heading] = places[index % places.length]!
      await open(addressOf(place, { [key]: text, right: text, status: text, from: text, tab: text, [text]: text }))
      await waitFor(`${place} of ${JSON.stringify(text.slice(0, 60))}`, async () => {
        const title = fold((await page.getByRole("heading", { level: 1 }).first().textContent()) ?? "")
        return title === fold(heading ?? visible(text))
      })
      // It was asked for: nothing fits, or there is none, or it cannot be one.
      await waitFor(`the answer to ${place}`, async () => {
        const problems = await page.locator(".problem").count()
        return problems > 0 || (await read(page)).includes("No workflow fits")
      })
      if (place !== "queues") await isShown(page, text)
    }
    await open("workflows")
    await page.getByRole("heading", { name: "Workflows" }).waitFor()
    expect(await page.evaluate("({}).polluted")).toBeUndefined()
  })
})
