/** The order in which files are run: what takes longest first, so that nothing long is left when all else is done. */
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What is not named comes after, as vitest orders it: by what it took the last time. */
const longest = [
  "test/crash/everyWrite.test.ts",
  "test/chaos/chaos.test.ts",
  "test/dashboard/growth.test.ts",
  "test/conformance/postgres.test.ts",
  "test/engine/badInput.test.ts",
  "test/operating/runbook.test.ts",
  "test/dashboard/workflows.test.ts",
  "test/dashboard/workflow.test.ts",
  "test/dashboard/hostile.test.ts",
  "test/conformance/sqlite.test.ts",
  "test/crash/outage.test.ts",
  "packages/perdure/test/replay/replay.property.test.ts",
  "test/crash/takeover.test.ts",
  "test/property/queues.test.ts",
  "test/property/programs.test.ts",
  "test/engine/values.test.ts",
  "examples/order/test/order.test.ts",
  "test/simulation/simulation.test.ts",
  "test/dashboard/operations.test.ts",
  "test/engine/queues.test.ts",
  "test/crash/cancel.test.ts",
  "test/crash/cost.test.ts"
]

const place = ({ moduleId }: TestSpecification): number => {
  const index = longest.findIndex((path) => moduleId.endsWith(path))
  return index < 0 ? longest.length : index
}

export class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return (await super.sort(files)).sort((one, other) => place(one) - place(other))
  }
}
