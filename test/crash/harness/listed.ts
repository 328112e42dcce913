/** Lists, whole. */
import * as Effect from "effect/Effect"
import { Client } from "perdure"

/** All workflows that fit, oldest first. */
export const listed = Effect.fnUntraced(function*(filter: Client.Filter) {
  const found: Array<Client.WorkflowInfo> = []
  let cursor: string | undefined
  do {
    const page: Client.Page = yield* Client.list({
      ...filter,
      order: "asc",
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor })
    })
    found.push(...page.workflows)
    cursor = page.cursor
  } while (cursor !== undefined)
  return found
})
