import type { Engine } from "../harness/Engine.ts"
import { open } from "./dbos/driver.ts"

export default {
  settings: "@dbos-inc/dbos-sdk 5.3.0, defaults; its log is off",
  backend: (site) => site.database(),
  open: (opening) => open(opening, {})
} satisfies Engine
