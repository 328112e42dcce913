/** Starts what a schedule would have started in a time that has passed. */
import type { ScheduleDetail } from "@perdure/server/AdminApi"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { now } from "../../api/clock.ts"
import { askAgain } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { TextField } from "../../components/Field.tsx"
import { fromInput, toInput } from "../../text/time.ts"

export const BackfillDialog = (
  { schedule, close }: { readonly schedule: ScheduleDetail; readonly close: () => void }
) => {
  const [from, setFrom] = useState(() => toInput(new Date(now() - 86_400_000)))
  const [to, setTo] = useState(() => toInput(new Date(now())))
  const range = { from: fromInput(from), to: fromInput(to) }
  const ready = range.from !== undefined && range.to !== undefined && range.from < range.to
  const act = async () => {
    if (range.from === undefined || range.to === undefined) return
    const payload = { name: schedule.name, from: range.from, to: range.to }
    const { started, ticks } = await ask((api) => api.schedules.backfill({ payload }))
    askAgain(["schedules"])
    askAgain(["workflows"])
    announce(`${ticks} ticks, ${started} started.`)
  }
  return (
    <Confirm title="Backfill this schedule" action="Start them" act={act} close={close} ready={ready}>
      <p>
        A workflow is started for every tick in this time. Ticks that have been started before are not started again.
      </p>
      <TextField type="datetime-local" label="From" value={from} set={setFrom} />
      <TextField type="datetime-local" label="Before" value={to} set={setTo} />
    </Confirm>
  )
}
