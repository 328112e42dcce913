/** Edits the attributes of a workflow: what people find it by. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { useState } from "react"
import { ask } from "../../api/client.ts"
import { askAgain } from "../../api/queries.ts"
import { announce } from "../../components/Announcements.tsx"
import { Button } from "../../components/Button.tsx"
import { Confirm } from "../../components/Dialog.tsx"
import { TextField } from "../../components/Field.tsx"
import { attributeOf, attributesOf, attributeText } from "../../text/filters.ts"

export const AttributesDialog = ({ info, close }: {
  readonly info: WorkflowDetail
  readonly close: () => void
}) => {
  const [lines, setLines] = useState<ReadonlyArray<string>>(() => [
    ...Object.entries(info.attributes).map(([key, value]) => attributeText(key, value)),
    ""
  ])
  const given = lines.filter((line) => line.trim() !== "")
  const attributes = attributesOf(given)
  // Neither one that cannot be read, nor two of a key.
  const ready = Object.keys(attributes).length === given.length
  const act = async () => {
    await ask((api) => api.acts.setAttributes({ payload: { id: info.workflowId, attributes } }))
    askAgain(["workflow", info.workflowId])
    askAgain(["workflows"])
    announce(`Attributes of ${info.workflowId} are set.`)
  }
  return (
    <Confirm title="Attributes of this workflow" action="Set them" act={act} close={close} ready={ready}>
      <p>
        Each as <code>key=value</code>. A number, <code>true</code> or <code>false</code> is meant as such;{" "}
        <code>n="1"</code> is text. A key with a <code>=</code> is quoted:{" "}
        <code>"a=b"=1</code>. An empty line is left out.
      </p>
      {lines.map((line, index) => (
        <TextField
          // What a line is, is its place.
          // oxlint-disable-next-line react/no-array-index-key
          key={index}
          label={`Attribute ${index + 1}`}
          value={line}
          set={(next) => setLines(lines.with(index, next))}
          aria-invalid={line.trim() !== "" && attributeOf(line) === undefined}
        />
      ))}
      <div>
        <Button onClick={() => setLines([...lines, ""])}>Another attribute</Button>
      </div>
    </Confirm>
  )
}
