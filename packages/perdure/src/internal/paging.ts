/** How many of what is listed. */
import { invalid } from "./invalid.ts"

/** More than there can be of anything that one workflow, or one store, has rows of. */
export const all = 2_147_483_647

/** At most so many. Throws a `WorkflowError` for what makes no sense. */
export const checkLimit = (limit: number, most = all): number => {
  if (Number.isInteger(limit) && limit >= 1 && limit <= most) return limit
  const range = most === all ? "from 1" : `from 1 to ${most.toLocaleString("en")}`
  throw invalid("limit", `it is ${limit}`, `Give a whole number ${range}.`)
}
