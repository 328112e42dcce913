import type { Engine } from "../harness/Engine.ts"
import { open } from "./dbos/driver.ts"

const pollMs = 10
const poolSize = 50

export default {
  settings: `the same, looking at queues and results every ${pollMs} ms (\`minPollingIntervalMs\`, ` +
    `\`pollingIntervalMs\`) instead of every second, and with ${poolSize} connections instead of 10 ` +
    "(`systemDatabasePoolSize`); measured in the rows where that matters",
  only: ["W2", "W3", "W4", "W5", "W7", "W9"],
  backend: (site) => site.database(),
  open: (opening) => open(opening, { queuePollMs: pollMs, resultPollMs: pollMs, poolSize })
} satisfies Engine
