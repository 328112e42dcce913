import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"

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
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Limits against hanging only: nothing asserts a time.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000
  }
})
