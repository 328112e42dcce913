/**
 * A model's answer, token by token, read live by another process.
 *
 * `main.ts write FILE [MS]` writes it, with a pause before each token; `main.ts read FILE` reads it, from wherever it runs,
 * and may be ended and started again from an offset.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { SqliteStore } from "@perdure/sqlite"
import { Console, Effect, Schedule, Schema, Stream } from "effect"
import { Engine, Step, Workflow, WorkflowStream } from "perdure"

const Tokens = WorkflowStream.make("tokens", { value: Schema.String })

const Answer = Workflow.make("Answer", { payload: { question: Schema.String }, success: Schema.String })

const [role, filename = "chat.db", pauseMs = "40"] = process.argv.slice(2)

/** Stands for a model: words, with pauses. */
const model = (question: string) =>
  Stream.fromIterable(`You ask: ${question} I do not know yet but I will think`.split(" ")).pipe(
    Stream.tap(() => Effect.sleep(Number(pauseMs)))
  )

const AnswerLive = Answer.toLayer(({ question }) =>
  // A step writes as it goes. Were it tried again, readers that come later would see only what the last attempt wrote.
  Step.run(
    "ask the model",
    model(question).pipe(
      Stream.tap((token) => Tokens.write(token)),
      Stream.runFold(() => "", (answer, token) => `${answer} ${token}`.trim()),
      Effect.orDie
    )
  ).pipe(Effect.tap(Tokens.close))
)

const write = Answer.execute({ question: "what is durable?" }, { workflowId: "chat-1" }).pipe(
  Effect.flatMap((answer) => Console.log(`written: ${answer}`)),
  Effect.provide(AnswerLive),
  Effect.provide(Engine.layer())
)

const read = Tokens.readEntries("chat-1").pipe(
  Stream.runForEach(({ offset, value }) => Console.log(`${offset} ${value}`)),
  // Until the writer has begun there is no such workflow.
  Effect.retry({
    while: (error) => error.reason._tag === "WorkflowNotFound",
    schedule: Schedule.spaced("50 millis")
  }),
  Effect.andThen(Console.log("the stream has ended")),
  Effect.provide(Engine.layerClient())
)

const program: Effect.Effect<void, unknown> = (role === "read" ? read : write).pipe(
  Effect.provide(SqliteStore.layer({ filename }))
)
NodeRuntime.runMain(program)
