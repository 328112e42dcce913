import type { Engine } from "../harness/Engine.ts"
import { open } from "./dbos/driver.ts"

const pollMs = 10

export default {
  settings: `the same, looking at queues and results every ${pollMs} ms (\`minPollingIntervalMs\`, ` +
    "`pollingIntervalMs`) instead of every second; measured in the rows where that matters",
  only: ["W3", "W4", "W5", "W7", "W9"],
  backend: (site) => site.database(),
  open: (opening) => open(opening, { queuePollMs: pollMs, resultPollMs: pollMs })
} satisfies Engine
