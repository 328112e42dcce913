/** What a page shows when there is nothing to show: loading, empty, failed. Each says what to do. */
import type { ReactNode } from "react"
import { failed } from "../api/client.ts"
import { Button } from "./Button.tsx"
import { Text } from "./Text.tsx"

export const Loading = ({ what }: { readonly what: string }) => (
  <p className="state muted" role="status">Loading {what}…</p>
)

export const Empty = ({ title, children }: { readonly title: string; readonly children?: ReactNode }) => (
  <div className="state">
    <p className="state-title">{title}</p>
    <div className="muted">{children}</div>
  </div>
)

/** A request that was not done: the problem, its detail, the remedy. */
export const Problem = ({ error, retry }: { readonly error: unknown; readonly retry?: (() => void) | undefined }) => {
  const { detail, problem, remedy } = failed(error)
  return (
    <div className="problem" role="alert">
      <p className="state-title">
        <Text>{problem}</Text>
      </p>
      <p>
        <Text>{detail}</Text>
      </p>
      <p className="muted">
        <Text>{remedy}</Text>
      </p>
      {retry === undefined ? null : <Button onClick={retry}>Try again</Button>}
    </div>
  )
}
