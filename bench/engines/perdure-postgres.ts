import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as Redacted from "effect/Redacted"
import type { Engine } from "../harness/Engine.ts"
import { open } from "./perdure/driver.ts"

export default {
  settings: "this repository on PostgreSQL, defaults throughout",
  backend: (site) => site.database(),
  open: (opening) =>
    open(opening, PostgresStore.layer({ url: Redacted.make(opening.address) }), {
      workflow: "perdure.workflow",
      step: "perdure.step"
    })
} satisfies Engine
