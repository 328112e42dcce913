import * as PostgresStore from "@perdure/postgres/PostgresStore"
import * as Redacted from "effect/Redacted"
import type { Engine } from "../harness/Engine.ts"
import { open } from "./perdure/driver.ts"

export default {
  settings:
    "perdure-postgres with a `lease` of one second instead of 15, measured where a process is killed: so long it " +
    "takes at the most until others know",
  only: ["W6"],
  backend: (site) => site.database(),
  open: (opening) =>
    open(opening, PostgresStore.layer({ url: Redacted.make(opening.address) }), {
      workflow: "perdure.workflow",
      step: "perdure.step"
    }, { lease: "1 second" })
} satisfies Engine
