/** Starts a workflow: by name, with an input that is new, or that of another one, edited. */
import { useQuery } from "@tanstack/react-query"
import { useNavigate } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { definition, definitions, queryClient } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Field, TextField } from "../../components/Field.tsx"
import { InputForm } from "../../components/InputForm.tsx"
import { Loading } from "../../components/States.tsx"
import { fieldOf, initial, type Json } from "../../text/form.ts"

/** What it begins with. */
export interface Template {
  readonly name: string
  readonly payload: unknown
  readonly version: string
}

export const StartDialog = ({ close, template }: { readonly close: () => void; readonly template?: Template }) => {
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
  readonly template: Template | undefined
}) => {
  const known = useQuery({ ...definition(name), enabled: name !== "" })
  const schema = known.data?.payloadSchema
  const [edited, setEdited] = useState<{ readonly of: string; readonly value: unknown } | undefined>(
    template === undefined ? undefined : { of: template.name, value: template.payload }
  )
  const [valid, setValid] = useState(true)
  const [workflowId, setWorkflowId] = useState("")
  const navigate = useNavigate()
  const field = schema === undefined ? { kind: "json" as const } : fieldOf(schema)
  const value = edited?.of === name ? edited.value : initial(field)
  const ready = name !== "" && valid && !known.isLoading

  const start = async () => {
    const payload = value === undefined ? {} : { payload: value as Json }
    const { workflowId: id } = await ask((api) =>
      api.acts.start({ payload: { name, ...payload, ...(workflowId === "" ? {} : { workflowId }) } })
    )
    void queryClient.invalidateQueries({ queryKey: ["workflows"] })
    announce(`Started ${id}.`)
    void navigate({ to: "/workflow", search: { id } })
  }

  return (
    <Confirm
      title={template === undefined ? "Start a workflow" : "Run again with another input"}
      action="Start"
      act={start}
      close={close}
      ready={ready}
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
      {known.isLoading ? <Loading what="its input" /> : (
        <InputForm
          key={name}
          field={field}
          value={value}
          set={(next) => setEdited({ of: name, value: next })}
          setValid={setValid}
        />
      )}
    </Confirm>
  )
}
