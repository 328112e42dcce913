/** The first of several waits, and families: what was first stays so, and what was not received is still there. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Client, Message, Step, Workflow } from "perdure"
import { exactly, upTo } from "../checks.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const Decision = Message.make("decision", { payload: Schema.Int })
const kin = 4

const Kin = Workflow.make("Kin", {
  payload: { number: Schema.Int },
  success: Schema.Int,
  maxRecoveryAttempts: 1000
})
const KinLive = Kin.toLayer(({ number }) => Step.run("square", Effect.as(Effect.sleep("50 millis"), number * number)))

const Family = Workflow.make("Family", { success: Schema.Int, maxRecoveryAttempts: 1000 })
const FamilyLive = Family.toLayer(() =>
  Effect.map(
    Workflow.forEach(upTo(kin), (number) => Kin.execute({ number }), { concurrency: "unbounded" }),
    (squares) => squares.reduce((sum, square) => sum + square, 0)
  )
)

const Choice = Workflow.make("Choice", { success: Schema.String, maxRecoveryAttempts: 1000 })
/** After its choice it stays for a while, so that a message that came too late is there. */
const ChoiceLive = Choice.toLayer(() =>
  Effect.gen(function*() {
    const first = yield* Workflow.select({
      decided: Decision.receive(),
      late: Effect.sleep("200 millis"),
      family: Effect.andThen(Effect.sleep("100 millis"), Kin.execute({ number: 3 }))
    })
    yield* Effect.sleep("300 millis")
    return first._tag
  })
)

const choiceOf = (index: number) => `choice-${index}`
const familyOf = (index: number) => `family-${index}`

export const choices = (): Theme => {
  /** Whether the decision was acknowledged, by act: a workflow that had ended before it refuses it. */
  const acknowledged = new Map<number, boolean>()
  /** The acts of which a decision may have arrived unacknowledged. */
  const unsure = new Set<number>()
  return {
    name: "choices",
    live: Layer.mergeAll(KinLive, FamilyLive, ChoiceLive),
    act: Effect.fnUntraced(function*(index) {
      const choice = yield* sure(Choice.start(undefined, { workflowId: choiceOf(index) }))
      const decide = Effect.sleep(50 * (index % 8)).pipe(
        Effect.andThen(
          sure(Decision.send(choice.workflowId, index, { idempotencyKey: "decision" }), () => unsure.add(index))
        ),
        Effect.as(true),
        Effect.catch((error) =>
          error.reason._tag === "MessageUndeliverable" ? Effect.succeed(false) : Effect.fail(error)
        ),
        Effect.tap((sent) => Effect.sync(() => acknowledged.set(index, sent)))
      )
      yield* Effect.all([
        decide,
        sure(choice.result),
        sure(Family.execute(undefined, { workflowId: familyOf(index) }))
      ], { concurrency: "unbounded" })
    }),
    check: ({ acts }) =>
      ofEach(upTo(acts), (index) =>
        Effect.gen(function*() {
          const chosen = yield* Choice.handle(choiceOf(index)).result
          const inbox = yield* Client.messages(choiceOf(index), { received: true })
          // Refused the second time, it may have arrived the first time.
          const sent = acknowledged.get(index) === true || (unsure.has(index) && inbox.length > 0)
          return [
            ...exactly(
              `${choiceOf(index)}, which chose "${chosen}": messages there, and received`,
              [inbox.length, inbox.filter(({ receivedBy }) => receivedBy !== undefined).length],
              [sent ? 1 : 0, chosen === "decided" ? 1 : 0]
            ),
            ...exactly(familyOf(index), [yield* Family.handle(familyOf(index)).result], [
              upTo(kin).reduce((sum, number) => sum + number * number, 0)
            ])
          ]
        }))
  }
}
