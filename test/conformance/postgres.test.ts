import { afterAll, beforeAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { freshDatabase } from "../postgres/database.ts"
import * as Schemas from "../postgres/schemas.ts"
import { conformance } from "./conformance.ts"
import { connect } from "./postgres.ts"

// One database for the file, an empty schema for each test.
const scope = Scope.makeUnsafe()
let url = ""
let schemas: Schemas.Schemas | undefined

beforeAll(async () => {
  const inScope = Effect.provideService(Scope.Scope, scope)
  url = await Effect.runPromise(inScope(freshDatabase))
  schemas = await Effect.runPromise(inScope(Schemas.make(url)))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

conformance("the Store on PostgreSQL", {
  kind: "postgres",
  connect,
  fresh: Effect.suspend(() => Effect.map(schemas!.take, (schema) => ({ kind: "postgres", url, schema }))),
  elsewhere: Effect.map(freshDatabase, (url) => ({ kind: "postgres", url, schema: "perdure" }))
})
