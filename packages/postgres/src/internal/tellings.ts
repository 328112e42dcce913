/** Encodes what workflows tell others: messages, events, entries of streams. The columns are those of `sql/groups.ts`. */
import type { Advance, EventWrite, Send, StreamWrite } from "perdure/Store"
import { type GroupName, groupNames, groups } from "./sql/groups.ts"

type Cell = string | number | null

/** Rows by column, numbers before texts. */
type Columns = ReadonlyArray<Array<Cell>>

export interface Tellings {
  readonly destinations: Map<string, number>
  readonly columns: Readonly<Record<GroupName, Columns>>
}

export const make = (): Tellings => {
  const empty = (name: GroupName): Columns => [...groups[name].numbers, ...groups[name].texts].map(() => [])
  return {
    destinations: new Map(),
    columns: { m: empty("m"), c: empty("c"), e: empty("e"), g: empty("g"), x: empty("x"), u: empty("u") }
  }
}

/** The values of `d_id` and of the groups' parameters, in their order. */
export const parametersOf = ({ columns, destinations }: Tellings): ReadonlyArray<Array<Cell>> => [
  [...destinations.keys()],
  ...groupNames.flatMap((name) => {
    const numbers = groups[name].numbers.length
    return [columns[name].slice(0, numbers).flat(), columns[name].slice(numbers).flat()]
  })
]

const push = (columns: Columns, ...row: ReadonlyArray<Cell>) => {
  for (let i = 0; i < row.length; i++) columns[i]!.push(row[i]!)
}

export const pushSends = (tellings: Tellings, op: number, sends: ReadonlyArray<Send>): void => {
  const { columns, destinations } = tellings
  for (let part = 0; part < sends.length; part++) {
    const send = sends[part]!
    let destination = destinations.get(send.to)
    if (destination === undefined) {
      destination = destinations.size + 1
      destinations.set(send.to, destination)
    }
    push(
      columns.m,
      op,
      part,
      destination,
      send.to,
      send.messageId,
      send.topic,
      send.payload,
      send.codec,
      send.senderId
    )
  }
}

export const pushAdvance = (tellings: Tellings, op: number, advance: Advance): void => {
  const { consumes, entries, epoch, events, sends, supersedes, workflowId } = advance
  if (sends.length > 0) pushSends(tellings, op, sends)
  for (const { seq, stepId } of consumes) push(tellings.columns.c, op, seq, stepId, workflowId)
  if (events.length > 0) pushEvents(tellings, op, workflowId, epoch, events)
  if (entries.length > 0) pushEntries(tellings, op, workflowId, epoch, entries)
  for (const { attempt, stepId } of supersedes) push(tellings.columns.u, op, epoch, stepId, attempt, workflowId)
}

/** What one step sets again and again within one write is set once. */
const pushEvents = (
  { columns }: Tellings,
  op: number,
  workflowId: string,
  epoch: number,
  events: ReadonlyArray<EventWrite>
) => {
  const byKey = new Map<string, Array<EventWrite>>()
  for (const event of events) {
    const sets = byKey.get(event.key)
    if (sets === undefined) byKey.set(event.key, [event])
    else if (sets.at(-1)!.stepId === event.stepId) sets[sets.length - 1] = event
    else sets.push(event)
  }
  for (const [key, sets] of byKey) {
    sets.forEach(({ codec, stepId, value }, n) =>
      push(columns.e, op, epoch, stepId, n, n === sets.length - 1 ? 1 : 0, workflowId, key, value, codec)
    )
  }
}

const pushEntries = (
  { columns }: Tellings,
  op: number,
  workflowId: string,
  epoch: number,
  entries: ReadonlyArray<StreamWrite>
) => {
  const streams = new Map<string, { readonly group: number; readonly entries: Array<StreamWrite> }>()
  for (const entry of entries) {
    let stream = streams.get(entry.key)
    if (stream === undefined) {
      stream = { group: columns.g[0]!.length + streams.size + 1, entries: [] }
      streams.set(entry.key, stream)
    }
    const { attempt, codec, index, key, stepId, value } = entry
    push(
      columns.x,
      op,
      stream.group,
      stream.entries.length,
      epoch,
      stepId,
      attempt,
      index,
      workflowId,
      key,
      value,
      codec
    )
    stream.entries.push(entry)
  }
  for (const [key, { entries }] of streams) {
    const { attempt, index, stepId } = entries.at(-1)!
    push(columns.g, op, epoch, stepId, attempt, index, workflowId, key)
  }
}

/** Bytes of text, about. */
export const sizeOf = ({ entries, events, sends }: Pick<Advance, "entries" | "events" | "sends">): number => {
  let size = sizeOfSends(sends)
  for (const event of events) size += event.value.length + 200
  for (const entry of entries) size += (entry.value?.length ?? 0) + 200
  return size
}

export const sizeOfSends = (sends: ReadonlyArray<Send>): number => {
  let size = 0
  for (const send of sends) size += send.payload.length + 200
  return size
}
