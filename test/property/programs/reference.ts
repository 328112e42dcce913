/** What a program comes to: the same operations on plain values, one after another. It knows nothing of the engine. */
import { type Op, type Program, scopeOf } from "./program.ts"

/** What a workflow leaves behind. */
export interface Expected {
  readonly result: ReadonlyArray<string>
  readonly failed: boolean
  /**
   * Kind and name of each record of its last life, sorted: branches record in any order. Without reads of streams: each
   * chunk is one.
   */
  readonly steps: ReadonlyArray<string>
  /** The same of all its lives, without rollbacks. */
  readonly lives: ReadonlyArray<ReadonlyArray<string>>
  readonly events: Readonly<Record<string, number>>
  readonly streams: Readonly<Record<string, Stream>>
  /** Of each topic what was received, in order, and what was not. */
  readonly messages: Readonly<
    Record<string, { readonly received: ReadonlyArray<number>; readonly left: ReadonlyArray<number> }>
  >
}

export interface Stream {
  readonly values: ReadonlyArray<number>
  readonly closed: boolean
}

/** Of everything that a program starts, by the path of its workflow; the first is `""`. */
export interface World {
  readonly workflows: Map<string, Expected>
  /** Paths of the transactions, each once. */
  readonly committed: Array<string>
  /** Paths of the steps whose bodies run. */
  readonly ran: Set<string>
  /** Paths of the steps that are rolled back. */
  readonly undone: Set<string>
}

/** Its state while it runs. */
class State {
  readonly path: string
  steps: Array<string> = []
  /** Of the present life, what is to be rolled back when it fails. */
  undo: Array<{ readonly path: string; readonly name: string }> = []
  readonly lives: Array<ReadonlyArray<string>> = []
  readonly events: Record<string, number> = {}
  readonly streams: Record<string, { values: Array<number>; closed: boolean }> = {}
  readonly messages: Record<string, { received: Array<number>; left: Array<number> }> = {}

  constructor(path: string) {
    this.path = path
  }

  /** Its life ends, and with it what its records say. */
  ends(): void {
    this.lives.push(this.steps)
    this.steps = []
    this.undo = []
  }

  send(topic: string, value: number): void {
    const messages = this.messages[topic] ??= { received: [], left: [] }
    messages.left.push(value)
  }

  receive(topic: string): number | undefined {
    const messages = this.messages[topic]
    const value = messages?.left.shift()
    if (value !== undefined) messages!.received.push(value)
    return value
  }

  stream(key: string) {
    return this.streams[key] ??= { values: [], closed: false }
  }
}

/** `others`: values that come in from outside, all of them in the end. */
export const interpret = (program: Program, others: ReadonlyArray<number>): World => {
  const world: World = { workflows: new Map(), committed: [], ran: new Set(), undone: new Set() }
  workflow(world, "", program, false, others)
  return world
}

const workflow = (
  world: World,
  path: string,
  program: Program,
  failed: boolean,
  others: ReadonlyArray<number>
): Expected => {
  const state = new State(path)
  for (const value of others) state.send("other", value)
  const result = lives(world, state, scopeOf(path), program)
  if (path === "") {
    // The last operation: everything from outside has come.
    state.send("end", 0)
    state.receive("end")
    state.steps.push("receive end")
  }
  const { events, messages, streams, undo } = state
  const rollbacks = failed ? undo.map(({ name }) => `rollback ${name}`) : []
  const steps = [...state.steps, ...rollbacks].toSorted()
  state.ends()
  if (failed) { for (const { path } of undo) world.undone.add(path) }
  const expected = {
    result: failed ? [] : result,
    failed,
    steps,
    lives: state.lives,
    events,
    streams,
    messages
  }
  world.workflows.set(path, expected)
  return expected
}

/** The main sequence: the result is that of the last life. */
const lives = (world: World, state: State, path: string, program: Program): ReadonlyArray<string> => {
  let results: Array<string> = []
  for (const [index, op] of program.entries()) {
    if (op._tag === "Again") {
      results = []
      state.ends()
    } else results.push(operation(world, state, path, `${path}.${index}`, op))
  }
  return results
}

const sequence = (world: World, state: State, path: string, program: Program): ReadonlyArray<string> =>
  program.map((op, index) => operation(world, state, path, `${path}.${index}`, op))

/** `scope`: the branch, which owns topics, events and streams; `path`: of this operation. */
const operation = (world: World, state: State, scope: string, path: string, op: Op): string => {
  const record = (...kinds: ReadonlyArray<string>) => void state.steps.push(...kinds)
  const branch = (label: string | number, program: Program) => join(sequence(world, state, `${path}.${label}`, program))
  switch (op._tag) {
    case "Step":
      world.ran.add(path)
      record(`step ${op.name}`)
      if (op.undo) state.undo.push({ path, name: op.name })
      return `${op.name} done`
    case "FailingStep":
      world.ran.add(path)
      record(`step ${op.name}`)
      return `${op.name} broken ${op.code}`
    case "RetriedStep":
      world.ran.add(path)
      record(`step ${op.name}`)
      return `${op.name} after ${op.failures}`
    case "Transaction":
      world.committed.push(path)
      record(`transaction ${op.name}`)
      if (op.undo) state.undo.push({ path, name: op.name })
      return `${op.name} committed`
    case "Child": {
      record("child Node")
      const between = op.meanwhile === null ? "" : branch("meanwhile", op.meanwhile)
      const child = workflow(world, `${path}.child`, op.program, op.fails, [])
      record("result result of Node")
      const told = `${between} child ${op.fails ? "failed" : join(child.result)}`
      if (!op.reads) return told
      record(`get event ${path}.child-0`)
      const values = child.streams[`${path}.child-0`]?.values ?? []
      return `${told}, event ${child.events[`${path}.child-0`] ?? "never set"}, stream ${values.join(" ")}`
    }
    case "Send":
      record(`send ${scope}-${op.topic}`)
      if (op.keyed) record(`send ${scope}-${op.topic}`)
      state.send(`${scope}-${op.topic}`, op.value)
      return "sent"
    case "Receive":
      record(`receive ${scope}-${op.topic}`)
      return `received ${state.receive(`${scope}-${op.topic}`) ?? "nothing"}`
    case "ReceiveOther": {
      // Outside of the main sequence, and when all have been received, there is nothing to wait for.
      if (scope !== "m" || (state.messages["other"]?.left.length ?? 0) === 0) return "nothing from outside"
      record("receive other")
      return `from outside ${state.receive("other")}`
    }
    case "Set":
      record(`event ${scope}-${op.key}`)
      state.events[`${scope}-${op.key}`] = op.value
      return "set"
    case "Get": {
      record(`get event ${scope}-${op.key}`)
      return `got ${state.events[`${scope}-${op.key}`] ?? "nothing"}`
    }
    case "Write":
    case "Close": {
      const stream = state.stream(`${scope}-${op.key}`)
      record(`stream ${scope}-${op.key}`)
      if (op._tag === "Close") {
        stream.closed = true
        return "closed"
      }
      if (stream.closed) return "refused"
      stream.values.push(op.value)
      return "written"
    }
    case "Select": {
      record("race race")
      if (op.winner === "sleep") return "selected late"
      record(`send ${path}`, `receive ${path}`)
      state.send(path, op.value)
      return `selected ${state.receive(path)}`
    }
    case "Sleep":
      return "slept"
    case "All":
    case "Plain":
      return op.branches.map((program, index) => branch(index, program)).join(" & ")
    case "ForEach":
      return Array.from({ length: op.times }, (_, index) => branch(index, op.program)).join(" & ")
    case "Race": {
      record("race race")
      return `won by ${branch("winner", op.winner)}`
    }
    case "Timeout":
      return op.program === null ? "too late" : `in time ${branch("in time", op.program)}`
    case "Patch":
      record(`patch patch ${path}`)
      return "patched"
    case "Now":
    case "Uuid":
      world.ran.add(path)
      record(op._tag === "Now" ? "now now" : "uuid randomUUID", "step keep")
      return "the same"
    case "Again":
      return "no life of its own"
  }
}

const join = (parts: ReadonlyArray<string>): string => `(${parts.join(", ")})`
