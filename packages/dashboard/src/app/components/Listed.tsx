/** A short list of what was asked for, with what is said while there is none. */
import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query"
import type { Key, ReactNode } from "react"
import { Button } from "./Button.tsx"
import { Empty, Loading, Problem } from "./States.tsx"

export function Listed<A>({ query, what, empty, hint, keyOf, row }: {
  /** All of it, or pages of it, of which more are asked for at the end. */
  readonly query: UseQueryResult<ReadonlyArray<A>> | UseInfiniteQueryResult<ReadonlyArray<A>>
  readonly what: string
  readonly empty: string
  readonly hint: ReactNode
  readonly keyOf: (item: A) => Key
  readonly row: (item: A) => ReactNode
}) {
  if (query.error !== null && query.data === undefined) {
    return <Problem error={query.error} retry={() => void query.refetch()} />
  }
  if (query.data === undefined) return <Loading what={what} />
  if (query.data.length === 0) return <Empty title={empty}>{hint}</Empty>
  return (
    <div className="stack">
      <ul className="stack" aria-label={what}>
        {query.data.map((item) => <li key={keyOf(item)} className="card stack listed">{row(item)}</li>)}
      </ul>
      {"hasNextPage" in query && query.hasNextPage
        ? (
          <div>
            <Button disabled={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              {query.isFetchingNextPage ? "Loading more…" : "Load more"}
            </Button>
          </div>
        )
        : null}
    </div>
  )
}
