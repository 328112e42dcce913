/**
 * Hunts for programs whose replay differs from what was recorded: another result, a recorded step run again, a race's
 * loser started twice, a message consumed twice or for nobody, a false verdict, a hang. A gate for every upgrade of `effect`.
 *
 * `PERDURE_SEED=n` runs one seed; `PERDURE_PROGRAMS=n` sets how many.
 */
import * as Exit from "effect/Exit"
import { describe, expect, it } from "vitest"
import { type Disk, generator, live } from "./memory.ts"
import { mayRepeat, type Program, program, toEffect } from "./programs.ts"

const count = Number(process.env["PERDURE_PROGRAMS"] ?? 3000)
const one = process.env["PERDURE_SEED"]
const first = one === undefined ? Number(process.env["PERDURE_FIRST"] ?? Math.floor(Math.random() * 1e9)) : Number(one)

const makeProgram = (seed: number): { readonly code: Program; readonly random: ReturnType<typeof generator> } => {
  const random = generator(seed)
  for (;;) {
    const code = program(random, 3)
    if (!mayRepeat(code)) return { code, random }
  }
}

const show = (value: unknown) => JSON.stringify(value, null, 1)

/** Where records and what was written along with them disagree. */
const untrue = (disk: Disk): ReadonlyArray<string> => {
  const received = disk.records
    .filter(({ kind, value }) => kind === "receive" && value !== "{}")
    .map(({ name, stepId, value }) => `${name} ${value} in ${stepId}`)
  const consumed = disk.messages
    .filter(({ consumedBy }) => consumedBy !== null)
    .map(({ consumedBy, payload, topic }) => `${topic} {"value":${payload}} in ${consumedBy}`)
  const wrong: Array<string> = []
  if (received.toSorted().join() !== consumed.toSorted().join()) {
    wrong.push(`received ${received.toSorted()}, consumed ${consumed.toSorted()}`)
  }
  const set = disk.records.filter(({ kind }) => kind === "event").map(({ name, value }) => `${name} ${value}`)
  const events = [...disk.events].map(([key, value]) => `${key} ${value}`)
  if (new Set(set).size !== events.length || events.some((event) => !set.includes(event))) {
    wrong.push(`recorded ${set}, set ${events}`)
  }
  return wrong
}

/** Lives through crashes until it finishes, then replays what was recorded. Returns what went wrong. */
const check = async (seed: number): Promise<string | undefined> => {
  const { code, random } = makeProgram(seed)
  const disk: Disk = { now: 1000, records: [], messages: [], events: new Map() }
  const lost = new Set<string>()
  const wrong: Array<string> = []
  const started = new Map<string, number>()
  let replayOnly = false
  let n = 0
  const world = {
    starts: (key: string) => {
      if (disk.records.some((record) => record.key === key)) wrong.push(`recorded step ran again: ${key}`)
      if (lost.has(key)) wrong.push(`loser started twice: ${key}`)
      if (replayOnly) wrong.push(`ran on replay: ${key}`)
      started.set(key, (started.get(key) ?? 0) + 1)
      return random.int(1000) + 1000 * n++
    },
    abandoned: (key: string, received: number) => void losses.push({ key, received }),
    turns: () => random.int(4)
  }
  let losses: Array<{ readonly key: string; readonly received: number }> = []
  const crashes: Array<number | undefined> = [random.int(20), random.int(30), random.int(40), undefined]
  let final: string | undefined
  for (const crashAt of crashes) {
    losses = []
    const before = disk.records.map((record) => JSON.stringify(record))
    const { ended } = await live({ disk, random, crashAt, body: toEffect(code, world) })
    // A loss is durable when all that the body had received by then is recorded: then it must never start again.
    for (const loss of losses) if (disk.records.length >= loss.received) lost.add(loss.key)
    if (before.some((text, index) => JSON.stringify(disk.records[index]) !== text)) wrong.push("a record changed")
    if (wrong.length > 0) break
    if (ended._tag === "Finished") {
      final = Exit.isSuccess(ended.exit) ? String(ended.exit.value) : `exit ${show(ended.exit)}`
      break
    }
    if (ended._tag !== "Crashed") {
      wrong.push(show(ended))
      break
    }
    disk.now += random.int(100)
  }
  if (wrong.length === 0 && final !== undefined && !final.startsWith("exit")) {
    replayOnly = true
    for (let i = 0; i < 2 && wrong.length === 0; i++) {
      disk.now += 10_000
      const records = disk.records.length
      const { ended } = await live({ disk, random, crashAt: undefined, body: toEffect(code, world) })
      if (disk.records.length < records) wrong.push("records vanished")
      const again = ended._tag === "Finished" && Exit.isSuccess(ended.exit) ? String(ended.exit.value) : show(ended)
      if (again !== final) wrong.push(`replay gave ${again}, the first end was ${final}`)
    }
  } else if (wrong.length === 0) wrong.push(`ended as ${final}`)
  if (wrong.length === 0) wrong.push(...untrue(disk))
  if (one !== undefined) { for (const record of disk.records) console.log(JSON.stringify(record)) }
  return wrong.length === 0 ? undefined : `seed ${seed}: ${wrong[0].replaceAll(/\s+/g, " ").slice(0, 400)}`
}

describe("replay of random programs", () => {
  it(`${count} programs from seed ${first} on, with crashes anywhere, replay what they recorded`, async () => {
    console.log(`first seed: ${first}`)
    if (one !== undefined) console.log(show(makeProgram(first).code).replaceAll(/\n\s*/g, " "))
    const failures: Array<string> = []
    let next = first
    const worker = async () => {
      while (next < first + (one === undefined ? count : 1)) {
        const failure = await check(next++)
        if (failure !== undefined) failures.push(failure)
      }
    }
    await Promise.all(Array.from({ length: 20 }, worker))
    expect(failures).toEqual([])
  }, 900_000)
})
