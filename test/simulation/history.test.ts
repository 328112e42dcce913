/** What tells that a step must not have begun: tested by histories in which it must not. */
import { beforeEach, describe, expect, it, vi } from "vitest"
import { History } from "./history.ts"

const call = (method: string, ...args: ReadonlyArray<unknown>) => ({ caller: "one", method, args, at: Date.now() })
const advance = { _tag: "Advance", workflowId: "w", epoch: 7, records: [{ stepId: 0 }], children: [] }
const claim = { claimed: [{ row: { workflowId: "w", epoch: 7, recoveryAttempts: 0 }, records: [] }] }
const begins = { caller: "one", path: "m.0", workflowId: "w", stepId: 0 }

describe("a step that begins", () => {
  let history: History

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] })
    history = new History(new Map())
    history.told(call("join", {}, 5_000), 0)
    return () => vi.useRealTimers()
  })

  const wrong = () => {
    history.began(begins)
    return history.wrong.map((line) => line.replace("m.0 of \"w\" began in one ", ""))
  }

  it("may, in a process that owns its workflow", () => {
    history.told(call("claim"), claim)
    expect(wrong()).toEqual([])
  })

  it("must not in one that does not own it", () => {
    expect(wrong()).toEqual(["which does not own it"])
  })

  it("must not when it is recorded", () => {
    history.told(call("claim"), claim)
    history.began(begins)
    history.made(call("write", [advance]), [{ _tag: "Recorded" }])
    expect(wrong()).toEqual(["although it is recorded"])
  })

  it("must not when one before it is not recorded", () => {
    history.told(call("claim"), claim)
    history.began(begins)
    history.began({ ...begins, path: "m.1", stepId: 1 })
    expect(history.wrong).toEqual(["m.1 of \"w\" began in one although m.0 before it is not recorded"])
  })

  it("must not in one that was told that it has lost it, until it owns it again", () => {
    history.told(call("claim"), claim)
    history.told(call("write", [advance]), [{ _tag: "Fenced" }])
    vi.advanceTimersByTime(3)
    expect(wrong()).toEqual(["which knew since 3 ms that it had lost it"])
    history.wrong.length = 0
    history.told(call("claim"), { claimed: [{ row: { ...claim.claimed[0]!.row, epoch: 8 }, records: [] }] })
    expect(wrong()).toEqual([])
  })

  it("must not in one whose lease is over", () => {
    history.told(call("claim"), claim)
    vi.advanceTimersByTime(4_000)
    history.told(call("heartbeat", "incarnation", 5_000), { alive: true, revoked: [] })
    vi.advanceTimersByTime(4_999)
    expect(wrong()).toEqual([])
    vi.advanceTimersByTime(1)
    expect(wrong()).toEqual(["after its lease"])
  })
})
