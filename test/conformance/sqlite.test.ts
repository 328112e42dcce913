import * as Effect from "effect/Effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { conformance } from "./conformance.ts"
import { connect } from "./sqlite.ts"

const fresh = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "perdure-sqlite-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
).pipe(Effect.map((folder) => ({ kind: "sqlite", filename: join(folder, "perdure.db") }) as const))

conformance("the Store on SQLite", { kind: "sqlite", connect, fresh, elsewhere: fresh })
