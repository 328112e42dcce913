import { afterAll, beforeAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { freshDatabase } from "../postgres/database.ts"
import { conformance } from "./conformance.ts"
import { connect } from "./postgres.ts"

// One database for the file, one schema for each test.
const scope = Scope.makeUnsafe()
let url = ""
let schemas = 0

beforeAll(async () => {
  url = await Effect.runPromise(Effect.provideService(freshDatabase, Scope.Scope, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

conformance("the Store on PostgreSQL", {
  kind: "postgres",
  connect,
  fresh: Effect.sync(() => ({ kind: "postgres", url, schema: `perdure_${++schemas}` })),
  elsewhere: Effect.map(freshDatabase, (url) => ({ kind: "postgres", url, schema: "perdure" }))
})
