/** Changes the limits of a queue. What is left empty is not limited. */
import type { QueueDetail, QueueLimits } from "@perdure/server/AdminApi"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { TextField } from "../../components/Field.tsx"

const textOf = (value: number | null | undefined): string => value === null || value === undefined ? "" : String(value)

/** Null: empty. Undefined: no whole number from 1 on. */
const numberOf = (text: string): number | null | undefined => {
  if (text.trim() === "") return null
  const value = Number(text)
  return Number.isSafeInteger(value) && value >= 1 ? value : undefined
}

const fields = [
  ["concurrency", "At once, in all executors"],
  ["executorConcurrency", "At once in each executor"],
  ["rate", "Starts in a period"],
  ["period", "The period, in seconds"],
  ["partition", "At once of each partition key"],
  ["ageing", "Seconds of waiting that are worth one point of priority"]
] as const

type Name = (typeof fields)[number][0]

const secondsOf = (ms: number | null | undefined): string => ms === null || ms === undefined ? "" : String(ms / 1000)

export const LimitsDialog = ({ queue, close }: { readonly queue: QueueDetail; readonly close: () => void }) => {
  const { limits } = queue
  const [given, setGiven] = useState<Readonly<Record<Name, string>>>({
    concurrency: textOf(limits.concurrency),
    executorConcurrency: textOf(limits.executorConcurrency),
    rate: textOf(limits.rateLimit?.limit),
    period: secondsOf(limits.rateLimit?.periodMs),
    partition: textOf(limits.partitioned?.concurrency),
    ageing: secondsOf(limits.ageingMs)
  })
  const next = limitsOf(given, limits)
  const act = async () => {
    if (next === undefined) return
    await ask((api) => api.queues.setLimits({ payload: { name: queue.name, limits: next } }))
    askAgain(["queues"])
    announce(`Changed the limits of ${queue.name}.`)
  }
  return (
    <Confirm title="Limits of this queue" action="Set the limits" act={act} close={close} ready={next !== undefined}>
      <p className="muted">
        They count at once, in every process, and stay whatever code declares, until they are reset. Empty: not limited.
      </p>
      {fields.filter(([name]) =>
        name !== "partition" || limits.partitioned !== null
      ).map(([name, label]) => (
        <TextField
          key={name}
          label={label}
          inputMode="numeric"
          value={given[name]}
          set={(value) => setGiven({ ...given, [name]: value })}
        />
      ))}
    </Confirm>
  )
}

/** Undefined: something is no number, or half of a rate is missing. What is not shown stays. */
const limitsOf = (given: Readonly<Record<Name, string>>, before: QueueLimits): QueueLimits | undefined => {
  const concurrency = numberOf(given.concurrency)
  const executorConcurrency = numberOf(given.executorConcurrency)
  const limit = numberOf(given.rate)
  const period = msOf(given.period)
  const ageing = msOf(given.ageing)
  const partition = before.partitioned === null ? null : numberOf(given.partition)
  if (
    concurrency === undefined || executorConcurrency === undefined || limit === undefined || period === undefined ||
    ageing === undefined || partition === undefined || (limit === null) !== (period === null) ||
    (before.partitioned !== null && partition === null)
  ) {
    return undefined
  }
  return {
    concurrency,
    executorConcurrency,
    rateLimit: limit === null || period === null ? null : { limit, periodMs: period },
    partitioned: before.partitioned === null || partition === null
      ? null
      : { ...before.partitioned, concurrency: partition },
    ageingMs: ageing
  }
}

/** Seconds as milliseconds. */
const msOf = (text: string): number | null | undefined => {
  if (text.trim() === "") return null
  const ms = Math.round(Number(text) * 1000)
  return Number.isSafeInteger(ms) && ms >= 1 ? ms : undefined
}
