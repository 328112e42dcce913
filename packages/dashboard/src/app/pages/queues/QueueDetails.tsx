/** One queue, and what an operator may change of it. */
import type { QueueDetail } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain, deleting, info } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Button } from "../../components/Button.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { Icon } from "../../components/Icon.tsx"
import { Text } from "../../components/Text.tsx"
import { inQueue, waiting } from "../../text/counts.ts"
import { limitsInWords } from "../../text/limits.ts"
import { LimitsDialog } from "./LimitsDialog.tsx"

type Asked = "pause" | "resume" | "limits" | "reset" | "delete"

const refresh = (): void => askAgain(["queues"])

export const QueueDetails = (
  { queue, close }: { readonly queue: QueueDetail; readonly close: () => Promise<void> }
) => {
  const [asked, setAsked] = useState<Asked | undefined>()
  const may = useQuery(info).data?.allowed.includes("queues") ?? false
  const end = () => setAsked(undefined)
  const payload = { name: queue.name }
  const empty = queue.waiting + queue.delayed + queue.running === 0
  return (
    <section className="card stack" aria-label={`Queue ${queue.name}`}>
      <div className="row spread">
        <h2>
          <Text>{queue.name}</Text> {queue.paused ? <span className="badge warn">paused</span> : null}
        </h2>
        <button type="button" className="icon-button" aria-label="Close the queue" onClick={() => void close()}>
          <Icon name="cross" />
        </button>
      </div>
      <p>
        <Link to="/workflows" search={{ queue: [queue.name], status: ["ENQUEUED"] }}>
          {inQueue(queue.waiting)} waiting
        </Link>,{" "}
        <Link to="/workflows" search={{ queue: [queue.name], status: ["DELAYED"] }}>
          {inQueue(queue.delayed)} delayed
        </Link>,{" "}
        <Link to="/workflows" search={{ queue: [queue.name], status: ["PENDING"] }}>
          {inQueue(queue.running)} running
        </Link>. Served by {queue.servedBy.length === 0
          ? <b className="bad-text">nobody</b>
          : <Text>{[...new Set(queue.servedBy)].join(", ")}</Text>}.
      </p>
      <div>
        <h3>
          Limits{queue.overridden ? ", set by an operator: code does not change them" : ", as code declares them"}
        </h3>
        <ul className="waits">{limitsInWords(queue.limits).map((words) => <li key={words}>{words}</li>)}</ul>
      </div>
      {queue.head === undefined ? null : (
        <div>
          <h3>The first that waits</h3>
          <p>
            <Link to="/workflow" search={{ id: queue.head.workflowId }}>
              <Text>{queue.head.workflowId}</Text>
            </Link>. <Text>{queue.head.text}</Text>
          </p>
        </div>
      )}
      {may
        ? (
          <div className="row">
            {queue.paused
              ? <Button tone="primary" onClick={() => setAsked("resume")}>Resume the queue</Button>
              : <Button onClick={() => setAsked("pause")}>Pause the queue</Button>}
            <Button onClick={() => setAsked("limits")}>Change the limits</Button>
            {queue.overridden
              ? <Button onClick={() => setAsked("reset")}>Back to the limits of the code</Button>
              : null}
            {empty ? <Button tone="danger" onClick={() => setAsked("delete")}>Delete the queue</Button> : null}
          </div>
        )
        : null}
      {asked === "pause"
        ? (
          <Confirm
            title="Pause this queue?"
            action="Pause it"
            close={end}
            act={async () => {
              await ask((api) => api.queues.pause({ payload }))
              refresh()
              announce(`Paused ${queue.name}.`)
            }}
          >
            <p>Nothing more of it starts, until it is resumed. What has started goes on.</p>
          </Confirm>
        )
        : null}
      {asked === "resume"
        ? (
          <Confirm
            title="Resume this queue?"
            action="Resume it"
            close={end}
            act={async () => {
              await ask((api) => api.queues.resume({ payload }))
              refresh()
              announce(`Resumed ${queue.name}.`)
            }}
          >
            <p>{waiting(queue.waiting)}; they start as the limits allow.</p>
          </Confirm>
        )
        : null}
      {asked === "reset"
        ? (
          <Confirm
            title="Back to the limits of the code?"
            action="Reset the limits"
            close={end}
            act={async () => {
              await ask((api) => api.queues.resetLimits({ payload }))
              refresh()
              announce(`The limits of ${queue.name} are those of the code.`)
            }}
          >
            <p>They count from the next time on that code declares the queue.</p>
          </Confirm>
        )
        : null}
      {asked === "delete"
        ? (
          <Confirm
            title="Delete this queue?"
            action="Delete it"
            danger
            close={end}
            act={async () => {
              const act = () => ask((api) => api.queues.delete({ payload })).then(refresh)
              await deleting(["queues", "one", queue.name], act, close)
              announce(`Deleted ${queue.name}.`)
            }}
          >
            <p>Its limits and its pause are forgotten. Code that declares it makes it anew.</p>
          </Confirm>
        )
        : null}
      {asked === "limits" ? <LimitsDialog queue={queue} close={end} /> : null}
    </section>
  )
}
