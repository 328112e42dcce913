/** The journal's write: encodes a batch, sends it, and isolates what stands in its way. */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import type { Advance, Answer, Await, Operation, SendRefusal, Start, StartAnswer, StoreError } from "perdure/Store"
import type { Database } from "./database.ts"
import { classify, toStoreError } from "./errors.ts"
import { flushParameters } from "./sql/flush.ts"
import * as Tellings from "./tellings.ts"

/** How long a flush waits for a key that somebody's open transaction is inserting. */
const lockMs = 100
/** The same once a batch has been held up: its parts, and ids that held one up lately, wait much shorter. */
const splitLockMs = 15
/** How long an id that held a batch up is written apart from the others. */
const slowForMs = 5_000
/** A flush is cut above this many bytes of text, so that one commit does not hold up the rest for long. */
const maxBytes = 4_000_000
const conflictRetries = 5

interface Entry {
  readonly index: number
  readonly operation: Operation
}

type Column = Array<string | number | boolean | null>

const oids = {
  "double precision[]": PgTypes.OID.float8,
  "text[]": PgTypes.OID.text,
  "boolean[]": PgTypes.OID.bool
} as const

const names: ReadonlyArray<string> = flushParameters.map(([name]) => name)
const types: ReadonlyArray<string> = flushParameters.map(([, type]) => type)
/** Positions of the first column of each group of arrays. */
const first = {
  s: names.indexOf("s_op"),
  a: names.indexOf("a_op"),
  w: names.indexOf("w_op"),
  r: names.indexOf("r_op"),
  t: names.indexOf("t_op"),
  d: names.indexOf("d_id")
}

/** The call of the flush, its parameters after `before` others. */
export const flushCall = (s: string, before: number): string =>
  `${s}.flush_1(${types.map((type, i) => `$${before + i + 1}::${type}`).join(", ")})`

export const flushStatement = (s: string): string =>
  `SELECT op_, part_, tag_, name_, same_, inbox_ FROM ${flushCall(s, 0)}`

const pushStart = (columns: ReadonlyArray<Column>, op: number, child: number | null, start: Start) => {
  let i = first.s
  columns[i++]!.push(op)
  columns[i++]!.push(child)
  columns[i++]!.push(start.workflowId)
  columns[i++]!.push(start.token)
  columns[i++]!.push(start.name)
  columns[i++]!.push(start.version)
  columns[i++]!.push(start.payload)
  columns[i++]!.push(start.codec)
  columns[i++]!.push(start.owner !== null)
  columns[i++]!.push(start.startedAt)
  columns[i++]!.push(start.user)
  columns[i++]!.push(JSON.stringify(start.roles))
  columns[i++]!.push(start.assumedRole)
  columns[i++]!.push(start.parentId)
  columns[i++]!.push(start.parentStepId)
  columns[i++]!.push(start.detached)
  columns[i++]!.push(start.timeoutMs)
  columns[i++]!.push(start.deadlineAt)
  columns[i++]!.push(start.maxRecoveryAttempts)
  if (isPlain(start)) return
  const row = columns[first.s + 2]!.length - 1
  const sparse = (value: string | number | null) => {
    const column = columns[i++]!
    if (value === null) return
    while (column.length < row) column.push(null)
    column.push(value)
  }
  const { attributes, delayMs, queue, schedule, trace } = start
  sparse(queue?.queue ?? null)
  sparse(queue?.priority ?? null)
  sparse(queue?.partitionKey ?? null)
  sparse(queue?.deduplicationId ?? null)
  sparse(queue?.debounce?.limitMs ?? null)
  sparse(queue?.debounce?.expected ?? null)
  sparse(delayMs)
  sparse(isEmpty(attributes) ? null : JSON.stringify(attributes))
  sparse(schedule?.name ?? null)
  sparse(schedule?.at ?? null)
  sparse(trace)
}

/** Has nothing of what comes in the sparse columns, whose arrays end with the last start that has something. */
const isPlain = ({ attributes, delayMs, queue, schedule, trace }: Start): boolean =>
  queue === null && delayMs === null && schedule === null && trace === null && isEmpty(attributes)

const isEmpty = (attributes: Start["attributes"]): boolean => {
  for (const _ in attributes) return false
  return true
}

const pushEnd = (columns: ReadonlyArray<Column>, i: number, end: Advance["end"]) => {
  switch (end?._tag) {
    case undefined:
      return push4(columns, i, null, null, null, null)
    case "Settle":
      return push4(columns, i, end.status, null, null, end.output)
    case "Suspend":
      return push4(columns, i, "suspend", end.inbox, end.wakeAt, end.waits)
    case "Block":
      return push4(columns, i, "block", null, null, end.reason)
    case "Release":
      return push4(columns, i, "release", null, null, null)
  }
}

const push4 = (
  columns: ReadonlyArray<Column>,
  i: number,
  tag: string | null,
  inbox: number | null,
  wake: number | null,
  text: string | null
) => {
  columns[i]!.push(tag)
  columns[i + 1]!.push(inbox)
  columns[i + 2]!.push(wake)
  columns[i + 3]!.push(text)
}

/** What a waiter is entered under at its target. */
const topicOf = (target: Await): string =>
  target.on === "end" ? "" : target.on === "event" ? `e${target.key}` : `s${target.key}`

const pushAdvance = (columns: ReadonlyArray<Column>, op: number, advance: Advance) => {
  const id = advance.workflowId
  const epoch = advance.epoch
  columns[first.a]!.push(op)
  columns[first.a + 1]!.push(id)
  columns[first.a + 2]!.push(epoch)
  pushEnd(columns, first.a + 3, advance.end)
  if (advance.end?._tag === "Suspend") {
    for (const target of advance.end.awaiting) {
      columns[first.w]!.push(op)
      columns[first.w + 1]!.push(id)
      columns[first.w + 2]!.push(target.workflowId)
      columns[first.w + 3]!.push(topicOf(target))
      columns[first.w + 4]!.push(target.on === "stream" ? target.from : 0)
    }
  }
  for (const r of advance.records) {
    let i = first.r
    columns[i++]!.push(op)
    columns[i++]!.push(id)
    columns[i++]!.push(epoch)
    columns[i++]!.push(r.stepId)
    columns[i++]!.push(r.seq)
    columns[i++]!.push(r.asked)
    columns[i++]!.push(r.key)
    columns[i++]!.push(r.name)
    columns[i++]!.push(r.kind)
    columns[i++]!.push(r.outcome)
    columns[i++]!.push(r.value)
    columns[i++]!.push(r.attempts)
    columns[i++]!.push(r.startedAt)
    columns[i++]!.push(r.at)
    columns[i++]!.push(r.childId)
    columns[i++]!.push(r.rollback)
  }
  for (const t of advance.attempts) {
    let i = first.t
    columns[i++]!.push(op)
    columns[i++]!.push(id)
    columns[i++]!.push(epoch)
    columns[i++]!.push(t.stepId)
    columns[i++]!.push(t.key)
    columns[i++]!.push(t.name)
    columns[i++]!.push(t.attempt)
    columns[i++]!.push(t.error)
    columns[i++]!.push(t.at)
    columns[i++]!.push(t.retryAt)
  }
  advance.children.forEach((child, i) => pushStart(columns, op, i, child))
}

/** The columns of one flush, but for its first two parameters. Operations with owners have the same one. */
const columnsOf = (operations: ReadonlyArray<Operation>): ReadonlyArray<Column> => {
  const columns: Array<Column> = types.map(() => [])
  const tellings = Tellings.make()
  for (let op = 0; op < operations.length; op++) {
    const operation = operations[op]!
    if (operation._tag === "Start") pushStart(columns, op, null, operation)
    else if (operation._tag === "Deliver") Tellings.pushSends(tellings, op, operation.sends)
    else if (operation._tag === "Advance") {
      pushAdvance(columns, op, operation)
      Tellings.pushAdvance(tellings, op, operation)
    }
  }
  Tellings.parametersOf(tellings).forEach((cells, i) => {
    columns[first.d + i] = cells
  })
  return columns
}

/** The parameters of one flush. */
export const encode = (operations: ReadonlyArray<Operation>, lock: number): ReadonlyArray<unknown> => {
  let owner: string | null = null
  for (const operation of operations) owner ??= ownerOf(operation)
  return columnsOf(operations).map((column, i) =>
    i === 0 ? PgTypes.int4(lock) : i === 1 ? PgTypes.text(owner) : column.length === 0 ? "{}" : Result.getOrThrow(
      // the type is one of the three: `flushParameters` has no others beyond the first two
      PgTypes.array(column, oids[types[i] as keyof typeof oids])
    )
  )
}

/** The same for the application's client, whichever driver that is: texts. Without an owner and without waiting. */
export const encodeTexts = (operations: ReadonlyArray<Operation>): ReadonlyArray<string | null> =>
  columnsOf(operations).map((column, i) => i < 2 ? null : `{${column.map(literal).join(",")}}`)

const literal = (cell: Column[number]): string =>
  typeof cell === "string" ? `"${cell.replaceAll(/["\\]/g, "\\$&")}"` : cell === null ? "NULL" : String(cell)

/** The owner that a flush's starts have in common. */
const ownerOf = (operation: Operation): string | null => {
  if (operation._tag === "Start") return operation.owner
  if (operation._tag === "Deliver" || operation._tag === "StartMany") return null
  for (const child of operation.children) if (child.owner !== null) return child.owner
  return null
}

const sizeOf = (operation: Operation): number => {
  if (operation._tag === "Start") return operation.payload.length + 500
  if (operation._tag === "Deliver") return 200 + Tellings.sizeOfSends(operation.sends)
  if (operation._tag === "StartMany") return 500 // WIP
  let size = 200 + Tellings.sizeOf(operation)
  for (const record of operation.records) size += record.value.length + 200
  for (const attempt of operation.attempts) size += attempt.error.length + 200
  for (const child of operation.children) size += child.payload.length + 500
  const end = operation.end
  if (end?._tag === "Settle") size += end.output?.length ?? 0
  return size
}

const started: StartAnswer = { _tag: "Started" }

const plainAnswer = (operation: Operation): Answer =>
  operation._tag === "Start"
    ? started
    : operation._tag === "Deliver" || operation._tag === "StartMany"
    ? { _tag: "Delivered" }
    : { _tag: "Recorded", children: operation.children.map(() => started) }

/** Fills in what the function had to say about operations that did not go the plain way. */
const decode = (entries: ReadonlyArray<Entry>, rows: ReadonlyArray<ReadonlyArray<unknown>>): Array<Answer> => {
  const answers = entries.map(({ operation }) => plainAnswer(operation))
  for (const [op, part, tag, name, same, inbox] of rows) {
    const at = Number(op)
    switch (tag) {
      case "Busy":
      case "Fenced":
        answers[at] = { _tag: tag }
        break
      case "Stirred":
        answers[at] = { _tag: "Stirred", inbox: Number(inbox) }
        break
      case "SendRefused":
        answers[at] = { _tag: "SendRefused", index: Number(part), why: name as SendRefusal }
        break
      case "NoQueue":
        answers[at] = { _tag: "NoQueue", index: Number(part), queue: String(name) }
        break
      case "Duplicate":
        answers[at] = { _tag: "Duplicate", workflowId: String(name), name: "" }
        break
      case "ChildDuplicate":
        answers[at] = {
          _tag: "ChildDuplicate",
          index: Number(part),
          workflowId: name as string | null,
          name: null,
          movable: same === true
        }
        break
      // the name of who has the deduplication id, in a row after the one that tells its id
      case "Holder": {
        const answer = answers[at]!
        if (answer._tag === "Duplicate") answers[at] = { ...answer, name: String(name) }
        else if (answer._tag === "ChildDuplicate") answers[at] = { ...answer, name: name as string | null }
        break
      }
      case "ChildConflict":
        answers[at] = { _tag: "ChildConflict", index: Number(part), name: String(name) }
        break
      case "Exists":
      case "Debounced": {
        const exists: StartAnswer = tag === "Exists"
          ? { _tag: "Exists", same: same === true, name: String(name) }
          : { _tag: "Debounced", workflowId: String(name) }
        const answer = answers[at]!
        if (part === null) answers[at] = exists
        else if (answer._tag === "Recorded") {
          answers[at] = { _tag: "Recorded", children: answer.children.with(Number(part), exists) }
        }
        break
      }
    }
  }
  return answers
}

/** The workflow that an operation is of: a delivery is of none. */
const idOf = (operation: Operation): string | null =>
  operation._tag === "Start" || operation._tag === "Advance" ? operation.workflowId : null

/** The answers to operations, from what the function said of them. */
export const decodeAnswers = (
  operations: ReadonlyArray<Operation>,
  rows: ReadonlyArray<ReadonlyArray<unknown>>
): ReadonlyArray<Answer> => decode(operations.map((operation, index) => ({ index, operation })), rows)

const busy: Answer = { _tag: "Busy" }

export const make = (database: Database) => {
  const statement = flushStatement(database.s)
  /** Ids whose key somebody's open transaction holds, and until when they are written apart. Bounded. */
  const slow = new Map<string, number>()

  const send = (entries: ReadonlyArray<Entry>, lock: number): Effect.Effect<ReadonlyArray<Answer>, SqlError> =>
    Effect.map(
      Effect.suspend(() => database.run(statement, encode(entries.map(({ operation }) => operation), lock))),
      (rows) => decode(entries, rows)
    )

  const halves = (entries: ReadonlyArray<Entry>, lock: number) => {
    const middle = entries.length >>> 1
    return Effect.zipWith(
      attempt(entries.slice(0, middle), lock),
      attempt(entries.slice(middle), lock),
      (a, b) => [...a, ...b]
    )
  }

  const attempt = (
    entries: ReadonlyArray<Entry>,
    lock: number,
    tries = 0
  ): Effect.Effect<ReadonlyArray<Answer>, StoreError> =>
    Effect.catch(send(entries, lock), (error): Effect.Effect<ReadonlyArray<Answer>, StoreError> => {
      switch (classify(error)) {
        case "conflict":
          if (tries < conflictRetries) return attempt(entries, lock, tries + 1)
          return entries.length > 1 ? halves(entries, lock) : Effect.succeed([busy])
        case "busy":
          if (entries.length > 1) return halves(entries, splitLockMs)
          markSlow(idOf(entries[0]!.operation))
          return Effect.succeed([busy])
        case "value":
          return entries.length > 1
            ? halves(entries, lock)
            : Effect.succeed([{ _tag: "Rejected", detail: toStoreError(error).message }])
        default:
          return Effect.fail(toStoreError(error))
      }
    })

  const markSlow = (id: string | null) => {
    if (id === null) return
    if (slow.size >= 1_000) slow.clear()
    slow.set(id, Date.now() + slowForMs)
  }

  const isSlow = (id: string | null): boolean => {
    if (id === null || slow.size === 0) return false
    const until = slow.get(id)
    if (until === undefined) return false
    if (until > Date.now()) return true
    slow.delete(id)
    return false
  }

  /** Parts that must not share a flush: other owners, too many bytes, ids that held one up lately. */
  const cut = (batch: ReadonlyArray<Operation>): Array<{ entries: Array<Entry>; lock: number }> => {
    const parts: Array<{ entries: Array<Entry>; lock: number }> = []
    const open = new Map<string | null, { entries: Array<Entry>; bytes: number }>()
    batch.forEach((operation, index) => {
      const entry = { index, operation }
      if (isSlow(idOf(operation))) {
        parts.push({ entries: [entry], lock: splitLockMs })
        return
      }
      const owner = ownerOf(operation)
      const size = sizeOf(operation)
      // an operation without an owner may go with any: the first part that is open
      let part = owner === null ? open.values().next().value : open.get(owner) ?? open.get(null)
      if (part !== undefined && part.bytes + size > maxBytes) {
        for (const [key, value] of open) if (value === part) open.delete(key)
        part = undefined
      }
      if (part === undefined) {
        part = { entries: [], bytes: 0 }
        parts.push({ entries: part.entries, lock: lockMs })
        open.set(owner, part)
      } else if (owner !== null && !open.has(owner)) {
        open.delete(null)
        open.set(owner, part)
      }
      part.entries.push(entry)
      part.bytes += size
    })
    return parts
  }

  return (batch: ReadonlyArray<Operation>): Effect.Effect<ReadonlyArray<Answer>, StoreError> =>
    Effect.suspend(() => {
      if (batch.length === 0) return Effect.succeed([])
      const parts = cut(batch)
      if (parts.length === 1) return attempt(parts[0]!.entries, parts[0]!.lock)
      const answers: Array<Answer> = new Array(batch.length)
      return Effect.as(
        Effect.forEach(parts, ({ entries, lock }) =>
          Effect.map(attempt(entries, lock), (part) => {
            part.forEach((answer, i) => {
              answers[entries[i]!.index] = answer
            })
          }), { concurrency: 4, discard: true }),
        answers
      )
    })
}
