/** Everything that a program has left behind, compared with what the reference says. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import * as Client from "perdure/Client"
import { type StepRecord, Store } from "perdure/Store"
import { historyOf } from "../../conformance/verbs.ts"
import { Broken, idOf, ledger, type nodeOf } from "./body.ts"
import type { Expected, World } from "./reference.ts"

type Node = ReturnType<typeof nodeOf>

/**
 * Where the store and the reference disagree; empty: nowhere. `root`: the id of the first workflow. `mayBeCut`: of a
 * workflow, by its id: it may have ended before its end, and then has left a part of what the reference says.
 */
export const differences = Effect.fnUntraced(function*(
  client: Context.Context<Store | SqlClient>,
  node: Node,
  root: string,
  world: World,
  mayBeCut: (workflowId: string) => boolean = () => false
) {
  const store = Context.get(client, Store)
  const sql = Context.get(client, SqlClient)
  const wrong: Array<string> = []
  const rows = yield* store.list({ idPrefix: root, order: "asc", limit: 1_000 })
  const ids = new Set(rows.map(({ workflowId }) => workflowId))
  const cut = new Array<string>()
  for (const [path, expected] of world.workflows) {
    const id = idOf(root, path)
    if (!ids.has(id)) continue
    const left = yield* leftBy(store, node, id)
    wrong.push(...rollbacks(path, left.failed !== false, yield* historyOf(store, id)))
    if (mayBeCut(id) && typeof left.failed !== "boolean") {
      cut.push(path)
      wrong.push(...exceeds(path, expected, left))
    } else {
      for (const part of parts) wrong.push(...differ(`${part} of "${path}"`, expected[part], left[part]))
    }
  }
  const committed = yield* sql<{ path: string }>`SELECT path FROM ${sql.literal(ledger)} WHERE root = ${root}`
  return [
    ...wrong,
    ...differBut(
      "workflows",
      [...world.workflows.keys()].map((path) => idOf(root, path)),
      [...ids],
      (id) => cut.some((parent) => isWithin(parent, id === root ? "" : id.slice(root.length + 1)))
    ),
    ...differBut(
      "committed",
      world.committed,
      committed.map(({ path }) => path),
      (path) => cut.some((parent) => isWithin(parent, path))
    )
  ]
})

/** Whether the path, of an operation or of a workflow, is within the workflow with that path. */
export const isWithin = (workflow: string, path: string): boolean =>
  workflow === "" || path === workflow || path.startsWith(`${workflow}.`)

/** Like {@link differ}, of sets of things, where some need not be there. */
export const differBut = (
  what: string,
  expected: Iterable<string>,
  actual: Iterable<string>,
  mayMiss: (one: string) => boolean
): ReadonlyArray<string> => {
  const there = [...actual]
  const known = new Set(there)
  return differ(what, [...expected].filter((one) => known.has(one) || !mayMiss(one)).toSorted(), there.toSorted())
}

/** What one that was cut has left that is no part of what it would have left. */
const exceeds = (path: string, expected: Expected, left: Left): ReadonlyArray<string> => {
  const steps = left.steps.filter((step) => !step.startsWith("rollback "))
  const written = Object.entries(left.streams).filter(([key, { closed, values }]) => {
    const whole = expected.streams[key] ?? { values: [], closed: false }
    return !begins(whole.values, values) || (closed && !(whole.closed && whole.values.length === values.length))
  })
  const come = Object.entries(left.messages).filter(([topic, { left: unread, received }]) => {
    const whole = expected.messages[topic] ?? { received: [], left: [] }
    return !begins(whole.received, received)
      || !begins([...whole.received, ...whole.left], [...received, ...unread])
  })
  return [
    ...expected.lives.some((life) => isPart(steps, life))
      ? []
      : [`steps of "${path}", which was cut: ${shown(steps)} are no part of ${shown(expected.lives)}`],
    ...written.map((one) =>
      `stream of "${path}", which was cut: ${shown(one)} does not begin ${shown(expected.streams)}`
    ),
    ...come.map((one) => `messages of "${path}", which was cut: ${shown(one)} do not begin ${shown(expected.messages)}`)
  ]
}

const begins = (whole: ReadonlyArray<number>, part: ReadonlyArray<number>): boolean =>
  part.every((value, index) => value === whole[index])

const isPart = (part: ReadonlyArray<string>, whole: ReadonlyArray<string>): boolean => {
  const left = [...whole]
  return part.every((one) => {
    const index = left.indexOf(one)
    if (index >= 0) left.splice(index, 1)
    return index >= 0
  })
}

/** Of one that failed every step that declared a rollback was rolled back, once, in the reverse of the order of records. */
const rollbacks = (path: string, failed: boolean, records: ReadonlyArray<StepRecord>): ReadonlyArray<string> => {
  const undone = records.filter(({ kind }) => kind === "rollback")
    .toSorted((a, b) => a.seq - b.seq)
    .map(({ key }) => decodeURIComponent(key.slice(key.indexOf("/") + 1)))
  const declared = records.filter(({ outcome, rollback }) => failed && rollback && outcome === "success")
    .toSorted((a, b) => b.seq - a.seq)
    .map(({ key }) => key)
  return differ(`rollbacks of "${path}"`, declared, undone)
}

/** A sentence, if there is a difference. */
export const differ = (what: string, expected: unknown, actual: unknown): ReadonlyArray<string> => {
  const [left, right] = [shown(expected), shown(actual)]
  return left === right ? [] : [`${what}: expected ${left}, got ${right}`]
}

type Left = Effect.Success<ReturnType<typeof leftBy>>

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
  } satisfies Readonly<Record<typeof parts[number], unknown>>
})

/** With the keys of objects in order. */
const shown = (value: unknown): string =>
  JSON.stringify(value, (_, item) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => a < b ? -1 : 1))
      : item)
