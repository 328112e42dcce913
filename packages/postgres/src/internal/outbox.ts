/**
 * Delivers what applications have sent within their own transactions, once those have committed: after the commit, on a
 * hint from whoever sent with SQL alone, and at the latest with the sweep.
 *
 * Always beside whoever asks for it, and what fails is only told: neither a commit nor a recovery waits for messages, which
 * may come without end, or be unreadable, or stand behind a connection on which nothing is said.
 *
 * Delivering twice is delivering once (the message's id), so a crash between a delivery and its deletion, or two that
 * drain at the same time, do no harm. The messages of one destination go in one operation, oldest first, so their order
 * is that of the outbox.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Deliver, Hint, Send, StoreService } from "perdure/Store"
import type { Database } from "./database.ts"
import { emptyStatement, outboxStatement } from "./sql/outbox.ts"

/**
 * So long each read and write may take. A database that says nothing would be waited for, and nothing delivered by this
 * process again.
 */
const patience = Effect.timeout("30 seconds")

interface Letter {
  readonly n: string
  readonly send: Send
}

export const make = (
  database: Database,
  write: StoreService["write"],
  hint: StoreService["hint"],
  scope: Scope.Scope
): Effect.Effect<void> => {
  const readSql = outboxStatement(database.s)
  const emptySql = emptyStatement(database.s)
  let draining = false
  /** That it does is told once, until it does not. */
  let fails = false
  let again = false

  const deliver = (letters: ReadonlyArray<ReadonlyArray<Letter>>) =>
    patience(write(letters.map((some): Deliver => ({ _tag: "Deliver", sends: some.map(({ send }) => send) }))))

  /** One batch. False: there is nothing more, but for what is sent to `busy`. */
  const round = Effect.fnUntraced(function*(busy: Set<string>) {
    const rows = yield* patience(database.query(readSql, [[...busy]]))
    if (rows.length === 0) return false
    const byDestination = new Map<string, ReadonlyArray<Letter>>()
    for (const row of rows) {
      const letter = letterOf(row)
      byDestination.set(letter.send.to, [...byDestination.get(letter.send.to) ?? [], letter])
    }
    let waiting = [...byDestination.values()]
    while (waiting.length > 0) {
      const gone: Array<string> = []
      const told: Array<Hint> = []
      const answers = yield* deliver(waiting)
      const rest: Array<ReadonlyArray<Letter>> = []
      waiting.forEach((letters, i) => {
        const answer = answers[i]!
        const to = letters[0]!.send.to
        if (answer._tag === "SendRefused" && answer.why === "conflict" && letters.length > 1) {
          // nothing of it was delivered: this one is dropped, the others of its destination are tried again
          gone.push(letters[answer.index]!.n)
          rest.push(letters.toSpliced(answer.index, 1))
        } else if (answer._tag === "Rejected" && letters.length > 1) {
          // one of them cannot be stored: each on its own, the first of them now
          rest.push(letters.slice(0, 1))
        } else if (answer._tag === "Busy") busy.add(to)
        else {
          for (const { n } of letters) gone.push(n)
          if (answer._tag === "Delivered") told.push({ _tag: "Inbox", workflowId: to })
        }
      })
      // each time, so that a failure of what follows repeats nothing of this
      if (gone.length > 0) yield* patience(database.query(emptySql, [gone]))
      if (told.length > 0) yield* hint(told, "")
      waiting = rest
    }
    return true
  })

  const drain = Effect.gen(function*() {
    do {
      again = false
      const busy = new Set<string>()
      while (yield* round(busy)) again = false
    } while (again)
  }).pipe(Effect.matchEffect({
    onFailure: (error) => {
      if (fails) return Effect.void
      fails = true
      return Effect.logWarning("Messages of transactions could not be delivered, and will be tried again", error)
    },
    onSuccess: () => Effect.sync(() => fails = false)
  }))

  // one at a time in a process; who comes meanwhile makes it look once more
  const alone = Effect.suspend(() => {
    if (draining) {
      again = true
      return Effect.void
    }
    draining = true
    return Effect.ensuring(drain, Effect.sync(() => draining = false))
  })
  return Effect.asVoid(Effect.forkIn(alone, scope))
}

const letterOf = ([n, to, messageId, topic, payload, codec, senderId]: ReadonlyArray<unknown>): Letter => ({
  n: String(n),
  // the columns of the statement
  send: { to, messageId, topic, payload, codec, senderId } as Send
})
