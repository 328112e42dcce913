/**
 * The turn of operations whose write and outcome are one: the completion number stands in the write, so nothing else is
 * delivered between. Those that wait for it together share it, and its commit: a thousand children that are started at
 * once are one write, not a thousand.
 *
 * What is written together is refused together. Then each writes alone, in their order, and learns what is its own.
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type { Answer, Send, Start, StepRecord } from "../Store.ts"
import { sizeOf } from "./journal.ts"
import { type Call, type Completed, nothingOf, recordOf, type Slot } from "./operation.ts"
import { wasRefused } from "./unsaved.ts"
import type { Writes } from "./writes.ts"

/** Most operations of a shared write, and most bytes; one that is larger goes alone. */
const mostTogether = 1000
const mostBytes = 4 * 1024 * 1024

/** An outcome that is written, and has yet to be delivered. */
export interface Written {
  readonly call: Call
  readonly record: StepRecord
  readonly exit: Exit.Exit<Completed>
}

/** What one of them asks to be written. */
interface Asked {
  readonly record: StepRecord
  readonly children: ReadonlyArray<Start>
  readonly sends: ReadonlyArray<Send>
  readonly answered: (answer: Answer) => void
}

interface Member {
  readonly call: Call
  asked: Asked | undefined
  released: boolean
  written: Written | undefined
}

export class Turn {
  private readonly members: ReadonlyArray<Member>
  private readonly first: number
  private readonly at: number
  private readonly writes: Writes
  private readonly over: (written: ReadonlyArray<Written>) => void
  private together = true
  private writing = false
  private asked = 0
  private released = 0
  private ended = 0

  /**
   * `received`: how many outcomes have been delivered. `at`: the time of those to come. `over` is called once the writes and
   * all that belongs to them are done, with the outcomes in their order.
   */
  constructor(
    calls: ReadonlyArray<Call>,
    received: number,
    at: number,
    writes: Writes,
    over: (written: ReadonlyArray<Written>) => void
  ) {
    this.members = calls.map((call) => ({ call, asked: undefined, released: false, written: undefined }))
    this.first = received + 1
    this.at = at
    this.writes = writes
    this.over = over
  }

  slotOf(index: number): Slot {
    const member = this.members[index]
    const { call } = member
    const seq = this.first + index
    return {
      record: (completed) => recordOf(call, completed, seq, this.at),
      write: (record, children, sends = []) =>
        Effect.callback((resume) => {
          member.asked = { record, children, sends, answered: (answer) => resume(Effect.succeed(answer)) }
          this.asked++
          this.write()
        }),
      contest: (record) => this.writes.written(() => ({ records: [record], contested: true })),
      release: (record) => {
        member.released = true
        this.released++
        if (record === undefined) return this.end()
        this.writes.wrote(seq)
        call.record = record
        call.slotted = (exit) => {
          member.written = { call, record, exit }
          this.end()
        }
        this.write()
      }
    }
  }

  private end(): void {
    if (++this.ended === this.members.length) this.over(this.members.flatMap(({ written }) => written ?? []))
  }

  /** As many as go together, once all that are left have asked; each on its own, once one was refused. */
  private write(): void {
    if (this.writing || (this.together && this.asked < this.members.length - this.released)) return
    const left = this.members.filter((member) => !member.released)
    const group = left.slice(0, this.together ? fitting(left.flatMap(({ asked }) => asked ?? [])) : 1)
    const asked = group.flatMap((member) => member.asked ?? [])
    if (asked.length === 0 || asked.length < group.length) return
    this.writing = true
    const write = {
      records: asked.map(({ record }) => record),
      children: asked.flatMap(({ children }) => children),
      sends: asked.flatMap(({ sends }) => sends)
    }
    this.writes.submit(write, (answer) => {
      this.writing = false
      if (group.length > 1 && wasRefused(answer)) {
        this.together = false
        return this.write()
      }
      for (const member of group) member.asked = undefined
      this.asked -= group.length
      for (const { answered } of asked) answered(answer)
    })
  }
}

/** How many of them, from the first on, one write holds. Two of one id do not go together. */
const fitting = (asked: ReadonlyArray<Asked>): number => {
  const claimed = new Set<string>()
  let bytes = 0
  for (const [index, { children, record, sends }] of asked.entries()) {
    bytes += sizeOf({ ...nothingOf("", 0), records: [record], children, sends })
    const claims = [...children.flatMap(claimsOfStart), ...sends.map(claimsOfSend)]
    if (index === mostTogether || (index > 0 && bytes > mostBytes) || claims.some((claim) => claimed.has(claim))) {
      return index
    }
    for (const claim of claims) claimed.add(claim)
  }
  return asked.length
}

const claimsOfStart = ({ queue, workflowId }: Start): ReadonlyArray<string> =>
  queue?.deduplicationId == null
    ? [`workflow ${workflowId}`]
    : [`workflow ${workflowId}`, `id ${queue.deduplicationId} in ${queue.queue}`]

const claimsOfSend = ({ messageId, to }: Send): string => `message ${messageId} to ${to}`
