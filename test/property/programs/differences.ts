/** Everything that a program has left behind, compared with what the reference says. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import { Store } from "perdure/Store"
import { Broken, idOf, ledger, type nodeOf } from "./body.ts"
import type { Expected, World } from "./reference.ts"

type Node = ReturnType<typeof nodeOf>

/** Where the store and the reference disagree; empty: nowhere. `root`: the id of the first workflow. */
export const differences = Effect.fnUntraced(function*(
  client: Context.Context<Store | SqlClient>,
  node: Node,
  root: string,
  world: World
) {
  const store = Context.get(client, Store)
  const sql = Context.get(client, SqlClient)
  const wrong: Array<string> = []
  for (const [path, expected] of world.workflows) {
    const left = yield* leftBy(store, node, idOf(root, path))
    for (const part of parts) wrong.push(...differ(`${part} of "${path}"`, expected[part], left[part]))
  }
  const rows = yield* store.list({ idPrefix: root, order: "asc", limit: 1_000 })
  const committed = yield* sql<{ path: string }>`SELECT path FROM ${sql.literal(ledger)} WHERE root = ${root}`
  return [
    ...wrong,
    ...differ(
      "workflows",
      [...world.workflows.keys()].map((path) => idOf(root, path)).toSorted(),
      rows.map(({ workflowId }) => workflowId).toSorted()
    ),
    ...differ("committed", world.committed.toSorted(), committed.map(({ path }) => path).toSorted())
  ]
})

/** A sentence, if there is a difference. */
export const differ = (what: string, expected: unknown, actual: unknown): ReadonlyArray<string> => {
  const [left, right] = [shown(expected), shown(actual)]
  return left === right ? [] : [`${what}: expected ${left}, got ${right}`]
}

const parts = ["result", "failed", "steps", "events", "streams", "messages"] as const

const leftBy = Effect.fnUntraced(function*(store: Store["Service"], node: Node, id: string) {
  const exit = yield* Effect.exit(node.handle(id).result)
  const failure = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  const steps = yield* Client.steps(id)
  const events = yield* store.events(id)
  const streams = yield* store.streams(id)
  const entries = yield* store.readStreams(
    streams.map(({ key }) => ({ workflowId: id, key, from: 0, limit: 1_000 }))
  )
  const messages = yield* store.messages(id, { topic: null, limit: 1_000, consumed: true })
  const topics = [...new Set(messages.map(({ topic }) => topic))]
  const valuesOf = (topic: string, received: boolean) =>
    messages.filter((row) => row.topic === topic && (row.consumedBy !== null) === received)
      .map(({ payload }) => JSON.parse(payload) as number)
  return {
    result: Exit.isSuccess(exit) ? exit.value : [],
    failed: failure === undefined ? false : failure instanceof Broken || String(failure),
    steps: steps.filter(({ kind }) => kind !== "read stream").map(({ kind, name }) =>
      `${kind} ${name.replace(node.name, "Node")}`
    ).toSorted(),
    events: Object.fromEntries(events.map(({ key, value }) => [key, JSON.parse(value) as number])),
    streams: Object.fromEntries(streams.map(({ key }, index) => {
      const all = entries[index]!.entries
      return [key, {
        values: all.flatMap(({ value }) => value === null ? [] : [JSON.parse(value) as number]),
        closed: all.some(({ value }) => value === null)
      }]
    })),
    messages: Object.fromEntries(
      topics.map((topic) => [topic, { received: valuesOf(topic, true), left: valuesOf(topic, false) }])
    )
  } satisfies Readonly<Record<keyof Expected, unknown>>
})

/** With the keys of objects in order. */
const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => a < b ? -1 : 1))
      : item)
