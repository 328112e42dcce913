/** Looking at workflows. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Client from "perdure/Client"
import { WorkflowStatus } from "perdure/WorkflowStatus"
import { AdminApi, type WorkflowSummary } from "../AdminApi.ts"
import { NotFound } from "../api/problems.ts"
import { ask, explained, known, redacting } from "./asking.ts"
import { defined } from "./defined.ts"
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
        const found = yield* ask(Client.steps(id, { after, limit: limit + 1 }))
        const steps = found.slice(0, limit)
        const patternsOfChild = yield* ofChildren(steps)
        const shown = steps.map((step) => Show.stepOf(patterns, patternsOfChild(step), step, values))
        return found.length > limit ? { steps: shown, next: shown.at(-1)!.stepId } : { steps: shown }
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
    .handle("events", ({ query }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(query.id)
        return (yield* ask(Client.events(query.id))).map((event) => Show.eventOf(patterns, event))
      }))
    .handle("messages", ({ query: { id, received = true, topic } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const messages = yield* ask(Client.messages(id, topic === undefined ? { received } : { received, topic }))
        return messages.map((message) => Show.messageOf(patterns, message))
      }))
    .handle("streams", ({ query }) => ask(Client.streams(query.id)))
    .handle("stream", ({ query: { from = 0, id, key, limit = 100 } }) =>
      Effect.gen(function*() {
        const { patterns } = yield* known(id)
        const { done, entries, next } = yield* ask(Client.stream(id, key, { from, limit }))
        return { entries: entries.map((entry) => Show.entryOf(patterns, key, entry)), next, done }
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
