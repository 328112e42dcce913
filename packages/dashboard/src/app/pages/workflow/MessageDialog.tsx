/** Sends a message to a workflow, as a program outside of any workflow does. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { TextField } from "../../components/Field.tsx"
import { InputForm } from "../../components/InputForm.tsx"
import type { Json } from "../../text/form.ts"

export const MessageDialog = ({ info, topic: waited, close }: {
  readonly info: WorkflowDetail
  /** The topic that it waits for. */
  readonly topic: string
  readonly close: () => void
}) => {
  const [topic, setTopic] = useState(waited)
  const [payload, setPayload] = useState<unknown>()
  const [valid, setValid] = useState(true)
  // Of this dialog: pressed again after an answer that was lost, it is there once.
  const [key] = useState(() => crypto.randomUUID())
  const act = async () => {
    await ask((api) =>
      api.acts.send({
        payload: { id: info.workflowId, topic, key, ...(payload === undefined ? {} : { payload: payload as Json }) }
      })
    )
    askAgain(["workflow", info.workflowId])
    announce(`Sent to ${info.workflowId}.`)
  }
  return (
    <Confirm title="Send it a message" action="Send" act={act} close={close} ready={topic !== "" && valid} wide>
      <p>It is received once, by the step that waits for its topic, or by the next one that asks for it.</p>
      <TextField label="Topic" value={topic} set={setTopic} maxLength={400} />
      <InputForm
        legend="Payload"
        field={{ kind: "json" }}
        value={payload}
        set={setPayload}
        setValid={setValid}
      />
    </Confirm>
  )
}
