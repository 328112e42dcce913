/** Schedules: in plain words, with their next fires, what they started, and what an operator may do. */
import type { ScheduleSummary } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link, useNavigate, useSearch } from "@tanstack/react-router"
import { useState } from "react"
import { info, schedule, schedules } from "../api/queries.ts"
import { Button } from "../components/Button.tsx"
import { Rule } from "../components/Rule.tsx"
import { Empty, Loading, Problem } from "../components/States.tsx"
import { Text } from "../components/Text.tsx"
import { Ago } from "../components/Time.tsx"
import { ScheduleDetails } from "./schedules/ScheduleDetails.tsx"
import { ScheduleDialog } from "./schedules/ScheduleDialog.tsx"

export const Schedules = () => {
  const { name } = useSearch({ from: "/schedules" })
  const { data, error, refetch } = useQuery(schedules)
  const allowed = useQuery(info).data?.allowed ?? []
  const [making, setMaking] = useState(false)
  const navigate = useNavigate()
  return (
    <div className="stack page">
      <div className="row spread">
        <h1>Schedules</h1>
        {allowed.includes("schedules")
          ? <Button tone="primary" onClick={() => setMaking(true)}>Create a schedule</Button>
          : null}
      </div>
      {making ? <ScheduleDialog close={() => setMaking(false)} /> : null}
      {error === null ? null : <Problem error={error} retry={() => void refetch()} />}
      {data === undefined && error === null ? <Loading what="schedules" /> : null}
      {data !== undefined && data.length === 0
        ? (
          <Empty title="There are no schedules">
            Declare one: WorkflowSchedule.make(name, {"{ workflow, cron }"}).
          </Empty>
        )
        : null}
      {data === undefined || data.length === 0 ? null : (
        <div className="card scroll">
          <table>
            <thead>
              <tr>
                <th>Schedule</th>
                <th>When</th>
                <th className="wide-only">Starts</th>
                <th className="number-cell wide-only">Last</th>
                <th className="number-cell">Next</th>
              </tr>
            </thead>
            <tbody>{data.map((one) => <Row key={one.name} schedule={one} at={one.name === name} />)}</tbody>
          </table>
        </div>
      )}
      {name === undefined ?
        null :
        <One key={name} name={name} close={() => navigate({ to: "/schedules", search: {} })} />}
    </div>
  )
}

const Row = ({ schedule, at }: { readonly schedule: ScheduleSummary; readonly at: boolean }) => (
  <tr className={at ? "at" : ""}>
    <td className="name-cell">
      <Link to="/schedules" search={{ name: schedule.name }}>
        <Text>{schedule.name}</Text>
      </Link>{" "}
      {schedule.paused ? <span className="badge warn">paused</span> : null}
    </td>
    <td className="small">
      <Rule schedule={schedule} />
    </td>
    <td className="wide-only">
      <Text>{schedule.workflow}</Text>
    </td>
    <td className="number-cell number wide-only">
      <Ago at={schedule.lastFire} />
    </td>
    <td className="number-cell number">
      {schedule.paused ? <span className="muted">paused</span> : <Ago at={schedule.nextFire} />}
    </td>
  </tr>
)

const One = ({ name, close }: { readonly name: string; readonly close: () => Promise<void> }) => {
  const { data, error } = useQuery(schedule(name))
  if (error !== null && data === undefined) return <Problem error={error} />
  return data === undefined ? <Loading what="the schedule" /> : <ScheduleDetails schedule={data} close={close} />
}
