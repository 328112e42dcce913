/** The input of a workflow that is to be started, by a person or a schedule. */
import { useQuery } from "@tanstack/react-query"
import { useState } from "react"
import { definition } from "../api/queries.ts"
import { fieldOf, initial, type Json } from "../text/form.ts"
import { InputForm } from "./InputForm.tsx"
import { Loading } from "./States.tsx"

/** `given`: what it begins with, for the workflow of that name. What was entered for another name is not taken over. */
export const useWorkflowInput = (name: string, given?: { readonly of: string; readonly value: unknown }) => {
  const known = useQuery({ ...definition(name), enabled: name !== "" })
  const [edited, setEdited] = useState(given)
  const [valid, setValid] = useState(true)
  const schema = known.data?.payloadSchema
  const field = schema === undefined ? { kind: "json" as const } : fieldOf(schema)
  const value = edited?.of === name ? edited.value : initial(field)
  return {
    /** A part of what is asked of the server: nothing where there is no input. */
    payload: value === undefined ? {} : { payload: value as Json },
    ready: name !== "" && valid && !known.isLoading,
    form: known.isLoading ? <Loading what="its input" /> : (
      <InputForm
        key={name}
        field={field}
        value={value}
        set={(next) => setEdited({ of: name, value: next })}
        setValid={setValid}
      />
    )
  }
}
