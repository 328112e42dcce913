/** The messages that a workflow has been sent, received or not. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useInfiniteQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { messages } from "../../api/queries.ts"
import { JsonTree } from "../../components/JsonTree.tsx"
import { Listed } from "../../components/Listed.tsx"
import { Text } from "../../components/Text.tsx"
import { When } from "../../components/Time.tsx"

export const Messages = ({ info }: { readonly info: WorkflowDetail }) => (
  <Listed
    query={useInfiniteQuery(messages(info.workflowId))}
    what="messages"
    empty="Nobody has sent it a message"
    hint={
      <>
        From a program: <code>Approval.send(workflowId, value)</code>. From a terminal:{" "}
        <code>perdure message send</code>
      </>
    }
    keyOf={(message) => message.seq}
    row={(message) => (
      <>
        <div className="row spread">
          <span>
            topic{" "}
            <b>
              <Text>{message.topic}</Text>
            </b>{" "}
            {message.receivedBy === undefined
              ? <span className="badge warn">not received yet</span>
              : (
                <Link
                  to="/workflow"
                  search={{ id: info.workflowId, tab: "timeline", step: String(message.receivedBy) }}
                  className="badge ok"
                >
                  received by step {message.receivedBy}
                </Link>
              )}
          </span>
          <span className="small">
            <When at={message.sentAt} />
          </span>
        </div>
        {message.senderId === undefined ?
          <p className="small muted">From outside any workflow</p> :
          (
            <p className="small">
              From{" "}
              <Link to="/workflow" search={{ id: message.senderId }}>
                <Text>{message.senderId}</Text>
              </Link>
            </p>
          )}
        <JsonTree value={message.payload} label="payload of the message" />
      </>
    )}
  />
)
