/** Looking at workflows. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Client from "perdure/Client"
import { WorkflowStatus } from "perdure/WorkflowStatus"
import {
  AdminApi,
  type EventInfo,
  type MessageInfo,
  type StepInfo,
  type StreamEntry,
  type StreamPage,
  type WorkflowSummary
} from "../AdminApi.ts"
import { NotFound } from "../api/problems.ts"
import { ask, explained, known, redacting } from "./asking.ts"
import { defined } from "./defined.ts"
import { pageOf } from "./pages.ts"
import { CurrentSettings } from "./settings.ts"
import * as Show from "./show.ts"

/** So far a filter is counted before many are acted on. */
const bulkCountLimit = 1_000_000
/** So far up a family is followed. */
const maxAncestors = 100

export const layer = HttpApiBuilder.group(AdminApi, "workflows", (handlers) =>
  handlers
    .handle("list", ({ query }) =>
      Effect.gen(function*() {
        const { limits: { look } } = yield* CurrentSettings
        const patternsOf = yield* redacting
        const { cursor, lookedTo, workflows } = yield* ask(Client.list({ ...query, values: false, look }))
        const shown = workflows.map((info) => Show.summaryOf(patternsOf(info.name), info))
        return defined({ workflows: shown, cursor, lookedTo })
      }))
    .handle("counts", ({ query: { limit = 10_000, status, ...filter } }) =>
      Effect.gen(function*() {
        const { limits: { look } } = yield* CurrentSettings
        const counts = yield* Effect.forEach(
          status ?? WorkflowStatus.literals,
          (one) =>
            Effect.map(
              ask(Client.countWithin({ ...filter, status: one }, { limit: limit + 1, look })),
              ({ complete, count }) => ({ status: one, count: Math.min(count, limit), more: !complete })
            ),
          { concurrency: 2 }
        )
        return { counts }
      }))
    .handle("get", ({ query }) => Effect.map(known(query.id), ({ info, patterns }) => Show.detailOf(patterns, info)))
    .handle("steps", ({ query: { after = -1, id, limit = 500, values = true } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const { items, more } = yield* pageOf(limit, (last: StepInfo | undefined, count) =>
          Effect.gen(function*() {
            const found = yield* ask(Client.steps(id, { after: last?.stepId ?? after, limit: count }))
            const patternsOfChild = yield* ofChildren(found)
            return found.map((step) => Show.stepOf(patterns, patternsOfChild(step), step, values))
          }))
        return more ? { steps: items, next: items.at(-1)!.stepId } : { steps: items }
      }))
    .handle("step", ({ query: { id, stepId } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const [step] = yield* ask(Client.steps(id, { after: stepId - 1, limit: 1 }))
        if (step?.stepId !== stepId) return yield* Effect.fail(noStep(id, stepId))
        return Show.stepOf(patterns, (yield* ofChildren([step]))(step), step, true)
      }))
    .handle("ancestors", ({ query }) =>
      Effect.gen(function*() {
        const found: Array<WorkflowSummary> = []
        let { parentId } = (yield* known(query.id)).info
        while (parentId !== undefined && found.length < maxAncestors) {
          // A parent may have been deleted.
          const parent = yield* known(parentId).pipe(
            Effect.catchTag("NotFound", () => Effect.succeed(undefined))
          )
          if (parent === undefined) break
          found.unshift(Show.summaryOf(parent.patterns, parent.info))
          parentId = parent.info.parentId
        }
        return found
      }))
    .handle("events", ({ query: { after, id, limit = 500 } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const { items, more } = yield* pageOf(limit, (last: EventInfo | undefined, count) =>
          Effect.map(
            ask(Client.events(id, { after: last?.key ?? after, limit: count })),
            (found) => found.map((event) => Show.eventOf(patterns, event))
          ))
        return more ? { events: items, next: items.at(-1)!.key } : { events: items }
      }))
    .handle("messages", ({ query: { after, id, limit = 500, received = true, topic } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const { items, more } = yield* pageOf(limit, (last: MessageInfo | undefined, count) =>
          Effect.map(
            ask(Client.messages(id, { topic, received, after: last?.seq ?? after, limit: count })),
            (found) => found.map((message) => Show.messageOf(patterns, message))
          ))
        return more ? { messages: items, next: items.at(-1)!.seq } : { messages: items }
      }))
    .handle("streams", ({ query }) => ask(Client.streams(query.id)))
    .handle("stream", ({ query: { from = 0, id, key, limit = 100 } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const read = (from: number, count: number) =>
          Effect.map(
            ask(Client.stream(id, key, { from, limit: count })),
            ({ entries, ...end }) => ({ entries: entries.map((entry) => Show.entryOf(patterns, key, entry)), ...end })
          )
        return yield* from < 0 ? tailOf(Math.min(limit, -from), read) : entriesOf(from, limit, read)
      }))
    .handle("explain", ({ query }) => explained(query.id))
    .handle("definitions", () =>
      Effect.map(ask(definitions), ({ executors, here }) => {
        const names = new Set([
          ...here.keys(),
          ...executors.flatMap(({ served, state }) => state === "alive" ? served.map(({ name }) => name) : [])
        ])
        return [...names].sort().map((name) => Show.definitionOf(executors, name, here.get(name)))
      }))
    .handle("definition", ({ query }) =>
      Effect.map(
        ask(definitions),
        ({ executors, here }) => Show.definitionOf(executors, query.name, here.get(query.name))
      ))
    .handle("bulkCount", ({ payload }) =>
      Effect.map(
        ask(Client.count(payload.filter, { limit: bulkCountLimit + 1 })),
        (count) => counted(count, bulkCountLimit)
      )))

type ReadStream<E, R> = (from: number, count: number) => Effect.Effect<StreamPage, E, R>

const entriesOf = <E, R>(from: number, limit: number, read: ReadStream<E, R>) =>
  Effect.gen(function*() {
    let isDone = false
    const { items, more } = yield* pageOf(limit, (last: StreamEntry | undefined, count) =>
      Effect.map(read(last === undefined ? from : last.offset + 1, count), ({ done, entries }) => {
        isDone = done
        return entries
      }))
    const last = items.at(-1)
    return { entries: items, next: last === undefined ? from : last.offset + 1, done: isDone && !more }
  })

/** The newest that have room, read from the end. */
const tailOf = <E, R>(limit: number, read: ReadStream<E, R>) =>
  Effect.gen(function*() {
    const { done, next } = yield* read(-1, 1)
    const { items } = yield* pageOf(limit, (first: StreamEntry | undefined, count) => {
      const end = first?.offset ?? next
      const from = Math.max(0, end - count)
      return from === end
        ? Effect.succeed([])
        : Effect.map(read(from, end - from), ({ entries }) => entries.toReversed())
    })
    return { entries: items.toReversed(), next, done }
  })

/** For steps that have another workflow's result: what of it must not leave, whatever became of that workflow. */
const ofChildren = (steps: ReadonlyArray<Client.StepInfo>) =>
  Effect.gen(function*() {
    const patternsOf = yield* redacting
    const ids = new Set(
      steps.flatMap(({ childId, kind }) => kind === "result" && childId !== undefined ? [childId] : [])
    )
    const { workflows } = ids.size === 0
      ? { workflows: [] }
      : yield* ask(Client.list({ ids: [...ids], limit: 1000, values: false }))
    const names = new Map(workflows.map(({ name, workflowId }) => [workflowId, name]))
    return ({ childId, kind, name }: Client.StepInfo) =>
      kind === "result" ? patternsOf(names.get(childId ?? "") ?? name.replace(/^result of /, "")) : []
  })

const counted = (count: number, limit: number) => ({ count: Math.min(count, limit), more: count > limit })

const definitions = Effect.map(
  Effect.all([Client.definitions, Client.executors]),
  ([here, executors]) => ({ here: new Map(here.map((one) => [one.name, one])), executors })
)

const noStep = (id: string, stepId: number): NotFound =>
  new NotFound({
    reason: "NoSuchStep",
    problem: "There is no such step",
    detail: `the workflow ${JSON.stringify(id)} has no record of step ${stepId}`,
    remedy: "Look at the list of its steps; what runs for the first time has no record yet."
  })
