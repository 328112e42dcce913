import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { LongestFirst } from "./test/order.ts"

// Tests run on the sources of the packages, as `node --conditions=perdure:source` does, so nothing needs to be built.
const conditions = ["perdure:source", "module", "node", "development|production"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ["perdure:source", "node"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/*/test/**/*.test.ts", "test/**/*.test.ts"],
    globalSetup: ["test/postgres/globalSetup.ts", "test/programs.ts", "test/dashboard/built.ts"],
    reporters: [process.env.GITHUB_ACTIONS ? "github-actions" : "default", "./test/reporter.ts"],
    pool: "forks",
    // No module keeps a state that a test could change, so the next file finds them as they were, and loaded.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // A worker waits half of its time: for polls, leases, and the programs that it has started.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    // Limits against hanging only: nothing asserts a time.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000
  }
})
