/** One workflow: what it is, what it waits for, what it did, and what can be done to it. */
import * as Ariakit from "@ariakit/react"
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link, useNavigate, useSearch } from "@tanstack/react-router"
import { explanation, isAskedFor, workflow } from "../api/queries.ts"
import { Copy } from "../components/Button.tsx"
import { Empty, Loading, Problem } from "../components/States.tsx"
import { Status } from "../components/Status.tsx"
import { Text } from "../components/Text.tsx"
import { type Tab, tabs } from "../text/places.ts"
import { Actions } from "./workflow/Actions.tsx"
import { Events } from "./workflow/Events.tsx"
import { Facts } from "./workflow/Facts.tsx"
import { Family } from "./workflow/Family.tsx"
import { Messages } from "./workflow/Messages.tsx"
import { Streams } from "./workflow/Streams.tsx"
import { Timeline } from "./workflow/Timeline.tsx"
import { Values } from "./workflow/Values.tsx"
import { WaitingFor } from "./workflow/WaitingFor.tsx"

export const Workflow = () => {
  const { id } = useSearch({ from: "/workflow" })
  const found = useQuery({ ...workflow(id), enabled: (query) => id !== "" && isAskedFor(query) })
  if (id === "") return <Empty title="Which workflow?">An address of this page has its id.</Empty>
  if (found.data !== undefined) return <Found key={id} info={found.data} />
  return (
    <div className="stack page">
      <h1>
        <Text>{id}</Text>
      </h1>
      {found.error === null
        ? <Loading what="the workflow" />
        : <Problem error={found.error} retry={() => void found.refetch()} />}
    </div>
  )
}

const Found = ({ info }: { readonly info: WorkflowDetail }) => {
  const why = useQuery(explanation(info.workflowId)).data?.why
  return (
    <div className="stack page">
      <div className="workflow-head">
        <nav aria-label="Where" className="small muted">
          <Link to="/workflows" search={{}}>Workflows</Link> /{" "}
          <Link to="/workflows" search={{ name: [info.name] }}>
            <Text>{info.name}</Text>
          </Link>
        </nav>
        <div className="row">
          <h1>
            <Text>{info.workflowId}</Text>
          </h1>
          <Copy text={info.workflowId} label="Copy the workflow id" />
          <Status status={info.status} suspended={why?._tag === "Suspended"} />
        </div>
        <Actions info={info} />
      </div>
      <WaitingFor info={info} />
      <Facts info={info} />
      <Tabs info={info} />
    </div>
  )
}

const labels: Record<Tab, string> = {
  timeline: "Timeline",
  values: "Input and output",
  events: "Events",
  messages: "Messages",
  streams: "Streams",
  family: "Family"
}

const Tabs = ({ info }: { readonly info: WorkflowDetail }) => {
  const { tab = "timeline" } = useSearch({ from: "/workflow" })
  const navigate = useNavigate()
  const select = (next: string | null | undefined) => {
    const chosen = tabs.find((one) => one === next)
    if (chosen !== undefined && chosen !== tab) {
      void navigate({ to: "/workflow", search: { id: info.workflowId, tab: chosen }, replace: true })
    }
  }
  const Shown = panels[tab]
  return (
    <Ariakit.TabProvider selectedId={tab} setSelectedId={select} selectOnMove={false}>
      <Ariakit.TabList aria-label="About this workflow" className="tabs">
        {tabs.map((one) => <Ariakit.Tab key={one} id={one} className="tab">{labels[one]}</Ariakit.Tab>)}
      </Ariakit.TabList>
      <Ariakit.TabPanel tabId={tab} focusable={false} className="tab-panel">
        <Shown info={info} />
      </Ariakit.TabPanel>
    </Ariakit.TabProvider>
  )
}

const panels: Record<Tab, (props: { readonly info: WorkflowDetail }) => React.ReactNode> = {
  timeline: Timeline,
  values: Values,
  events: Events,
  messages: Messages,
  streams: Streams,
  family: Family
}
