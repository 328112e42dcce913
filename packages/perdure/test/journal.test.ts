/** The journal against a database that says nothing. Hunts for a write that waits for its answer for ever. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { advance, record } from "../../../test/conformance/builders.ts"
import { Journal } from "../src/internal/journal.ts"
import type { Answer, Operation, StoreService } from "../src/Store.ts"

it.live("a write that is neither answered nor refused is given up and submitted again, the very same", () =>
  Effect.gen(function*() {
    const written: Array<ReadonlyArray<Operation>> = []
    const answer: Answer = { _tag: "Recorded", children: [] }
    const store = {
      name: "test",
      write: (batch: ReadonlyArray<Operation>) =>
        Effect.suspend(() => written.push(batch) === 1 ? Effect.never : Effect.succeed(batch.map(() => answer)))
    } as unknown as StoreService
    const options = { lanes: 1, batchSize: 10, batchBytes: 1000, patienceMs: 50 }
    const journal = new Journal(store, options, (effect) => void Effect.runFork(effect))
    const operation = advance("w", 1, { records: [record(0)] })
    const answers: Array<Answer> = []
    yield* Effect.callback<void>((resume) =>
      journal.submit(operation, (answer) => {
        answers.push(answer)
        resume(Effect.void)
      })
    )
    assert.deepStrictEqual(answers, [answer])
    assert.deepStrictEqual(written, [[operation], [operation]])
  }))
