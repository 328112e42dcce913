import type { Reporter, TestModule } from "vitest/node"

/**
 * Ends the output of a test run with the plain line `N passed, N failed`, for readers that count.
 *
 * A module that could not be collected counts as one failed test: no run with an error says `0 failed`.
 */
export default class CountReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errors: ReadonlyArray<unknown>): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        count[state === "pending" ? "failed" : state] += 1
      }
    }
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : ""
    process.once("exit", (code) => {
      // What failed before there was a test: the server could not be started.
      const failed = code === 0 ? count.failed : Math.max(1, count.failed)
      process.stdout.write(`${count.passed} passed, ${failed} failed${skipped}\n`)
    })
  }
}
