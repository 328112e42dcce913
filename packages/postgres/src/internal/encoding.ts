/** A batch as the parameters of one flush. */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import type { Advance, Await, Operation, Start } from "perdure/Store"
import { flushParameters } from "./sql/flush.ts"
import * as Tellings from "./tellings.ts"

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
  columns[i++]!.push(start.epoch)
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
export const ownerOf = (operation: Operation): string | null => {
  if (operation._tag === "Start") return operation.owner
  if (operation._tag === "Deliver" || operation._tag === "StartMany") return null
  for (const child of operation.children) if (child.owner !== null) return child.owner
  return null
}

export const sizeOf = (operation: Operation): number => {
  if (operation._tag === "Start") return operation.payload.length + 500
  if (operation._tag === "Deliver") return 200 + Tellings.sizeOfSends(operation.sends)
  if (operation._tag === "StartMany") return operation.starts.reduce((size, start) => size + sizeOf(start), 0)
  let size = 200 + Tellings.sizeOf(operation)
  for (const record of operation.records) size += record.value.length + 200
  for (const attempt of operation.attempts) size += attempt.error.length + 200
  for (const child of operation.children) size += child.payload.length + 500
  const end = operation.end
  if (end?._tag === "Settle") size += end.output?.length ?? 0
  return size
}
