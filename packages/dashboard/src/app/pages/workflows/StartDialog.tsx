/** Starts a workflow: by name, with an input that is new, or that of another one, edited. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { useNavigate } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain, definitions } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Field, TextField } from "../../components/Field.tsx"
import { useWorkflowInput } from "../../components/WorkflowInput.tsx"

/** `template`: the one whose input it begins with. */
export const StartDialog = ({ close, template }: {
  readonly close: () => void
  readonly template?: WorkflowDetail
}) => {
  const names = useQuery(definitions)
  const [name, setName] = useState(template?.name ?? "")
  const chosen = name === "" ? names.data?.[0]?.name ?? "" : name
  return template !== undefined || names.isSuccess || names.isError
    ? (
      <Opened
        close={close}
        name={chosen}
        names={names.data?.map((one) => one.name) ?? []}
        setName={setName}
        template={template}
      />
    )
    : null
}

const Opened = ({ close, name, names, setName, template }: {
  readonly close: () => void
  readonly name: string
  readonly names: ReadonlyArray<string>
  readonly setName: (name: string) => void
  readonly template: WorkflowDetail | undefined
}) => {
  const input = useWorkflowInput(
    name,
    template === undefined ? undefined : { of: template.name, value: template.payload }
  )
  const [workflowId, setWorkflowId] = useState("")
  const navigate = useNavigate()

  const start = async () => {
    const { workflowId: id } = await ask((api) =>
      api.acts.start({
        payload: {
          name,
          ...input.payload,
          ...(template === undefined ? {} : { like: template.workflowId }),
          ...(workflowId === "" ? {} : { workflowId })
        }
      })
    )
    askAgain(["workflows"])
    announce(`Started ${id}.`)
    void navigate({ to: "/workflow", search: { id } })
  }

  return (
    <Confirm
      title={template === undefined ? "Start a workflow" : "Run again with another input"}
      action="Start"
      act={start}
      close={close}
      ready={input.ready}
      wide
    >
      <Field label="Workflow">
        {(id) =>
          names.length > 0 && template === undefined
            ? (
              <select id={id} className="input" value={name} onChange={(event) => setName(event.currentTarget.value)}>
                {names.map((one) => <option key={one} value={one}>{one}</option>)}
              </select>
            )
            : (
              <input
                id={id}
                className="input"
                value={name}
                readOnly={template !== undefined}
                onChange={(event) => setName(event.currentTarget.value)}
              />
            )}
      </Field>
      <TextField
        label="Workflow id"
        hint="None given: a random one. The same id with the same input starts nothing twice."
        value={workflowId}
        set={setWorkflowId}
        maxLength={400}
      />
      {input.form}
    </Confirm>
  )
}
