/** Messages from bodies, from steps and from outside: each is received once, in the order of its sender. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Client, Message, Step, Workflow } from "perdure"
import { exactly, upTo } from "../checks.ts"
import { worst } from "../figures.ts"
import { sure } from "../sure.ts"
import { ofEach, type Theme } from "./Theme.ts"

const each = 8
const senders = ["first", "second", "client"]

const Letter = Message.make("letter", { payload: { from: Schema.String, number: Schema.Int } })

const Receiver = Workflow.make("Receiver", {
  payload: { count: Schema.Int },
  success: Schema.Array(Schema.Struct({ from: Schema.String, number: Schema.Int })),
  maxRecoveryAttempts: 1000
})

// With a limit, so that it also wakes in vain.
const ReceiverLive = Receiver.toLayer(Effect.fnUntraced(function*({ count }) {
  const letters: Array<{ readonly from: string; readonly number: number }> = []
  while (letters.length < count) {
    const letter = yield* Letter.receive({ timeout: "700 millis" })
    if (letter._tag === "Some") letters.push(letter.value)
  }
  return letters
}))

const Sender = Workflow.make("Sender", {
  payload: { to: Schema.String, from: Schema.String },
  maxRecoveryAttempts: 1000
})

/** From the body, from a step, several at once; with pauses between, so that it does not end at once. */
const SenderLive = Sender.toLayer(Effect.fnUntraced(function*({ from, to }) {
  const letter = (number: number) => ({ from, number })
  for (const number of upTo(each - 2)) {
    const send = Letter.send(to, letter(number))
    yield* number % 3 === 2 ? Step.run("send", send) : send
    yield* Effect.sleep("60 millis")
  }
  yield* Letter.sendMany([each - 2, each - 1].map((number) => ({ workflowId: to, value: letter(number) })))
}))

/** As somebody does who does not know whether the first call arrived. */
const clientSends = (to: string) =>
  Effect.forEach(upTo(each), (number) => {
    const send = sure(Letter.send(to, { from: "client", number }, { idempotencyKey: `${number}` }))
    return Effect.andThen(send, send)
  }, { discard: true })

/** From each message's sending to its receipt, by their records. */
const lagsOf = Effect.fnUntraced(function*(workflowId: string) {
  const receivedAt = new Map(
    (yield* Client.steps(workflowId)).map(({ completedAt, stepId }) => [stepId, completedAt!.getTime()])
  )
  const inbox = yield* Client.messages(workflowId, { received: true })
  return inbox.map(({ receivedBy, sentAt }) => receivedAt.get(receivedBy!)! - sentAt.getTime())
})

const receiverOf = (index: number) => `receiver-${index}`

export const messages = (): Theme => ({
  name: "messages",
  live: Layer.mergeAll(ReceiverLive, SenderLive),
  act: Effect.fnUntraced(function*(index) {
    const to = receiverOf(index)
    const receiver = yield* sure(Receiver.start({ count: senders.length * each }, { workflowId: to }))
    yield* Effect.all([
      ...["first", "second"].map((from) => sure(Sender.execute({ to, from }, { workflowId: `${to}-${from}` }))),
      clientSends(to),
      sure(receiver.result)
    ], { concurrency: "unbounded" })
  }),
  check: ({ acts }) =>
    ofEach(upTo(acts), (index) =>
      Effect.gen(function*() {
        const letters = yield* Receiver.handle(receiverOf(index)).result
        const left = yield* Client.messages(receiverOf(index))
        return [
          ...senders.flatMap((from) =>
            exactly(
              `${receiverOf(index)} from ${from}`,
              letters.filter((letter) => letter.from === from).map(({ number }) => number),
              upTo(each)
            )
          ),
          ...exactly(`${receiverOf(index)}, received`, [letters.length, left.length], [senders.length * each, 0])
        ]
      })),
  figures: ({ acts }) =>
    Effect.map(Effect.forEach(upTo(acts), (index) => lagsOf(receiverOf(index))), (lags) => ({
      "lag of a message": worst(lags.flat())
    }))
})
