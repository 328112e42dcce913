/** Failures of workflows and steps, as people read them. */
import type { FailureDetail } from "perdure/StepFailed"
import { json } from "./printable.ts"

/** A failure in one line: some say all in their message, some in their fields. */
export const failureOf = ({ fields, message, tag }: FailureDetail): string =>
  [tag, ...message === "" ? [] : [message], ...Object.keys(fields).length === 0 ? [] : [json(fields)]].join(": ")
