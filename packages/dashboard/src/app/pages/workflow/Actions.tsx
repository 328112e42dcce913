/** What can be done to one workflow in its state, by this caller. */
import type { Action, Why, WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { useNavigate } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain, deleting, explanation, info as serverInfo, queryClient } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Button } from "../../components/Button.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Check, TextField } from "../../components/Field.tsx"
import { isDone, isResumable } from "../../components/Status.tsx"
import { Text } from "../../components/Text.tsx"
import { StartDialog } from "../workflows/StartDialog.tsx"
import { AttributesDialog } from "./AttributesDialog.tsx"
import { ForkDialog } from "./ForkDialog.tsx"
import { MessageDialog } from "./MessageDialog.tsx"

type Asked = "send" | "attributes" | "cancel" | "resume" | "fork" | "start" | "delete"

/** The topic of the message that it waits for, if it does. */
const awaited = (why: Why | undefined): string =>
  (why?._tag === "Suspended" ? why.waits : []).flatMap((wait) => wait._tag === "Message" ? [wait.topic] : [])[0] ?? ""

export const Actions = ({ info }: { readonly info: WorkflowDetail }) => {
  const [asked, setAsked] = useState<Asked | undefined>()
  const allowed = useQuery(serverInfo).data?.allowed ?? []
  const may = (action: Action): boolean => allowed.includes(action)
  const close = () => setAsked(undefined)
  const done = isDone(info.status)
  const why = useQuery(explanation(info.workflowId)).data?.why
  return (
    <div className="row actions">
      {may("resume") && isResumable(info.status)
        ? <Button tone="primary" onClick={() => setAsked("resume")}>Resume</Button>
        : null}
      {may("fork") ? <Button onClick={() => setAsked("fork")}>Fork</Button> : null}
      {may("start") ? <Button onClick={() => setAsked("start")}>Run again…</Button> : null}
      {may("send") && !done ? <Button onClick={() => setAsked("send")}>Send a message…</Button> : null}
      {may("attributes") ? <Button onClick={() => setAsked("attributes")}>Attributes…</Button> : null}
      {may("cancel") && !done ? <Button tone="danger" onClick={() => setAsked("cancel")}>Cancel</Button> : null}
      {may("delete") && done ? <Button tone="danger" onClick={() => setAsked("delete")}>Delete</Button> : null}
      {asked === "send" ? <MessageDialog info={info} topic={awaited(why)} close={close} /> : null}
      {asked === "attributes" ? <AttributesDialog info={info} close={close} /> : null}
      {asked === "cancel" ? <CancelDialog info={info} close={close} /> : null}
      {asked === "resume" ? <ResumeDialog info={info} close={close} /> : null}
      {asked === "delete" ? <DeleteDialog info={info} close={close} /> : null}
      {asked === "fork" ? <ForkDialog info={info} fromStep={0} close={close} /> : null}
      {asked === "start"
        ? <StartDialog close={close} template={info} />
        : null}
    </div>
  )
}

interface Props {
  readonly info: WorkflowDetail
  readonly close: () => void
}

const refresh = (id: string): void => {
  askAgain(["workflow", id])
  askAgain(["workflows"])
}

const CancelDialog = ({ info, close }: Props) => {
  const [children, setChildren] = useState(true)
  const [detail, setDetail] = useState("")
  const act = async () => {
    const payload = { ids: [info.workflowId], children, ...(detail === "" ? {} : { detail }) }
    await ask((api) => api.acts.cancel({ payload }))
    refresh(info.workflowId)
    announce(`Cancelled ${info.workflowId}.`)
  }
  return (
    <Confirm title="Cancel this workflow?" action="Cancel it" danger act={act} close={close}>
      <p>Running steps are interrupted, nothing more of it runs, and its rollbacks run. It cannot be taken back.</p>
      <Check label="Also its children that are not detached" checked={children} set={setChildren} />
      <TextField label="Why (stored with it)" value={detail} set={setDetail} maxLength={1000} />
    </Confirm>
  )
}

const ResumeDialog = ({ info, close }: Props) => {
  const act = async () => {
    await ask((api) => api.acts.resume({ payload: { ids: [info.workflowId] } }))
    refresh(info.workflowId)
    announce(`Resumed ${info.workflowId}.`)
  }
  return (
    <Confirm title="Resume this workflow?" action="Resume it" act={act} close={close}>
      <p>It is due again. Steps that are recorded are not run again.</p>
    </Confirm>
  )
}

const DeleteDialog = ({ info, close }: Props) => {
  const [children, setChildren] = useState(false)
  const navigate = useNavigate()
  const act = async () => {
    const key = ["workflow", info.workflowId]
    await deleting(
      key,
      () => ask((api) => api.acts.delete({ payload: { ids: [info.workflowId], children } })),
      () => navigate({ to: "/workflows", search: {} })
    )
    queryClient.removeQueries({ queryKey: key })
    askAgain(["workflows"])
    announce(`Deleted ${info.workflowId}.`)
  }
  return (
    <Confirm title="Delete this workflow?" action="Delete it" danger act={act} close={close}>
      <p>
        Everything that is stored of <Text>{info.workflowId}</Text> is removed. Its id is free again.
      </p>
      <Check label="Also all its children" checked={children} set={setChildren} />
    </Confirm>
  )
}
