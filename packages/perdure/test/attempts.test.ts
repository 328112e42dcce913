import { describe, expect, it } from "vitest"
import { defaultPolicy, delayMs } from "../src/internal/attempts.ts"

describe("the delay before another attempt", () => {
  const policy = { ...defaultPolicy, intervalMs: 100, factor: 3, maxIntervalMs: 1000 }

  it("grows by its factor, up to the longest", () => {
    expect([1, 2, 3, 4, 5000].map((failed) => delayMs(policy, failed))).toStrictEqual([100, 300, 900, 1000, 1000])
  })

  it("is none after however many attempts, where the first is none", () => {
    expect([1, 2, 5000].map((failed) => delayMs({ ...policy, intervalMs: 0 }, failed))).toStrictEqual([0, 0, 0])
  })
})
