/**
 * Live changes: what a reader is told, and when. Nothing is queued for him: he has a set of what has changed since he was
 * told last, which cannot grow, so one that reads slowly or not at all costs nothing.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Client from "perdure/Client"
import type { Engine } from "perdure/Engine"
import type { Hint, ProgressRow } from "perdure/Store"
import type { Change } from "../AdminApi.ts"

/** Least time between two messages to one reader. */
const pauseMs = 300
/** How often watched workflows are looked at where the store has no hint of a step, and everything may have changed. */
const lookMs = 1_000
const refreshMs = 5_000
/** So often something is said, be it nothing: a reader that is gone is noticed by writing to him. */
const beatMs = 15_000
/** So long a reader has, when his time is over, to read what he was told last. */
const graceMs = 5_000

type Subject = "workflows" | "queues" | "schedules" | "executors"

const everything: ReadonlyArray<Subject> = ["workflows", "queues", "schedules", "executors"]

/** What a hint may have changed. */
const subjectsOf = (hint: Hint): ReadonlyArray<Subject> => {
  switch (hint._tag) {
    case "Due":
      return hint.name === "*" ? everything : ["workflows", "queues"]
    case "Done":
      return ["workflows", "queues"]
    case "Queue":
      return ["queues", "workflows"]
    case "Schedule":
      return ["schedules"]
    case "Revoked":
      return ["workflows", "executors"]
    case "Inbox":
    case "Event":
    case "Stream":
      return ["workflows"]
  }
}

const same = (one: ProgressRow | undefined, other: ProgressRow | undefined): boolean =>
  one?.status === other?.status && one?.steps === other?.steps && one?.attempts === other?.attempts

/** What one reader is told, until he goes or `durationMs` are over. `watched`: workflows that he wants to know more of. */
export const changes = (
  watched: ReadonlyArray<string>,
  durationMs: number
): Effect.Effect<Stream.Stream<Change>, never, Engine> =>
  Effect.map(Effect.context<Engine>(), (engine) =>
    Stream.callback<Change>((queue) =>
      Effect.gen(function*() {
        const pending = new Set<Subject>()
        const stirred = yield* Queue.sliding<void>(1)
        yield* Effect.forkScoped(Stream.runForEach(Client.changes, (hint) =>
          Effect.sync(() => {
            for (const subject of subjectsOf(hint)) pending.add(subject)
            Queue.offerUnsafe(stirred, undefined)
          })))
        const seen = new Map<string, ProgressRow>()
        const tell = (change: Change) => Queue.offer(queue, change)
        yield* tell({ _tag: "Open", at: new Date() })
        const endsAt = performance.now() + durationMs
        let refreshed = performance.now()
        let told = performance.now()
        while (performance.now() < endsAt) {
          if (performance.now() - refreshed >= refreshMs) {
            for (const subject of everything) pending.add(subject)
          }
          if (pending.size > 0) {
            if (pending.size === everything.length) refreshed = performance.now()
            // What comes in while he is told is told next time.
            const what = [...pending]
            pending.clear()
            yield* tell({ _tag: "Changed", what })
            told = performance.now()
          }
          for (const change of yield* lookAt(watched, seen)) {
            yield* tell(change)
            told = performance.now()
          }
          if (performance.now() - told >= beatMs) {
            yield* tell({ _tag: "Beat" })
            told = performance.now()
          }
          yield* Effect.sleep(pauseMs)
          const leftMs = Math.max(endsAt - performance.now(), 0)
          yield* Effect.timeoutOption(Queue.take(stirred), Math.min(lookMs - pauseMs, leftMs))
        }
        yield* Queue.end(queue)
      }).pipe(Effect.provideContext(engine)), { bufferSize: 1, strategy: "suspend" })
      .pipe(cutOffAfter(durationMs + graceMs)))

/** Who reads nothing cannot be told of an end: the fiber that hands on what is said waits for him, and is interrupted then. */
const cutOffAfter = (ms: number) => <A, E, R>(stream: Stream.Stream<A, E, R>): Stream.Stream<A, E, R> =>
  Stream.unwrap(
    Effect.withFiber((reader) =>
      Effect.as(Effect.forkScoped(Effect.delay(Effect.sync(() => reader.interruptUnsafe()), ms)), stream)
    )
  )

/** A store that is away is asked again the next time. */
const lookAt = (
  watched: ReadonlyArray<string>,
  seen: Map<string, ProgressRow>
): Effect.Effect<ReadonlyArray<Change>, never, Engine> =>
  watched.length === 0 ? Effect.succeed([]) : Effect.map(
    Effect.option(Client.progress(watched)),
    (found) => {
      if (found._tag === "None") return []
      const now = new Map(found.value.map((row) => [row.workflowId, row]))
      return watched.flatMap((workflowId): ReadonlyArray<Change> => {
        const row = now.get(workflowId)
        if (same(row, seen.get(workflowId))) return []
        if (row === undefined) seen.delete(workflowId)
        else seen.set(workflowId, row)
        return [{
          _tag: "Workflow",
          workflowId,
          steps: row?.steps ?? 0,
          ...(row === undefined ? {} : { status: row.status })
        }]
      })
    }
  )
