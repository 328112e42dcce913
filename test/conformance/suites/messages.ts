import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { StoreService } from "perdure/Store"
import type { Suite } from "../Backend.ts"
import { advance, block, deliver, record, release, send, start, succeed, suspend } from "../builders.ts"
import { acknowledge, cancel, claimUntil, historyOf, isDue, join, race, recorded } from "../verbs.ts"
import { rounds, startDone, startOwned, submit, write } from "../verbs.ts"

const delivered = { _tag: "Delivered" } as const

const refused = (index: number, why: "unknown" | "ended" | "conflict") => ({ _tag: "SendRefused", index, why } as const)

/** The ids of a workflow's messages that are not consumed, in their order. */
const idsOf = (store: StoreService, workflowId: string, topic: string | null = null, limit = 100) =>
  Effect.map(store.messages(workflowId, { topic, limit }), (rows) => rows.map(({ messageId }) => messageId))

const inboxOf = (store: StoreService, workflowId: string) =>
  Effect.map(store.inboxes([workflowId]), (inboxes) => inboxes.get(workflowId))

const running = Effect.fnUntraced(function*(store: StoreService, ...ids: ReadonlyArray<string>) {
  yield* join(store, "i")
  for (const id of ids) yield* startOwned(store, id, "i")
})

export const messages: Suite = (claim) => {
  claim(
    "messages are kept in the order in which they came, with everything that was sent",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        const before = yield* store.now
        assert.deepStrictEqual(
          yield* write(store, [
            deliver(
              send("w", "b", { topic: "x", payload: "{\"é\":\"\u{1F600}\"}", codec: "other", senderId: "somebody" })
            ),
            deliver(send("w", "a"), send("w", "c"))
          ]),
          [delivered, delivered]
        )
        const rows = yield* store.messages("w", { topic: null, limit: 100 })
        const { sentAt, seq, ...first } = rows[0]!
        assert.deepStrictEqual(first, {
          messageId: "b",
          topic: "x",
          payload: "{\"é\":\"\u{1F600}\"}",
          codec: "other",
          senderId: "somebody",
          consumedBy: null
        })
        assert.isAtLeast(sentAt, before)
        assert.deepStrictEqual(rows.map(({ messageId }) => messageId), ["b", "a", "c"])
        assert.isTrue(rows.every((row, index) => index === 0 || row.seq > rows[index - 1]!.seq), String(seq))
        assert.deepStrictEqual(yield* idsOf(store, "w", "t"), ["a", "c"])
        assert.deepStrictEqual(yield* idsOf(store, "w", "x"), ["b"])
        assert.deepStrictEqual(yield* idsOf(store, "w", "X"), [])
        assert.deepStrictEqual(yield* idsOf(store, "w", null, 2), ["b", "a"])
        assert.deepStrictEqual(yield* idsOf(store, "nobody"), [])
      })
  )

  claim("a message sent again with the same content is there once", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w", "v")
      const both = deliver(send("w", "m"), send("v", "m"))
      assert.deepStrictEqual(yield* submit(store, both), delivered)
      const inbox = yield* inboxOf(store, "w")
      assert.deepStrictEqual(yield* write(store, [both, deliver(send("w", "m"), send("w", "m"))]), [
        delivered,
        delivered
      ])
      assert.deepStrictEqual([yield* idsOf(store, "w"), yield* idsOf(store, "v")], [["m"], ["m"]])
      assert.strictEqual(yield* inboxOf(store, "w"), inbox)
    }))

  for (const [what, other] of Object.entries({ topic: { topic: "u" }, payload: { payload: "0" } })) {
    claim(`a message id used again with another ${what} is a conflict`, ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* submit(store, deliver(send("w", "m")))
        assert.deepStrictEqual(
          yield* submit(store, deliver(send("w", "n"), send("w", "m", other))),
          refused(1, "conflict")
        )
        assert.deepStrictEqual(
          yield* submit(store, deliver(send("w", "n"), send("w", "n", other))),
          refused(1, "conflict")
        )
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["m"])
      }))
  }

  claim(
    "a message to nobody, to one that has ended, or that only rolls back, is refused, with all of its operation",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "undoing")
        yield* startDone(store, "done", "i")
        yield* recorded(store, advance("undoing", 1, { records: [record(0, { rollback: true })] }))
        yield* cancel(store, ["undoing"])
        assert.deepStrictEqual(
          yield* write(store, [
            deliver(send("w", "a"), send("nobody", "a")),
            deliver(send("w", "a"), send("w", "b"), send("done", "a")),
            deliver(send("undoing", "a"), send("w", "a")),
            deliver(send("w", "c"))
          ]),
          [refused(1, "unknown"), refused(2, "ended"), refused(0, "ended"), delivered]
        )
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["c"])
      })
  )

  claim(
    "a message that was delivered is delivered, also when it is sent again after the end",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* submit(store, deliver(send("w", "m")))
        yield* recorded(store, advance("w", 1, { end: succeed }))
        assert.deepStrictEqual(yield* submit(store, deliver(send("w", "m"))), delivered)
        assert.deepStrictEqual(yield* submit(store, deliver(send("w", "n"))), refused(0, "ended"))
      })
  )

  claim("a message raises the inbox, and wakes a workflow that is suspended", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w", "v")
      assert.strictEqual(yield* inboxOf(store, "w"), 0)
      yield* recorded(store, advance("w", 1, { end: suspend({ wakeAt: (yield* store.now) + 3_600_000 }) }))
      assert.isFalse(yield* isDue(store, "w"))
      yield* submit(store, deliver(send("w", "a"), send("w", "b"), send("v", "a")))
      assert.isTrue(yield* isDue(store, "w"))
      const { inbox } = yield* claimUntil(store, "i", "w")
      const inboxes = yield* store.inboxes(["w", "v", "nobody"])
      assert.strictEqual(inboxes.get("w"), inbox)
      assert.isTrue(inbox > 0 && inboxes.get("v")! > 0 && !inboxes.has("nobody"))
      assert.isNull((yield* store.get("v"))!.wakeAt)
    }))

  claim(
    "a message to one that waits to be run, is blocked or was handed back is kept, and starts nothing",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "blocked", "released")
        yield* submit(store, start({ workflowId: "later", delayMs: 3_600_000 }))
        yield* recorded(store, advance("blocked", 1, { end: block }))
        yield* recorded(store, advance("released", 1, { end: release }))
        const ids = ["blocked", "released", "later"]
        const before = yield* Effect.forEach(ids, (id) => store.get(id))
        for (const id of ids) assert.deepStrictEqual(yield* submit(store, deliver(send(id, "m"))), delivered)
        assert.deepStrictEqual(yield* Effect.forEach(ids, (id) => store.get(id)), before)
        for (const id of ids) assert.deepStrictEqual(yield* idsOf(store, id), ["m"])
        assert.isAbove((yield* claimUntil(store, "i", "released")).inbox, 0)
      })
  )

  claim(
    "a suspension that has not seen the message is Stirred, and told the inbox",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* submit(store, deliver(send("w", "m")))
        const inbox = (yield* inboxOf(store, "w"))!
        assert.deepStrictEqual(yield* submit(store, advance("w", 1, { end: suspend({ inbox: 0 }) })), {
          _tag: "Stirred",
          inbox
        })
        yield* recorded(store, advance("w", 1, { end: suspend({ inbox }) }))
        assert.isFalse(yield* isDue(store, "w"))
      })
  )

  claim(
    "a suspension and a message at the same time leave nobody asleep with a message that it has not seen",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(100)) {
          const id = `w${round}`
          yield* startOwned(given.store, id, "i")
          const [slept, sent] = yield* race(
            round,
            submit(given.store, advance(id, 1, { end: suspend() })),
            submit(other.store, deliver(send(id, "m")))
          )
          assert.deepStrictEqual(sent, delivered)
          if (slept._tag !== "Stirred") assert.isTrue(yield* isDue(given.store, id), `${id} sleeps`)
        }
      })
  )

  claim(
    "of an end and a message at the same time the message is kept or refused, never lost",
    (given) =>
      Effect.gen(function*() {
        const other = yield* given.another
        yield* join(given.store, "i")
        for (const round of rounds(100)) {
          const id = `w${round}`
          yield* startOwned(given.store, id, "i")
          const [ended, sent] = yield* race(
            round,
            submit(given.store, advance(id, 1, { end: succeed })),
            submit(other.store, deliver(send(id, "m")))
          )
          assert.strictEqual(ended._tag, "Recorded")
          assert.deepStrictEqual(yield* idsOf(given.store, id), sent._tag === "Delivered" ? ["m"] : [])
          if (sent._tag !== "Delivered") assert.deepStrictEqual(sent, refused(0, "ended"))
        }
      })
  )

  claim(
    "messages to one workflow from many at once are all there, each under a number of its own",
    (given) =>
      Effect.gen(function*() {
        const clients = [given, yield* given.another, yield* given.another, yield* given.another]
        yield* join(given.store, "i")
        yield* startOwned(given.store, "w", "i")
        yield* startOwned(given.store, "v", "i")
        const answers = yield* Effect.forEach(clients, ({ store }, index) =>
          write(
            store,
            rounds(50).map((round) => deliver(send("w", `${index}-${round}`), send("v", `${index}-${round}`)))
          ), { concurrency: "unbounded" })
        assert.isTrue(answers.flat().every(({ _tag }) => _tag === "Delivered"))
        for (const id of ["w", "v"]) {
          const rows = yield* given.store.messages(id, { topic: null, limit: 1_000 })
          assert.strictEqual(new Set(rows.map(({ messageId }) => messageId)).size, 200)
          assert.isTrue(rows.every((row, index) => index === 0 || row.seq > rows[index - 1]!.seq))
          // Those of one sender in the order in which it sent them.
          const mine = rows.filter(({ messageId }) => messageId.startsWith("2-")).map(({ messageId }) => messageId)
          assert.deepStrictEqual(mine, rounds(50).map((round) => `2-${round}`))
        }
      })
  )

  claim("a workflow sends with its record, to others and to itself", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w", "v")
      yield* recorded(
        store,
        advance("w", 1, {
          records: [record(0, { kind: "send" })],
          sends: [send("v", "w-0", { senderId: "w" }), send("w", "w-1", { senderId: "w" })]
        })
      )
      assert.deepStrictEqual((yield* store.messages("v", { topic: "t", limit: 1 }))[0]!.senderId, "w")
      assert.deepStrictEqual(yield* idsOf(store, "w"), ["w-1"])
    }))

  claim(
    "a workflow that sends to itself and suspends in one write is due at once",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        const sleep = advance("w", 1, {
          records: [record(0, { kind: "send" })],
          sends: [send("w", "m")],
          end: suspend()
        })
        assert.strictEqual((yield* submit(store, sleep))._tag, "Recorded")
        assert.isTrue(yield* isDue(store, "w"))
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["m"])
      })
  )

  claim(
    "a workflow's send that is refused leaves nothing of its write, and the rest of the batch as it is",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        yield* startDone(store, "done", "i")
        yield* submit(store, deliver(send("v", "taken")))
        const sends = (...to: ReadonlyArray<ReturnType<typeof send>>) =>
          advance("w", 1, { records: [record(0)], sends: to, end: succeed })
        for (
          const [operation, answer] of [
            [sends(send("v", "a"), send("nobody", "a")), refused(1, "unknown")],
            [sends(send("done", "a"), send("v", "a")), refused(0, "ended")],
            [sends(send("v", "a"), send("v", "taken", { payload: "0" })), refused(1, "conflict")]
          ] as const
        ) {
          const answers = yield* write(store, [operation, deliver(send("v", "taken"))])
          assert.deepStrictEqual(answers, [answer, delivered])
          assert.deepStrictEqual([yield* historyOf(store, "w"), yield* idsOf(store, "v")], [[], ["taken"]])
        }
        assert.strictEqual((yield* store.get("w"))!.status, "PENDING")
      })
  )

  claim(
    "a workflow's sends submitted again are Recorded again, also when their destination has ended since",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        const goesOn = advance("w", 1, { records: [record(0)], sends: [send("v", "a"), send("v", "b")] })
        const ends = advance("w", 1, { records: [record(1)], sends: [send("v", "c")], end: succeed })
        yield* recorded(store, goesOn)
        yield* recorded(store, goesOn)
        yield* recorded(store, ends)
        yield* recorded(store, ends)
        assert.deepStrictEqual(yield* idsOf(store, "v"), ["a", "b", "c"])
        yield* recorded(store, advance("v", 1, { end: succeed }))
        yield* recorded(store, ends)
      })
  )

  claim("the sends of a fenced write do not arrive", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w", "v")
      const answer = yield* submit(store, advance("w", 2, { records: [record(0)], sends: [send("v", "a")] }))
      assert.deepStrictEqual([answer, yield* idsOf(store, "v")], [{ _tag: "Fenced" }, []])
    }))

  claim(
    "what is consumed is read no more, stays, and is consumed with the record or not at all",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* submit(store, deliver(send("w", "a"), send("w", "b"), send("w", "c")))
        const [a, b] = yield* store.messages("w", { topic: "t", limit: 2 })
        const receive = (seq: number, stepId: number, epoch = 1) =>
          advance("w", epoch, {
            records: [record(stepId, { kind: "receive" })],
            consumes: [{ seq, stepId }]
          })
        assert.deepStrictEqual(yield* submit(store, receive(a!.seq, 0, 2)), { _tag: "Fenced" })
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["a", "b", "c"])
        yield* recorded(store, receive(b!.seq, 0))
        yield* recorded(store, receive(b!.seq, 0))
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["a", "c"])
        yield* recorded(store, receive(a!.seq, 1))
        assert.deepStrictEqual(yield* idsOf(store, "w", "t"), ["c"])
        const all = yield* store.messages("w", { topic: null, limit: 10, consumed: true })
        assert.deepStrictEqual(all.map((row) => [row.messageId, row.consumedBy]), [["a", 1], ["b", 0], ["c", null]])
        assert.deepStrictEqual(yield* submit(store, deliver(send("w", "a"))), delivered)
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["c"])
      })
  )

  claim(
    "a receive that ends the workflow, or sleeps, submitted again is Recorded again",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w", "v")
        for (const id of ["w", "v"]) yield* submit(store, deliver(send(id, "a")))
        for (const [id, end] of [["w", succeed], ["v", suspend({ inbox: (yield* inboxOf(store, "v"))! })]] as const) {
          const { seq } = (yield* store.messages(id, { topic: "t", limit: 1 }))[0]!
          const operation = advance(id, 1, { records: [record(0)], consumes: [{ seq, stepId: 0 }], end })
          yield* recorded(store, operation)
          yield* recorded(store, operation)
          assert.deepStrictEqual(yield* idsOf(store, id), [])
        }
      })
  )

  claim(
    "one that is resumed keeps its messages, and the next ones come after them",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        yield* submit(store, deliver(send("w", "a"), send("w", "b")))
        yield* cancel(store, ["w"])
        yield* acknowledge(store, "i")
        assert.deepStrictEqual(yield* store.inboxes(["w"]), new Map())
        yield* store.resume(["w"])
        assert.deepStrictEqual(yield* submit(store, deliver(send("w", "c"))), delivered)
        assert.deepStrictEqual(yield* idsOf(store, "w"), ["a", "b", "c"])
        const { inbox } = yield* claimUntil(store, "i", "w")
        assert.strictEqual(yield* inboxOf(store, "w"), inbox)
      })
  )

  claim(
    "ids and topics of many alphabets are distinct by their bytes, and as long as allowed",
    ({ store }) =>
      Effect.gen(function*() {
        yield* running(store, "w")
        const ids = ["a", "A", "é", "e\u0301", "\u{1F600}", "a b", "a%", "x".repeat(512)]
        assert.deepStrictEqual(
          yield* write(store, ids.map((id) => deliver(send("w", id, { topic: id.slice(0, 256) })))),
          ids.map(() => delivered)
        )
        assert.deepStrictEqual(yield* idsOf(store, "w"), ids)
        for (const id of ids) assert.deepStrictEqual(yield* idsOf(store, "w", id.slice(0, 256)), [id])
      })
  )

  claim("one message that cannot be stored is rejected alone", ({ store }) =>
    Effect.gen(function*() {
      yield* running(store, "w")
      const answers = yield* write(store, [
        deliver(send("w", "a")),
        deliver(send("w", "b"), send("w", "c", { payload: "\"\u0000\"" })),
        deliver(send("w", "d"))
      ])
      assert.deepStrictEqual(answers.map(({ _tag }) => _tag), ["Delivered", "Rejected", "Delivered"])
      assert.deepStrictEqual(yield* idsOf(store, "w"), ["a", "d"])
    }))
}
