/** Streams with concurrent writers and readers that come, go and die: no gap, nothing twice, one order for all. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Step, Workflow, WorkflowStream } from "perdure"
import { exactly, upTo } from "../checks.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const branches = ["a", "b", "c"]
const each = 5

const Lines = WorkflowStream.make("lines", { value: Schema.String })

const Writer = Workflow.make("Writer", { maxRecoveryAttempts: 1000 })

/** Each branch writes its lines in order, beside the others, and a step writes two. */
const WriterLive = Writer.toLayer(() =>
  Effect.gen(function*() {
    yield* Workflow.forEach(
      branches,
      (branch) =>
        Effect.forEach(
          upTo(each),
          (number) => Effect.andThen(Lines.write(`${branch}${number}`), Effect.sleep("30 millis"))
        ),
      { concurrency: "unbounded", key: (branch) => branch }
    )
    yield* Step.run(
      "step",
      Lines.write("step 0").pipe(Effect.andThen(Effect.sleep("100 millis")), Effect.andThen(Lines.write("step 1")))
    )
    yield* Lines.close
  })
)

const Reader = Workflow.make("Reader", {
  payload: { of: Schema.String },
  success: Schema.Array(Schema.String),
  maxRecoveryAttempts: 1000
})

const ReaderLive = Reader.toLayer(({ of }) => Stream.runCollect(Lines.read(of)))

const writerOf = (index: number) => `writer-${index}`
const readerOf = (index: number) => `reader-${index}`

/** Reads a part, leaves, comes back. */
const readInParts = Effect.fnUntraced(function*(of: string) {
  const read: Array<WorkflowStream.Entry<string>> = []
  for (const until of [3, 7, Infinity]) {
    // What was read before the connection broke is kept, as anybody would who knows the offset.
    yield* sure(Effect.suspend(() =>
      Lines.readEntries(of, { from: read.length, superseded: true }).pipe(
        Stream.take(until - read.length),
        Stream.runForEach((entry) => Effect.sync(() => read.push(entry)))
      )
    ))
  }
  return read
})

const fromBody = (values: ReadonlyArray<string>) => values.filter((value) => !value.startsWith("step"))

export const streams = (): Theme => {
  /** What the client read while it was written, by act. */
  const seenLive = new Map<number, ReadonlyArray<string>>()
  return {
    name: "streams",
    live: Layer.mergeAll(WriterLive, ReaderLive),
    act: Effect.fnUntraced(function*(index) {
      const of = writerOf(index)
      yield* sure(Writer.start(undefined, { workflowId: of }))
      yield* Effect.all([
        sure(Reader.execute({ of }, { workflowId: readerOf(index) })),
        Effect.flatMap(
          readInParts(of),
          (read) => Effect.sync(() => seenLive.set(index, read.map(({ value }) => value)))
        ),
        sure(Writer.handle(of).result)
      ], { concurrency: "unbounded" })
    }),
    check: ({ acts }) =>
      ofEach(upTo(acts), (index) =>
        Effect.gen(function*() {
          const of = writerOf(index)
          const all = yield* Stream.runCollect(Lines.readEntries(of, { superseded: true }))
          const shown = all.filter((entry) => !entry.superseded).map(({ value }) => value)
          const values = all.map(({ value }) => value)
          return [
            ...exactly(`${of}, offsets`, all.map(({ offset }) => offset), upTo(all.length)),
            ...branches.flatMap((branch) =>
              exactly(
                `${of}, branch ${branch}`,
                values.filter((value) => value.startsWith(branch)),
                upTo(each).map((number) => `${branch}${number}`)
              )
            ),
            ...exactly(`${of}, shown of the step`, shown.filter((value) => value.startsWith("step")), [
              "step 0",
              "step 1"
            ]),
            ...exactly(`${of}, read in parts by a client`, seenLive.get(index) ?? [], values),
            ...exactly(
              `${of}, read by a workflow`,
              fromBody(yield* Reader.handle(readerOf(index)).result),
              fromBody(values)
            )
          ]
        }))
  }
}
