/** What is stored about a workflow beside its values. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { Link } from "@tanstack/react-router"
import type { ReactNode } from "react"
import { isDone } from "../../components/Status.tsx"
import { Text } from "../../components/Text.tsx"
import { Took, When } from "../../components/Time.tsx"
import { attributeText } from "../../text/filters.ts"

export const Facts = ({ info }: { readonly info: WorkflowDetail }) => (
  <dl className="card facts">
    <Fact label="Name">
      <Link to="/workflows" search={{ name: [info.name] }}>
        <Text>{info.name}</Text>
      </Link>
    </Fact>
    {info.version === "" ? null : (
      <Fact label="Version">
        <Text>{info.version}</Text>
      </Fact>
    )}
    <Fact label="Created">
      <When at={info.createdAt} />
    </Fact>
    {info.startedAt === undefined ? null : (
      <Fact label="Started">
        <When at={info.startedAt} />
      </Fact>
    )}
    {info.completedAt === undefined ? null : (
      <Fact label="Ended">
        <When at={info.completedAt} />
      </Fact>
    )}
    {info.startedAt === undefined ? null : (
      <Fact label={isDone(info.status) ? "Took" : "So far"}>
        <Took from={info.startedAt} to={isDone(info.status) ? info.completedAt : undefined} />
      </Fact>
    )}
    {info.deadline === undefined ? null : (
      <Fact label="Deadline">
        <When at={info.deadline} />
      </Fact>
    )}
    {info.executorId === undefined ? null : (
      <Fact label="Executor">
        <Link to="/workflows" search={{ executor: info.executorId }}>
          <Text>{info.executorId}</Text>
        </Link>
      </Fact>
    )}
    {info.queue === undefined ? null : (
      <Fact label="Queue">
        <Link to="/queues" search={{ name: info.queue }}>
          <Text>{info.queue}</Text>
        </Link>
      </Fact>
    )}
    {info.priority === undefined ? null : <Fact label="Priority">{info.priority}</Fact>}
    {info.partitionKey === undefined ? null : (
      <Fact label="Partition key">
        <Text>{info.partitionKey}</Text>
      </Fact>
    )}
    {info.deduplicationId === undefined ? null : (
      <Fact label="Deduplication id">
        <Text>{info.deduplicationId}</Text>
      </Fact>
    )}
    {info.schedule === undefined ? null : (
      <Fact label="Schedule">
        <Link to="/schedules" search={{ name: info.schedule }}>
          <Text>{info.schedule}</Text>
        </Link>
      </Fact>
    )}
    {info.scheduledAt === undefined ? null : (
      <Fact label="Tick">
        <When at={info.scheduledAt} />
      </Fact>
    )}
    {info.parentId === undefined ? null : (
      <Fact label="Parent">
        <Link to="/workflow" search={{ id: info.parentId }}>
          <Text>{info.parentId}</Text>
        </Link>
      </Fact>
    )}
    {info.forkedFrom === undefined ? null : (
      <Fact label="Forked from">
        <Link to="/workflow" search={{ id: info.forkedFrom }}>
          <Text>{info.forkedFrom}</Text>
        </Link>{" "}
        <Link to="/compare" search={{ left: info.forkedFrom, right: info.workflowId }} className="small">compare</Link>
      </Fact>
    )}
    {info.user === undefined ? null : (
      <Fact label="User">
        <Link to="/workflows" search={{ user: info.user }}>
          <Text>{info.user}</Text>
        </Link>
      </Fact>
    )}
    {info.roles.length === 0 ? null : (
      <Fact label="Roles">
        <Text>{info.roles.join(", ")}</Text>
      </Fact>
    )}
    {info.assumedRole === undefined ? null : (
      <Fact label="Assumed role">
        <Text>{info.assumedRole}</Text>
      </Fact>
    )}
    {info.recoveryAttempts === 0 ? null : <Fact label="Lease losses">{info.recoveryAttempts}</Fact>}
    {Object.keys(info.attributes).length === 0 ? null : (
      <Fact label="Attributes">
        {Object.entries(info.attributes).map(([key, value]) => (
          <Link key={key} to="/workflows" search={{ attribute: [attributeText(key, value)] }} className="tag">
            <Text>{attributeText(key, value)}</Text>
          </Link>
        ))}
      </Fact>
    )}
  </dl>
)

const Fact = ({ label, children }: { readonly label: string; readonly children: ReactNode }) => (
  <div className="fact">
    <dt>{label}</dt>
    <dd>{children}</dd>
  </div>
)
