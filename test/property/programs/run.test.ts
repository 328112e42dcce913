/** What tells that a step ran again: tested by logs in which one has. */
import { describe, expect, it } from "vitest"
import { type Op, precedes } from "./program.ts"
import { ranAgain, retried } from "./run.ts"

const begun = (...paths: ReadonlyArray<string>) =>
  paths.map((one) => {
    const [life, path] = one.split(" ")
    return { life: Number(life), path: path! }
  })
const none = new Map<string, number>()

describe("steps that ran again", () => {
  it("are found in one life", () => {
    expect(ranAgain(begun("1 m.0", "1 m.0"), none)).toEqual(["m.0 began 2 times in one life"])
  })

  it("are found in the next life, when something after them had begun", () => {
    expect(ranAgain(begun("1 m.0", "1 m.1", "2 m.0"), none)).toEqual(["m.0 began after m.1 had begun"])
    expect(ranAgain(begun("1 m.0.1.3", "1 m.2", "2 m.0.1.3"), none)).toEqual(["m.0.1.3 began after m.2 had begun"])
  })

  it("are none when the crash was before the next one, or they are tried again", () => {
    expect(ranAgain(begun("1 m.0", "2 m.0", "2 m.1"), none)).toEqual([])
    const tries: Op = { _tag: "RetriedStep", name: "a", failures: 1 }
    expect(ranAgain(begun("1 m.0", "1 m.0", "1 m.1"), retried([tries], "m"))).toEqual([])
  })

  it("are none in branches beside one another", () => {
    expect(precedes("m.0.0.1", "m.0.1.0") || precedes("m.0.1.0", "m.0.0.1")).toBe(false)
    expect([precedes("m.9", "m.10"), precedes("m.1.child.0", "m.2"), precedes("m.2", "m.2")]).toEqual([
      true,
      true,
      false
    ])
  })
})
