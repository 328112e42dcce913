/** Who gets which message, by the times that this process and the database know. */
import * as Effect from "effect/Effect"
import { describe, expect, it } from "vitest"
import { Inbox, type Receiver } from "../src/internal/inbox.ts"
import type { MessageRow } from "../src/Store.ts"

const message = (seq: number, sentAt: number): MessageRow => ({
  seq,
  messageId: `m${seq}`,
  topic: "t",
  payload: "1",
  codec: "json",
  senderId: null,
  sentAt,
  consumedBy: null
})

/** An inbox of a process that believes it is 100, and whose looks are answered when the test says so. */
const inboxOf = (rows: Array<MessageRow>) => {
  const answers: Array<() => void> = []
  const inbox = new Inbox("w", 1, {
    messages: () =>
      Effect.suspend(() => {
        const seen = [...rows]
        return Effect.callback<ReadonlyArray<MessageRow>>((resume) => {
          answers.push(() => resume(Effect.succeed(seen)))
        })
      }),
    now: () => 100,
    fork: (effect) => void Effect.runFork(effect),
    opened: () => {},
    closed: () => {},
    count: () => {}
  })
  const told: Array<number | undefined> = []
  const receive = (given: Partial<Receiver>) =>
    inbox.receive({
      topic: "t",
      until: 100,
      since: 100,
      due: 100,
      waits: () => {},
      tell: (one) => void told.push(one?.seq),
      ...given
    })
  const answer = async () => {
    answers.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { receive, told, answer, answers, inbox }
}

describe("a receiver with a limit", () => {
  it("gets what was there when it asked, also when the database's clock is ahead of its own", async () => {
    const { answer, receive, told } = inboxOf([message(1, 103)])
    receive({})
    await answer()
    expect(told).toEqual([1])
  })

  it("that asks again does not get what came after its limit", async () => {
    const { answer, receive, told } = inboxOf([message(1, 103)])
    receive({ since: undefined })
    await answer()
    expect(told).toEqual([undefined])
  })

  it("that asks again gets what its own workflow had sent, also when that process's clock was behind", async () => {
    const { answer, receive, told } = inboxOf([{ ...message(1, 103), senderId: "w" }])
    receive({ since: undefined })
    await answer()
    expect(told).toEqual([1])
  })

  it("does not give up by a look that began before it asked", async () => {
    const rows: Array<MessageRow> = []
    const { answer, receive, told } = inboxOf(rows)
    receive({ due: undefined, since: 99, until: Infinity })()
    rows.push(message(1, 101))
    receive({ since: 101, due: 90, until: 101 })
    await answer()
    expect(told).toEqual([])
    await answer()
    expect(told).toEqual([1])
  })
})
