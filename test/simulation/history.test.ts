/** What tells that a step must not have begun: tested by histories in which it must not. */
import { beforeEach, describe, expect, it, vi } from "vitest"
import { History } from "./history.ts"

const call = (method: string, ...args: ReadonlyArray<unknown>) => ({ caller: "one", method, args, at: Date.now() })
const claims = () => call("claim", { incarnation: "incarnation" })
const advance = { _tag: "Advance", workflowId: "w", epoch: 7, records: [{ stepId: 0 }], children: [] }
const claim = { claimed: [{ row: { workflowId: "w", epoch: 7, recoveryAttempts: 0 }, records: [] }] }
const owned = (caller: string, epoch: number) =>
  [
    { ...claims(), caller },
    { claimed: [{ row: { workflowId: "w", epoch, recoveryAttempts: 0 }, records: [] }] }
  ] as const
const recorded = (epoch: number, stepId: number, kind = "step") =>
  [call("write", [{ ...advance, epoch, records: [{ stepId, kind, name: "n" }] }]), [{ _tag: "Recorded" }]] as const
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
    history.began(begins)()
    return history.wrong.map((line) => line.replace("m.0 of \"w\" began in one ", ""))
  }

  it("may, in a process that owns its workflow", () => {
    history.told(claims(), claim)
    expect(wrong()).toEqual([])
  })

  it("must not in one that does not own it", () => {
    expect(wrong()).toEqual(["which does not own it"])
  })

  it("must not when it is recorded", () => {
    history.told(claims(), claim)
    history.began(begins)
    history.made(call("write", [advance]), [{ _tag: "Recorded" }])
    expect(wrong()).toEqual(["although it is recorded"])
  })

  it("must not when one before it is not recorded", () => {
    history.told(claims(), claim)
    history.began(begins)
    history.began({ ...begins, path: "m.1", stepId: 1 })
    expect(history.wrong).toEqual(["m.1 of \"w\" began in one although m.0 before it is not recorded"])
  })

  it("must not in one that was told that it has lost it, until it owns it again", () => {
    history.told(claims(), claim)
    history.told(call("write", [advance]), [{ _tag: "Fenced" }])
    vi.advanceTimersByTime(3)
    expect(wrong()).toEqual(["which knew since 3 ms that it had lost it"])
    history.wrong.length = 0
    history.told(claims(), {
      claimed: [{ row: { ...claim.claimed[0]!.row, epoch: 8 }, records: [] }]
    })
    expect(wrong()).toEqual([])
  })

  it("must not in one that was told that its lease has lapsed, but may whatever is told of a former one", () => {
    history.told(claims(), claim)
    history.told(call("heartbeat", "former", 5_000), { alive: false, revoked: [] })
    vi.advanceTimersByTime(3)
    expect(wrong()).toEqual([])
    history.told(call("heartbeat", "incarnation", 5_000), { alive: false, revoked: [] })
    vi.advanceTimersByTime(3)
    expect(wrong()).toEqual(["which knew since 3 ms that it had lost it"])
  })

  it("must not in one whose lease is over", () => {
    history.told(claims(), claim)
    vi.advanceTimersByTime(4_000)
    history.told(call("heartbeat", "incarnation", 5_000), { alive: true, revoked: [] })
    vi.advanceTimersByTime(4_999)
    expect(wrong()).toEqual([])
    vi.advanceTimersByTime(1)
    expect(wrong()).toEqual(["after its lease"])
  })
})

describe("a workflow that is cancelled", () => {
  let history: History

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] })
    history = new History(new Map())
    for (const caller of ["one", "two"]) history.told({ ...call("join", {}, 5_000), caller }, 0)
    history.told(...owned("one", 7))
    return () => vi.useRealTimers()
  })

  const cancels = () =>
    history.made(call("cancel", ["w"]), [{ workflowId: "w", result: "cancelled", phase: "compensate" }])
  const undoes = (path: string, stepId: number) =>
    history.began({ caller: "two", path, workflowId: "w", stepId, undoes: true })

  it("must not record anything, but what it had recorded before, and rollbacks", () => {
    history.made(...recorded(7, 0))
    cancels()
    history.made(...recorded(7, 0))
    history.made(...recorded(8, 1, "rollback"))
    expect(history.wrong).toEqual([])
    history.made(...recorded(7, 1))
    expect(history.wrong).toEqual(["step n of \"w\" was recorded after it was cancelled"])
  })

  it("must not be rolled back beside a step of it, as long as that runs in a living process", () => {
    const ends = history.began(begins)
    history.made(...recorded(7, 0))
    cancels()
    history.told(...owned("two", 8))
    undoes("m.0", 1)
    expect(history.wrong).toEqual(["rollback of m.0 of \"w\" began in two beside something of it in one"])
    history.wrong.length = 0
    ends()
    undoes("m.0", 1)
    expect(history.wrong).toEqual([])
  })

  it("must not run beside a step of it when it is resumed, as long as that runs in a living process", () => {
    history.began(begins)
    cancels()
    history.told(...owned("two", 8))
    const ends = history.began({ ...begins, caller: "two" })
    expect(history.wrong).toEqual(["m.0 of \"w\" began in two beside something of it in one"])
    history.wrong.length = 0
    history.told(...owned("one", 9))
    history.began(begins)()
    expect(history.wrong).toEqual(["m.0 of \"w\" began in one beside something of it in one"])
    history.wrong.length = 0
    ends()
    history.dies("one")
    history.told(...owned("two", 10))
    history.began({ ...begins, caller: "two" })
    expect(history.wrong).toEqual([])
  })

  it("may run beside what its process ran under a lease that it has lost", () => {
    history.began(begins)
    history.told(call("join", {}, 5_000), 0)
    history.told(...owned("one", 8))
    history.began(begins)
    expect(history.wrong).toEqual([])
  })

  it("must be rolled back in reverse order", () => {
    for (const stepId of [0, 1]) {
      history.began({ ...begins, path: `m.${stepId}`, stepId })()
      history.made(...recorded(7, stepId))
    }
    history.told(...owned("two", 8))
    undoes("m.1", 2)
    undoes("m.0", 3)
    expect(history.wrong).toEqual([
      "rollback of m.0 of \"w\" began in two although rollback of m.1 before it is not recorded"
    ])
  })

  it("must not end otherwise, unless it is resumed", () => {
    const ends = (status: string) =>
      history.told(call("outcomes"), { done: [{ workflowId: "w", status, output: null }] })
    ends("CANCELLED")
    ends("SUCCESS")
    expect(history.wrong).toEqual(["\"w\" ended as SUCCESS null, after it had ended as CANCELLED null"])
    history.wrong.length = 0
    ends("CANCELLED")
    history.made(call("resume"), [{ workflowId: "w", result: "resumed" }])
    history.wrong.length = 0
    ends("SUCCESS")
    expect(history.wrong).toEqual([])
  })

  it("must not wake early", () => {
    history.woke("m.0", Date.now() + 1)
    history.woke("m.1", Date.now())
    expect(history.wrong).toEqual(["m.0 woke 1 ms early"])
  })
})

describe("a queue with a place in an executor's memory", () => {
  const takes = (history: History, workflowId: string) =>
    history.made(claims(), {
      claimed: [{ row: { workflowId, queue: "queue", phase: "run" }, records: [] }]
    })

  it("must not have two there; one that begins anew is out of it until it is claimed again", () => {
    const history = new History(new Map(), { concurrency: null, executorConcurrency: 1 })
    history.made(call("join", { incarnation: "incarnation" }, 5_000), 0)
    takes(history, "a")
    history.made(call("renew", { workflowId: "a" }), "renewed")
    takes(history, "b")
    expect(history.wrong).toEqual([])
    takes(history, "a")
    expect(history.wrong).toEqual(["a, b of the queue are in one executor"])
  })
})
