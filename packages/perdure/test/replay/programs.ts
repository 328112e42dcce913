/** Random workflow programs: what a body may be made of, as data that can be printed, and as an Effect. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import * as Codec from "../../src/internal/codec.ts"
import * as Events from "../../src/internal/events.ts"
import type { Operation } from "../../src/internal/operation.ts"
import { receive } from "../../src/internal/receiving.ts"
import { CurrentRun } from "../../src/internal/run.ts"
import * as Structure from "../../src/internal/structure.ts"
import { type Generator, topics, turns } from "./memory.ts"

export type Program =
  | { readonly _tag: "Step"; readonly name: string; readonly turns: number; readonly fails: boolean }
  /** Waits for a message; undefined: for as long as it takes. */
  | { readonly _tag: "Receive"; readonly name: string; readonly topic: string; readonly ms: number | undefined }
  | { readonly _tag: "Set"; readonly name: string }
  | { readonly _tag: "Plain"; readonly turns: number }
  | { readonly _tag: "Yield" }
  | { readonly _tag: "Sleep"; readonly ms: number }
  | { readonly _tag: "Sequence"; readonly items: ReadonlyArray<Program> }
  | { readonly _tag: "All" | "WorkflowAll"; readonly name: string; readonly items: ReadonlyArray<Program> }
  | {
    readonly _tag: "ForEach" | "WorkflowForEach"
    readonly name: string
    readonly item: Program
    readonly times: number
    readonly wide: boolean
  }
  | { readonly _tag: "Race" | "WorkflowRace"; readonly name: string; readonly items: ReadonlyArray<Program> }
  | { readonly _tag: "Timeout" | "WorkflowTimeout"; readonly name: string; readonly item: Program; readonly ms: number }
  | { readonly _tag: "Fork"; readonly name: string; readonly item: Program; readonly then: Program }
  | { readonly _tag: "Retry"; readonly item: Program; readonly name: string; readonly times: number }
  | { readonly _tag: "Permit"; readonly item: Program }
  | { readonly _tag: "Provide"; readonly item: Program }
  | { readonly _tag: "Uninterruptible"; readonly item: Program }
  | { readonly _tag: "Choice"; readonly name: string; readonly items: ReadonlyArray<Program> }

/** `unique`: names must be unique here, since this may run in a forked fiber of a plain combinator. */
export const program = (random: Generator, depth: number): Program => {
  let names = 0
  const name = () => `s${names++}`
  const step = (): Program => ({ _tag: "Step", name: name(), turns: random.int(6), fails: random.chance(0.15) })
  const leaf = (): Program =>
    random.chance(0.5)
      ? step()
      : random.chance(0.35)
      ? {
        _tag: "Receive",
        name: name(),
        topic: random.pick(topics),
        ms: random.chance(0.3) ? undefined : random.chance(0.2) ? 0 : random.int(60)
      }
      : random.chance(0.15)
      ? { _tag: "Set", name: name() }
      : random.chance(0.2)
      ? { _tag: "Yield" }
      : random.chance(0.5)
      ? { _tag: "Plain", turns: random.int(8) }
      : { _tag: "Sleep", ms: random.int(60) }
  const some = (depth: number, n: number): ReadonlyArray<Program> =>
    Array.from({ length: 1 + random.int(n) }, () => make(depth - 1))
  // What decides a race or a timeout is durable: it ends with a step. Plain work alone must not decide.
  const racer = (depth: number): Program => ({ _tag: "Sequence", items: [make(depth - 1), step()] })
  const make = (depth: number): Program => {
    if (depth <= 0) return leaf()
    switch (random.int(15)) {
      case 0:
      case 1:
      case 2:
        return { _tag: "Sequence", items: some(depth, 4) }
      case 3:
        return { _tag: "All", name: name(), items: some(depth, 3) }
      case 4:
        return { _tag: "WorkflowAll", name: name(), items: some(depth, 3) }
      case 5:
        return { _tag: "ForEach", name: name(), item: make(depth - 1), times: 1 + random.int(3), wide: false }
      case 6:
        return {
          _tag: "WorkflowForEach",
          name: name(),
          item: make(depth - 1),
          times: 1 + random.int(3),
          wide: random.chance(0.7)
        }
      case 7:
        return { _tag: "Race", name: name(), items: [racer(depth), racer(depth)] }
      case 8:
        return { _tag: "WorkflowRace", name: name(), items: [racer(depth), racer(depth)] }
      case 9:
        return { _tag: "Timeout", name: name(), item: racer(depth), ms: 1 + random.int(50) }
      case 10:
        return { _tag: "WorkflowTimeout", name: name(), item: racer(depth), ms: 1 + random.int(50) }
      case 11:
        return { _tag: "Fork", name: name(), item: make(depth - 1), then: make(depth - 1) }
      case 12:
        return { _tag: "Retry", item: make(depth - 1), name: name(), times: 1 + random.int(2) }
      case 13:
        return random.chance(0.5)
          ? { _tag: "Permit", item: make(depth - 1) }
          : random.chance(0.5)
          ? { _tag: "Provide", item: make(depth - 1) }
          : { _tag: "Uninterruptible", item: make(depth - 1) }
      default:
        return { _tag: "Choice", name: name(), items: some(depth, 3) }
    }
  }
  const code: Program = { _tag: "Sequence", items: [make(depth), make(depth)] }
  return has(code, "Permit") || has(code, "Uninterruptible") ? withoutPlain(code) : code
}

const has = (node: Program, tag: Program["_tag"]): boolean =>
  node._tag === tag || ("item" in node && has(node.item, tag)) || ("then" in node && has(node.then, tag)) ||
  ("items" in node && node.items.some((item) => has(item, tag)))

export interface World {
  /** Called when a step's body starts; returns its outcome. */
  readonly starts: (key: string) => number
  /** Called when the body lets go of a step that is running. */
  readonly abandoned: (key: string, received: number) => void
  readonly turns: () => number
}

class StepError {
  readonly n: number
  constructor(n: number) {
    this.n = n
  }
}

const step = (world: World, name: string, delay: number, fails: boolean): Effect.Effect<string, StepError> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(CurrentRun)!
    let key = ""
    const exitOf = (outcome: "success" | "failure", n: number): Exit.Exit<string, StepError> =>
      outcome === "success" ? Exit.succeed(`${name}=${n}`) : Exit.fail(new StepError(n))
    const operation: Operation = {
      kind: "step",
      name,
      identity: name,
      replay: (record) => exitOf(record.outcome, JSON.parse(record.value)),
      perform: (call) =>
        Effect.gen(function*() {
          key = call.key
          const n = world.starts(call.key)
          if (delay > 0) yield* Effect.promise(() => turns(delay + world.turns()))
          const outcome = fails ? "failure" : "success"
          return { outcome, value: JSON.stringify(n), exit: exitOf(outcome, n), attempts: 1 } as const
        }),
      onAbandoned: () => {
        if (key !== "") world.abandoned(key, run.received)
      }
    }
    return run.ask(operation)
  })

const text = Codec.make<string>()

const join = (parts: ReadonlyArray<string>) => `(${parts.join(" ")})`

/** A failing step answers for itself, except in a retried block. */
export const toEffect = (program: Program, world: World): Effect.Effect<string, StepError> => {
  const permits = Semaphore.makeUnsafe(1)
  const settled = (effect: Effect.Effect<string, StepError>) =>
    Effect.catch(effect, (error) => Effect.succeed(`!${error.n}`))
  const go = (node: Program): Effect.Effect<string, StepError> => {
    switch (node._tag) {
      case "Step":
        return step(world, node.name, node.turns, node.fails)
      case "Receive":
        return Effect.map(
          Effect.orDie(receive(node.topic, text, { timeout: node.ms, key: node.name })),
          (got) => `${node.topic}:${node.ms === undefined ? got : got._tag === "Some" ? got.value : "none"}`
        )
      case "Set":
        return Effect.as(Effect.orDie(Events.set(node.name, text, node.name, undefined)), "set")
      case "Plain":
        return Effect.as(Effect.promise(() => turns(node.turns + world.turns())), "plain")
      case "Yield":
        return Effect.as(Effect.yieldNow, "yielded")
      case "Sleep":
        return Effect.as(Effect.sleep(node.ms), "slept")
      case "Sequence":
        return Effect.map(Effect.forEach(node.items, (item) => settled(go(item))), join)
      case "All":
        return Effect.map(Effect.all(node.items.map((item) => settled(go(item))), { concurrency: "unbounded" }), join)
      case "WorkflowAll":
        return Effect.map(
          Structure.all(node.items.map((item) => settled(go(item))), {
            name: node.name,
            concurrency: "unbounded"
          }) as Effect.Effect<Array<string>>,
          join
        )
      case "ForEach":
        return Effect.map(Effect.forEach(Array.from({ length: node.times }), () => settled(go(node.item))), join)
      case "WorkflowForEach":
        return Effect.map(
          Structure.forEach(Array.from({ length: node.times }), () => settled(go(node.item)), {
            name: node.name,
            concurrency: node.wide ? "unbounded" : 1
          }),
          join
        )
      case "Race":
        return Effect.raceFirst(settled(go(node.items[0])), settled(go(node.items[1])))
      case "WorkflowRace":
        return Structure.race(node.items.map((item) => settled(go(item))), { name: node.name }) as Effect.Effect<string>
      case "Timeout":
        return Effect.map(
          Effect.timeoutOption(settled(go(node.item)), node.ms),
          (option) => option._tag === "Some" ? option.value : "late"
        )
      case "WorkflowTimeout":
        return Effect.catch(
          Structure.timeout(settled(go(node.item)), node.ms, { name: node.name }),
          () => Effect.succeed("late")
        )
      case "Fork":
        return Effect.gen(function*() {
          const fiber = yield* Structure.fork(node.name, settled(go(node.item)))
          const after = yield* settled(go(withoutPlain(node.then)))
          return join([after, yield* Fiber.join(fiber)])
        })
      case "Retry":
        return Effect.gen(function*() {
          const before = yield* settled(step(world, node.name, 1, true))
          const block = Effect.andThen(step(world, `${node.name}!`, 1, true), settled(go(node.item)))
          const after = yield* settled(Effect.retry(block, { times: node.times }))
          return join([before, after, yield* settled(go(node.item))])
        })
      case "Permit":
        return permits.withPermit(settled(go(withoutPermits(node.item))))
      case "Provide":
        return settled(go(node.item)).pipe(Effect.withSpan("provided"))
      case "Uninterruptible":
        return Effect.uninterruptible(settled(go(node.item)))
      case "Choice":
        return Effect.flatMap(
          settled(step(world, node.name, 2, false)),
          (answer) => settled(go(node.items[Number(answer.split("=")[1] ?? 0) % node.items.length]))
        )
    }
  }
  return go(program)
}

/**
 * The known limits. Plain work that decides who takes a permit first, or whether a racer has entered an uninterruptible
 * region by the time it loses, decides what runs, and nothing records it. And whether a fork has ended by the time plain work lets its parent join it is not known to the body's clock, so a sleep
 * after that join may be due at another time on replay.
 */
const withoutPlain = (node: Program): Program => {
  if (node._tag === "Plain") return { _tag: "Sleep", ms: node.turns }
  const copy = { ...node } as any
  if (copy.item !== undefined) copy.item = withoutPlain(copy.item)
  if (copy.then !== undefined) copy.then = withoutPlain(copy.then)
  if (copy.items !== undefined) copy.items = copy.items.map(withoutPlain)
  return copy
}

/** A permit inside a permit of the same semaphore would wait for itself. */
const withoutPermits = (node: Program): Program => {
  if (node._tag === "Permit") return withoutPermits(node.item)
  const copy = { ...node } as any
  if (copy.item !== undefined) copy.item = withoutPermits(copy.item)
  if (copy.then !== undefined) copy.then = withoutPermits(copy.then)
  if (copy.items !== undefined) copy.items = copy.items.map(withoutPermits)
  return copy
}

/** Whether a name may be used twice by forked fibers of plain combinators: such a program is refused, rightly. */
export const mayRepeat = (node: Program, forked = false, again = false): boolean => {
  const both = forked && again
  switch (node._tag) {
    case "Step":
    case "Receive":
    case "Set":
      return both
    case "Plain":
    case "Yield":
    case "Sleep":
      return false
    case "ForEach":
      return mayRepeat(node.item, forked, true)
    case "Retry":
      return forked || mayRepeat(node.item, forked, true)
    case "All":
    case "Race":
      return node.items.some((item) => mayRepeat(item, true, again))
    case "Timeout":
      return mayRepeat(node.item, true, again)
    case "WorkflowAll":
    case "WorkflowRace":
      return both || node.items.some((item) => mayRepeat(item))
    case "WorkflowForEach":
    case "WorkflowTimeout":
      return both || mayRepeat(node.item)
    case "Sequence":
      return node.items.some((item) => mayRepeat(item, forked, again))
    case "Choice":
      return both || node.items.some((item) => mayRepeat(item, forked, again))
    case "Fork":
      return both || mayRepeat(node.item) || mayRepeat(node.then, forked, again)
    case "Permit":
    case "Provide":
    case "Uninterruptible":
      return mayRepeat(node.item, forked, again)
  }
}
