import * as SqliteStore from "@perdure/sqlite/SqliteStore"
import { join } from "node:path"
import type { Engine } from "../harness/Engine.ts"
import { open } from "./perdure/driver.ts"

export default {
  settings: "this repository on a SQLite file of the same disk, defaults throughout (every commit reaches the disk)",
  backend: (site) => site.folder(),
  open: (opening) =>
    open(opening, SqliteStore.layer({ filename: join(opening.address, "bench.db") }), {
      workflow: "perdure_workflow",
      step: "perdure_step"
    })
} satisfies Engine
