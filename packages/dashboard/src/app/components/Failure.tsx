/** An error with its causes, as far as they go. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { pretty } from "../text/json.ts"
import { Copy } from "./Button.tsx"
import { JsonTree } from "./JsonTree.tsx"
import { Text } from "./Text.tsx"

export type FailureDetail = NonNullable<WorkflowDetail["failure"]>

export const Failure = ({ failure, label }: { readonly failure: FailureDetail; readonly label: string }) => (
  <div className="failure" role="group" aria-label={label}>
    <div className="json-tools">
      <Copy
        label={`Copy ${label}`}
        text={() =>
          pretty(failure)}
      />
    </div>
    <One failure={failure} depth={0} />
  </div>
)

const One = ({ failure, depth }: { readonly failure: FailureDetail; readonly depth: number }) => (
  <div className="stack failure-one">
    <p>
      <strong className="bad-text">
        <Text>{failure.tag}</Text>
      </strong>{" "}
      <Text>{failure.message}</Text>
    </p>
    {Object.keys(failure.fields).length === 0 ? null : <JsonTree value={failure.fields} label="fields of the error" />}
    {failure.stack === undefined ? null : (
      <details>
        <summary>Stack</summary>
        <pre className="stack-trace"><Text>{failure.stack}</Text></pre>
      </details>
    )}
    {failure.cause === undefined ? null : <Nested title="Caused by" failure={failure.cause} depth={depth + 1} />}
    {failure.errors?.map((error, index) => (
      <Nested key={index} title={`Error ${index + 1} of ${failure.errors!.length}`} failure={error} depth={depth + 1} />
    ))}
  </div>
)

const Nested = ({ title, failure, depth }: {
  readonly title: string
  readonly failure: FailureDetail
  readonly depth: number
}) => (
  <details open={depth <= 3} className="failure-cause">
    <summary>{title}</summary>
    {depth > 50
      ? <p className="muted">Deeper causes are in what is copied.</p>
      : <One failure={failure} depth={depth} />}
  </details>
)
