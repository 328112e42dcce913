/** The refusal of an argument: what it is, what is wrong with it, and what to give instead. */
import { InvalidArgument, WorkflowError } from "../WorkflowError.ts"

export const invalid = (argument: string, detail: string, remedy: string): WorkflowError =>
  new WorkflowError({ reason: new InvalidArgument({ argument, detail, remedy }) })
