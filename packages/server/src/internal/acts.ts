/** Acting on workflows, on some or on all that fit. */
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Queue from "effect/Queue"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import type { Json } from "perdure/Json"
import * as Message from "perdure/Message"
import { WorkflowError } from "perdure/WorkflowError"
import { AdminApi, type BulkProgress, type Filter } from "../AdminApi.ts"
import { ask, type Known, known } from "./asking.ts"
import { defined } from "./defined.ts"
import { invalid, problemOf } from "./problem.ts"
import { restore } from "./redaction.ts"
import { Places } from "./streams.ts"

export const layer = HttpApiBuilder.group(AdminApi, "acts", (handlers) =>
  handlers
    .handle("cancel", ({ payload: { ids, ...options } }) => ask(Client.cancel(ids, options)))
    .handle("resume", ({ payload }) => ask(Client.resume(payload.ids)))
    .handle("delete", ({ payload: { ids, ...options } }) => ask(Client.delete(ids, options)))
    .handle("fork", ({ payload: { id, payload, timeoutMs, ...options } }) =>
      Effect.gen(function*() {
        const whole = payload === undefined ? undefined : restoredBy(yield* known(id), payload)
        const workflowId = yield* ask(Client.fork(id, defined({ ...options, timeout: timeoutMs, payload: whole })))
        return { workflowId }
      }))
    .handle("start", ({ payload: { delayMs, like, name, payload, timeoutMs, ...options } }) =>
      Effect.gen(function*() {
        const source = like === undefined ? undefined : yield* known(like)
        // What is redacted of one name may be shown of another.
        if (source !== undefined && source.info.name !== name) return yield* Effect.fail(otherName(source.info, name))
        const whole = payload === undefined || source === undefined ? payload : restoredBy(source, payload)
        const workflowId = yield* ask(
          Client.start(name, defined({ ...options, delay: delayMs, timeout: timeoutMs, payload: whole }))
        )
        return { workflowId }
      }))
    .handle("send", ({ payload: { id, key, payload, topic } }) =>
      Effect.gen(function*() {
        const options = key === undefined ? {} : { idempotencyKey: key }
        yield* ask(
          payload === undefined
            ? Effect.flatMap(message(topic), (one) => one.send(id, undefined, options))
            : Effect.flatMap(messageOf(topic), (one) => one.send(id, payload, options))
        )
      }))
    .handle("setAttributes", ({ payload: { attributes, id } }) =>
      Effect.gen(function*() {
        const { info, patterns } = yield* known(id)
        const restored = restore(patterns, ["attributes"], attributes, info.attributes)
        // `as`: what was redacted is put back, which is an attribute as well.
        yield* ask(Client.setAttributes(id, restored as typeof attributes))
      }))
    .handle("bulkCancel", ({ payload: { filter, ...options } }) =>
      inBulk(filter, (onProgress) =>
        Client.cancelAll(filter, { ...options, onProgress })))
    .handle("bulkResume", ({ payload: { filter } }) =>
      inBulk(filter, (onProgress) =>
        Client.resumeAll(filter, { onProgress })))
    .handle("bulkDelete", ({ payload: { filter, ...options } }) =>
      inBulk(filter, (onProgress) =>
        Client.deleteAll(filter, { ...options, onProgress }))))

/** A payload that was shown and given back, with what was redacted in it. */
const restoredBy = ({ info, patterns }: Known, payload: Json): Json =>
  restore(patterns, ["payload"], payload, info.payload)

const otherName = ({ name, workflowId }: Client.WorkflowInfo, wanted: string) =>
  invalid(
    "InvalidArgument",
    "Invalid like",
    `${JSON.stringify(workflowId)} is a ${JSON.stringify(name)}, not a ${JSON.stringify(wanted)}`,
    "Give the id of a workflow of the name that is started."
  )

/** What a definition would throw for a bad topic, as the failure that it is. */
const made = <A>(make: () => A): Effect.Effect<A, WorkflowError> =>
  Effect.try({ try: make, catch: (error) => error }).pipe(
    Effect.catch((error) => error instanceof WorkflowError ? Effect.fail(error) : Effect.die(error))
  )
const message = (topic: string) => made(() => Message.make(topic))
const messageOf = (topic: string) => made(() => Message.make(topic, { payload: Schema.Json }))

type OnProgress = (sofar: Client.BulkResult) => Effect.Effect<void>

/** Progress that a slow reader misses is of no interest: the act does not wait for him. */
const inBulk = (
  filter: Filter,
  act: (onProgress: OnProgress) => Effect.Effect<Client.BulkResult, WorkflowError, Engine>
) =>
  Effect.gen(function*() {
    if (!(yield* ask(Client.restricts(filter)))) {
      return yield* Effect.fail(invalid(
        "InvalidArgument",
        "Invalid filter",
        "it restricts nothing",
        "Give at least one restriction; all are those from 1970-01-01T00:00:00.000Z on."
      ))
    }
    // What is wrong with it is answered with a status, before the stream begins.
    yield* ask(Client.count(filter, { limit: 1 }))
    yield* (yield* Places).take
    // The answer is written when the handler has returned: the act takes its engine along.
    const engine = yield* Effect.context<Engine>()
    return Stream.callback<BulkProgress>((queue) =>
      Effect.gen(function*() {
        let last: Client.BulkResult = { matched: 0, changed: 0 }
        const onProgress: OnProgress = (sofar) => {
          last = sofar
          return Effect.asVoid(Queue.offer(queue, { ...sofar, done: false }))
        }
        const end = yield* Effect.match(Effect.provideContext(act(onProgress), engine), {
          onSuccess: (result): BulkProgress => ({ ...result, done: true }),
          onFailure: (error): BulkProgress => ({ ...last, done: false, problem: problemOf(error) })
        })
        yield* Queue.offer(queue, end)
        yield* Queue.end(queue)
      }), { bufferSize: 16, strategy: "sliding" })
  })
