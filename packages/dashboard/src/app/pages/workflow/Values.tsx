/** What went in and what came out. */
import type { WorkflowDetail } from "@perdure/server/AdminApi"
import { Failure } from "../../components/Failure.tsx"
import { JsonTree } from "../../components/JsonTree.tsx"
import { Redacted } from "../../components/Redacted.tsx"

export const Values = ({ info }: { readonly info: WorkflowDetail }) => (
  <div className="columns">
    <section className="card stack" aria-label="Input">
      <h2>Input</h2>
      <JsonTree value={info.payload} label="input" depth={4} />
      <Redacted paths={info.redacted} />
    </section>
    <section className="card stack" aria-label="Output">
      <h2>{info.failure === undefined ? "Output" : "Error"}</h2>
      {info.failure === undefined
        ? info.status === "SUCCESS"
          ? <JsonTree value={info.success} label="output" depth={4} />
          : <p className="muted">It has none{info.status === "CANCELLED" ? ": it was cancelled." : " yet."}</p>
        : <Failure failure={info.failure} label="error" />}
      {info.reason === undefined ? null : (
        <>
          <h2>Why</h2>
          <JsonTree value={info.reason} label="reason" depth={4} />
        </>
      )}
    </section>
  </div>
)
