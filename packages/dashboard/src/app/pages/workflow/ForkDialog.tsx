/** Forks a workflow from a step: what was recorded before it is copied, the rest runs anew. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { useNavigate } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain, versions } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Field, TextField } from "../../components/Field.tsx"
import { InputForm } from "../../components/InputForm.tsx"
import type { Json } from "../../text/form.ts"

export const ForkDialog = ({ info, fromStep, close }: {
  readonly info: WorkflowDetail
  readonly fromStep: number
  readonly close: () => void
}) => {
  const [step, setStep] = useState(String(fromStep))
  const [version, setVersion] = useState(info.version)
  const [workflowId, setWorkflowId] = useState("")
  const [payload, setPayload] = useState<{ readonly value: unknown } | undefined>()
  const [valid, setValid] = useState(true)
  const known = useQuery(versions).data?.map((one) => one.version) ?? []
  const navigate = useNavigate()
  const number = Number(step)
  const ready = step.trim() !== "" && Number.isSafeInteger(number) && number >= 0 && valid

  const act = async () => {
    const started = await ask((api) =>
      api.acts.fork({
        payload: {
          id: info.workflowId,
          fromStep: number,
          ...(version === info.version ? {} : { version }),
          ...(workflowId === "" ? {} : { workflowId }),
          ...(payload === undefined || number !== 0 ? {} : { payload: payload.value as Json })
        }
      })
    )
    askAgain(["workflow", info.workflowId])
    askAgain(["workflows"])
    announce(`Forked as ${started.workflowId}.`)
    void navigate({ to: "/workflow", search: { id: started.workflowId } })
  }

  return (
    <Confirm title="Fork this workflow" action="Fork" act={act} close={close} ready={ready} wide>
      <p>
        A new workflow starts with the records of the steps before this one, so what they did is not done again. This
        one stays as it is.
      </p>
      <TextField label="First step that it does for itself" inputMode="numeric" value={step} set={setStep} />
      <Field label="Version">
        {(id) => (
          <select
            id={id}
            className="input"
            value={version}
            onChange={(event) => setVersion(event.currentTarget.value)}
          >
            <option value={info.version}>The same{info.version === "" ? "" : `: ${info.version}`}</option>
            {info.version === "" ? null : <option value="">The latest when it starts</option>}
            {known.filter((one) => one !== info.version && one !== "").map((one) => (
              <option key={one} value={one}>{one}</option>
            ))}
          </select>
        )}
      </Field>
      <TextField
        label="Its workflow id"
        hint="None given: a random one."
        value={workflowId}
        set={setWorkflowId}
        maxLength={400}
      />
      {number === 0
        ? (
          <InputForm
            field={{ kind: "json" }}
            value={payload === undefined ? info.payload : payload.value}
            set={(value) => setPayload({ value })}
            setValid={setValid}
          />
        )
        : null}
    </Confirm>
  )
}
