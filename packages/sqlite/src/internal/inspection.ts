/** The contract's methods for a check-up. */
import type { InspectionStore } from "perdure/Store"
import type { Connections } from "./connections.ts"
import * as Inspect from "./inspect.ts"

export const inspection = (connections: Connections): InspectionStore => ({
  schemaProblems: connections.read("look at the schema", Inspect.schemaProblems),
  strays: (limit) => connections.read("look for strays", (database) => Inspect.strays(database, limit)),
  needs: connections.read("look for what is needed", Inspect.needs)
})
