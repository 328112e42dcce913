/** One schedule: its rule, its next fires, what it started; pausing, triggering, backfilling, deleting. */
import type { ScheduleDetail } from "@perdure/server/AdminApi"
import { useInfiniteQuery, useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain, deleting, info, workflows } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Button } from "../../components/Button.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Icon } from "../../components/Icon.tsx"
import { JsonTree } from "../../components/JsonTree.tsx"
import { Rule } from "../../components/Rule.tsx"
import { Status } from "../../components/Status.tsx"
import { Text } from "../../components/Text.tsx"
import { Ago, When } from "../../components/Time.tsx"
import { BackfillDialog } from "./BackfillDialog.tsx"

type Asked = "pause" | "resume" | "trigger" | "backfill" | "delete"

const refresh = (): void => {
  askAgain(["schedules"])
  askAgain(["workflows"])
}

const missedWords: Readonly<Record<string, string>> = {
  latest: "the latest missed tick is made up for",
  skip: "missed ticks are skipped"
}
const overlapWords: Readonly<Record<string, string>> = {
  allow: "a tick starts even while the one before still runs",
  skip: "a tick is passed over while the one before still runs",
  cancel: "the one before is cancelled when a tick comes"
}

export const ScheduleDetails = (
  { schedule, close }: { readonly schedule: ScheduleDetail; readonly close: () => Promise<void> }
) => {
  const [asked, setAsked] = useState<Asked | undefined>()
  const may = useQuery(info).data?.allowed.includes("schedules") ?? false
  const end = () => setAsked(undefined)
  return (
    <section className="card stack" aria-label={`Schedule ${schedule.name}`}>
      <div className="row spread">
        <h2>
          <Text>{schedule.name}</Text> {schedule.paused ? <span className="badge warn">paused</span> : null}
        </h2>
        <button type="button" className="icon-button" aria-label="Close the schedule" onClick={() => void close()}>
          <Icon name="cross" />
        </button>
      </div>
      <p>
        <Rule schedule={schedule} />, starts{" "}
        <Link to="/workflows" search={{ name: [schedule.workflow] }}>
          <Text>{schedule.workflow}</Text>
        </Link>
        {schedule.queue === undefined ? null : (
          <>
            in the queue{" "}
            <Link to="/queues" search={{ name: schedule.queue }}>
              <Text>{schedule.queue}</Text>
            </Link>
          </>
        )}.
      </p>
      <p className="small muted">
        {overlapWords[schedule.overlap]}; {typeof schedule.missed === "string"
          ? missedWords[schedule.missed]
          : `the newest ${schedule.missed.all} missed ticks are made up for`}.{" "}
        {schedule.origin === "code" ? "Declared in code" : "Made at run time"}
        {schedule.user === undefined ? "" : (
          <>
            for <Text>{schedule.user}</Text>
          </>
        )}.
      </p>
      <div className="columns">
        <div>
          <h3>Next fires</h3>
          {schedule.paused ? <p className="muted">None while it is paused; by its rule they would be:</p> : null}
          <ol className="stack tight">
            {schedule.next.map((at) => (
              <li key={at.getTime()}>
                <When at={at} />
              </li>
            ))}
          </ol>
          {schedule.next.length === 0 ? <p className="muted">Never again.</p> : null}
        </div>
        <History name={schedule.name} />
      </div>
      {schedule.payload === undefined ? null : (
        <div>
          <h3>Input</h3>
          <JsonTree value={schedule.payload} label="input of the schedule" />
        </div>
      )}
      {may
        ? (
          <div className="row">
            <Button onClick={() => setAsked("trigger")}>Trigger now</Button>
            {schedule.paused
              ? <Button tone="primary" onClick={() => setAsked("resume")}>Resume the schedule</Button>
              : <Button onClick={() => setAsked("pause")}>Pause the schedule</Button>}
            <Button onClick={() => setAsked("backfill")}>Backfill…</Button>
            <Button tone="danger" onClick={() => setAsked("delete")}>Delete the schedule</Button>
          </div>
        )
        : null}
      <Asking asked={asked} schedule={schedule} end={end} close={close} />
    </section>
  )
}

const History = ({ name }: { readonly name: string }) => {
  const rows = useInfiniteQuery(workflows({ schedule: name }, "desc")).data?.pages[0]?.workflows.slice(0, 8) ?? []
  return (
    <div>
      <h3>History</h3>
      {rows.length === 0 ? <p className="muted">It has started nothing yet.</p> : null}
      <ul className="stack tight">
        {rows.map((row) => (
          <li key={row.workflowId} className="row">
            <Status status={row.status} suspended={row.waits.length > 0} />
            <Link to="/workflow" search={{ id: row.workflowId }} className="clip">
              <Text>{row.workflowId}</Text>
            </Link>
            <span className="small muted">
              <Ago at={row.createdAt} />
            </span>
          </li>
        ))}
      </ul>
      {rows.length === 0
        ? null
        : <Link to="/workflows" search={{ schedule: name }} className="small">All that it started</Link>}
    </div>
  )
}

const Asking = ({ asked, schedule, end, close }: {
  readonly asked: Asked | undefined
  readonly schedule: ScheduleDetail
  readonly end: () => void
  readonly close: () => Promise<void>
}) => {
  const payload = { name: schedule.name }
  switch (asked) {
    case "trigger":
      return (
        <Confirm
          title="Trigger this schedule now?"
          action="Trigger it"
          close={end}
          act={async () => {
            const { workflowId } = await ask((api) => api.schedules.trigger({ payload }))
            refresh()
            announce(`Started ${workflowId}.`)
          }}
        >
          <p>Its workflow is started now, beside its ticks, whether it is paused or not.</p>
        </Confirm>
      )
    case "pause":
      return (
        <Confirm
          title="Pause this schedule?"
          action="Pause it"
          close={end}
          act={async () => {
            await ask((api) => api.schedules.pause({ payload }))
            refresh()
            announce(`Paused ${schedule.name}.`)
          }}
        >
          <p>It starts nothing until it is resumed; a deploy does not end that. What passes meanwhile is not missed.</p>
        </Confirm>
      )
    case "resume":
      return (
        <Confirm
          title="Resume this schedule?"
          action="Resume it"
          close={end}
          act={async () => {
            await ask((api) => api.schedules.resume({ payload }))
            refresh()
            announce(`Resumed ${schedule.name}.`)
          }}
        >
          <p>It goes on with its next tick after now.</p>
        </Confirm>
      )
    case "delete":
      return (
        <Confirm
          title="Delete this schedule?"
          action="Delete it"
          danger
          close={end}
          act={async () => {
            const act = () => ask((api) => api.schedules.delete({ payload })).then(refresh)
            await deleting(["schedules", "one", schedule.name], act, close)
            announce(`Deleted ${schedule.name}.`)
          }}
        >
          <p>
            What it has started goes on.
            {schedule.origin === "code" ? " Code declares it: the next process that starts makes it anew." : ""}
          </p>
        </Confirm>
      )
    case "backfill":
      return <BackfillDialog schedule={schedule} close={end} />
    case undefined:
      return null
  }
}
