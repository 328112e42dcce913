/** Queues, schedules, executors and versions. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Layer from "effect/Layer"
import * as Client from "perdure/Client"
import type { Limits } from "perdure/WorkflowQueue"
import type { Rule } from "perdure/WorkflowSchedule"
import { AdminApi, type Problem, type QueueLimits, type ScheduleSummary } from "../AdminApi.ts"
import { ask, explained, redacting } from "./asking.ts"
import { pageOf } from "./pages.ts"
import { invalid } from "./problem.ts"
import * as Show from "./show.ts"

// -----------------------------------------------------------------------------
// queues
// -----------------------------------------------------------------------------

const queues = HttpApiBuilder.group(AdminApi, "queues", (handlers) =>
  handlers
    .handle("list", () =>
      Effect.map(
        ask(Effect.all([Client.queues.list, Client.executors])),
        ([found, executors]) => found.map((queue) => Show.queueOf(executors, queue))
      ))
    .handle("get", ({ query }) =>
      Effect.gen(function*() {
        const [queue, executors, head] = yield* ask(
          Effect.all([Client.queues.get(query.name), Client.executors, Client.queues.head(query.name)])
        )
        const shown = Show.queueOf(executors, queue)
        if (head === undefined) return shown
        // It may have been deleted meanwhile: then there is none to be explained.
        const explanation = yield* explained(head).pipe(
          Effect.catchTag("NotFound", () => Effect.succeed(undefined))
        )
        return explanation === undefined ? shown : { ...shown, head: explanation }
      }))
    .handle("setLimits", ({ payload }) => ask(Client.queues.setLimits(payload.name, limitsOf(payload.limits))))
    .handle("resetLimits", ({ payload }) => ask(Client.queues.resetLimits(payload.name)))
    .handle("pause", ({ payload }) => ask(Client.queues.pause(payload.name)))
    .handle("resume", ({ payload }) => ask(Client.queues.resume(payload.name)))
    .handle("delete", ({ payload }) => ask(Client.queues.delete(payload.name))))

const rateOf = (rate: QueueLimits["rateLimit"]) =>
  rate === null ? undefined : { limit: rate.limit, period: rate.periodMs }

const limitsOf = ({ ageingMs, concurrency, executorConcurrency, partitioned, rateLimit }: QueueLimits): Limits => ({
  concurrency: concurrency ?? undefined,
  executorConcurrency: executorConcurrency ?? undefined,
  rateLimit: rateOf(rateLimit),
  ageing: ageingMs ?? undefined,
  partitioned: partitioned === null ? undefined : {
    concurrency: partitioned.concurrency,
    executorConcurrency: partitioned.executorConcurrency ?? undefined,
    rateLimit: rateOf(partitioned.rateLimit)
  }
})

// -----------------------------------------------------------------------------
// schedules
// -----------------------------------------------------------------------------

const ruleOf = (
  cron: string | undefined,
  timeZone: string | undefined,
  interval: number | undefined
): Effect.Effect<Rule, Problem> =>
  cron !== undefined && interval === undefined
    ? Effect.succeed(timeZone === undefined ? { cron } : { cron, timeZone })
    : cron === undefined && timeZone === undefined && interval !== undefined
    ? Effect.succeed({ interval })
    : Effect.fail(invalid(
      "InvalidArgument",
      "Invalid schedule",
      "it has not exactly one rule",
      "Give a cron, with or without a time zone, or an interval."
    ))

const schedules = HttpApiBuilder.group(AdminApi, "schedules", (handlers) =>
  handlers
    .handle("list", ({ query: { after, limit = 500, ...filter } }) =>
      Effect.gen(function*() {
        const { items, more } = yield* pageOf(limit, (last: ScheduleSummary | undefined, count) =>
          Effect.map(
            ask(Client.schedules.list({ ...filter, after: last?.name ?? after, limit: count })),
            (found) => found.map(Show.scheduleOf)
          ))
        return more ? { schedules: items, next: items.at(-1)!.name } : { schedules: items }
      }))
    .handle("get", ({ query: { name, next = 5 } }) =>
      Effect.gen(function*() {
        const patternsOf = yield* redacting
        const schedule = yield* ask(Client.schedules.get(name))
        const ticks = next === 0 ? [] : yield* ask(Client.schedules.next(name, next))
        return Show.scheduleDetailOf(patternsOf(schedule.workflow), schedule, ticks)
      }))
    .handle("create", ({ payload: { cron, intervalMs, name, timeZone, ...options } }) =>
      Effect.gen(function*() {
        const rule = yield* ruleOf(cron, timeZone, intervalMs)
        yield* ask(Client.schedules.create(name, { ...options, ...rule }))
      }))
    .handle("pause", ({ payload }) => ask(Client.schedules.pause(payload.name)))
    .handle("resume", ({ payload }) => ask(Client.schedules.resume(payload.name)))
    .handle("trigger", ({ payload }) =>
      Effect.map(ask(Client.schedules.trigger(payload.name)), (workflowId) => ({ workflowId })))
    .handle("backfill", ({ payload: { name, ...range } }) =>
      Effect.map(ask(Client.schedules.backfill(name, range)), ({ started, workflowIds }) => ({
        ticks: workflowIds.length,
        started
      })))
    .handle("delete", ({ payload }) =>
      ask(Client.schedules.delete(payload.name))))

// -----------------------------------------------------------------------------
// executors and versions
// -----------------------------------------------------------------------------

const fleet = HttpApiBuilder.group(AdminApi, "fleet", (handlers) =>
  handlers
    .handle("executors", () =>
      Effect.map(ask(Effect.all([Client.executors, Client.incarnation])), ([executors, here]) =>
        executors.map((row) =>
          Show.executorOf(here, row)
        )))
    .handle("versions", () =>
      Effect.map(ask(Effect.all([Client.versions.list, Client.executors])), ([versions, executors]) =>
        versions.map((version, index) => ({
          ...version,
          latest: index === 0,
          executors: executors.filter((one) =>
            one.state === "alive" && one.version === version.version
          ).length
        }))))
    .handle("setLatest", ({ payload }) =>
      ask(Client.versions.setLatest(payload.version))))

export const layer = Layer.mergeAll(queues, schedules, fleet)
