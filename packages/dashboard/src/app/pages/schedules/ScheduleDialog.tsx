/** Makes a schedule: what it starts, when, and what becomes of ticks that were missed or come too soon. */
import { useQuery } from "@tanstack/react-query"
import { useNavigate } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain, definitions } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Field, TextField } from "../../components/Field.tsx"
import { useCronInWords } from "../../components/Rule.tsx"
import { useWorkflowInput } from "../../components/WorkflowInput.tsx"

const kinds = { cron: "At times (cron)", interval: "At intervals" } as const
const missed = { latest: "Start one for the newest", skip: "Start nothing" } as const
const overlaps = {
  allow: "Start another beside it",
  skip: "Start nothing",
  cancel: "Cancel it and start another"
} as const

export const ScheduleDialog = ({ close }: { readonly close: () => void }) => {
  const names = useQuery(definitions)
  return names.isPending ? null : <Opened close={close} names={names.data?.map((one) => one.name) ?? []} />
}

const Opened = ({ close, names }: { readonly close: () => void; readonly names: ReadonlyArray<string> }) => {
  const [name, setName] = useState("")
  const [workflow, setWorkflow] = useState(names[0] ?? "")
  const [kind, setKind] = useState<keyof typeof kinds>("cron")
  const [cron, setCron] = useState("")
  const [timeZone, setTimeZone] = useState("UTC")
  const [seconds, setSeconds] = useState("")
  const [whenMissed, setMissed] = useState<keyof typeof missed>("latest")
  const [overlap, setOverlap] = useState<keyof typeof overlaps>("allow")
  const navigate = useNavigate()
  const input = useWorkflowInput(workflow)
  const words = useCronInWords(cron.trim())
  const every = Number(seconds)
  const isDue = kind === "cron" ? cron.trim() !== "" : Number.isSafeInteger(every) && every >= 1
  const ready = name !== "" && isDue && input.ready

  const act = async () => {
    await ask((api) =>
      api.schedules.create({
        payload: {
          name,
          workflow,
          ...(kind === "cron" ? { cron: cron.trim(), timeZone } : { intervalMs: every * 1000 }),
          missed: whenMissed,
          overlap,
          ...input.payload
        }
      })
    )
    askAgain(["schedules"])
    announce(`Created ${name}.`)
    void navigate({ to: "/schedules", search: { name } })
  }

  return (
    <Confirm title="Create a schedule" action="Create it" act={act} close={close} ready={ready} wide>
      <TextField label="Name" value={name} set={setName} maxLength={256} />
      <Choice
        label="Workflow"
        value={workflow}
        set={setWorkflow}
        options={Object.fromEntries(names.map((one) => [one, one]))}
      />
      <Choice label="When" value={kind} set={setKind} options={kinds} />
      {kind === "cron"
        ? (
          <>
            <TextField
              label="Cron"
              hint={words ?? "As in 30 9 * * mon-fri"}
              value={cron}
              set={setCron}
              maxLength={200}
            />
            <TextField
              label="Time zone"
              hint="As in Europe/Berlin"
              value={timeZone}
              set={setTimeZone}
              maxLength={100}
            />
          </>
        )
        : <TextField label="Seconds from one to the next" inputMode="numeric" value={seconds} set={setSeconds} />}
      <Choice label="When ticks were missed" value={whenMissed} set={setMissed} options={missed} />
      <Choice label="While the one before goes on" value={overlap} set={setOverlap} options={overlaps} />
      {input.form}
    </Confirm>
  )
}

const Choice = <Key extends string>({ label, value, set, options }: {
  readonly label: string
  readonly value: Key
  readonly set: (value: Key) => void
  readonly options: Readonly<Record<Key, string>>
}) => (
  <Field label={label}>
    {(id) => (
      <select
        id={id}
        className="input"
        value={value}
        // One of its own options.
        onChange={(event) => set(event.currentTarget.value as Key)}
      >
        {Object.entries<string>(options).map(([key, words]) => <option key={key} value={key}>{words}</option>)}
      </select>
    )}
  </Field>
)
