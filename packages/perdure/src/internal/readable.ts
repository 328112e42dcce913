/** Stored texts as people see them: one row that cannot be read must not break a list. */
import type { FailureDetail } from "../StepFailed.ts"
import * as Failure from "./failure.ts"
import { parse } from "./text.ts"

export const readable = (text: string): unknown => {
  try {
    return parse(text)
  } catch {
    return { unreadable: text.slice(0, 1000) }
  }
}

export const failureOf = (text: string): FailureDetail => {
  try {
    return Failure.renderFailure(text).detail
  } catch {
    return { tag: "Unreadable", message: text.slice(0, 1000), fields: {} }
  }
}

export const dateOf = (ms: number | null): Date | undefined => ms === null ? undefined : new Date(ms)
