/** The events that a workflow has set. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useInfiniteQuery } from "@tanstack/react-query"
import { events } from "../../api/queries.ts"
import { JsonTree } from "../../components/JsonTree.tsx"
import { Listed } from "../../components/Listed.tsx"
import { Text } from "../../components/Text.tsx"
import { When } from "../../components/Time.tsx"

export const Events = ({ info }: { readonly info: WorkflowDetail }) => (
  <Listed
    query={useInfiniteQuery(events(info.workflowId))}
    what="events"
    empty="It has set no event"
    hint="An event is a named value that a workflow publishes: WorkflowEvent.make(key, ...).set(value)."
    keyOf={(event) => event.key}
    row={(event) => (
      <>
        <div className="row spread">
          <b>
            <Text>{event.key}</Text>
          </b>
          <span className="small">
            <When at={event.at} />
          </span>
        </div>
        <JsonTree value={event.value} label={`value of the event`} />
      </>
    )}
  />
)
