/**
 * Hunts for what an engine does otherwise than the program says: another result, a record too many, an event, an entry or a
 * message lost or doubled, a transaction committed twice, a step that runs again although it was recorded.
 *
 * Random programs of durable operations are run by the engine, which is lost in the middle, and by a reference interpreter.
 * `PERDURE_SEED=n` runs the programs of one seed again; `PERDURE_PROGRAMS=n` sets how many.
 */
import * as Effect from "effect/Effect"
import { beforeAll, it } from "vitest"
import { holds, seed } from "./holds.ts"
import { aCase } from "./programs/program.ts"
import { compare, makeLedger } from "./programs/run.ts"
import { onStores } from "./stores.ts"

const programs = Number(process.env["PERDURE_PROGRAMS"] ?? 50)

onStores(`programs, seed ${seed}`, (opened) => {
  beforeAll(() => Effect.runPromise(Effect.asVoid(Effect.provideContext(makeLedger, opened().clients[0]!))))

  it("come to what the reference says, whatever is lost in the middle", () =>
    holds(aCase, programs, (one) => compare(opened().clients[0]!, one)))
})
