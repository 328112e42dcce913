/** What others read of a workflow: its messages, its inbox, and what it waits for. */
import * as Effect from "effect/Effect"
import type { MessageOptions, MessageRow, StoreError, StoreService } from "perdure/Store"
import type { WorkflowStatus } from "perdure/WorkflowStatus"
import type { Database } from "./database.ts"
import { awaitedStatement, inboxesStatement, messagesStatement } from "./sql/reads.ts"

const kinds = { "": "end", e: "event", s: "stream" } as const

export const make = (database: Database): Pick<StoreService, "messages" | "inboxes" | "awaited"> => {
  const s = database.s
  const inboxesSql = inboxesStatement(s)
  const awaitedSql = awaitedStatement(s)

  const messages = (
    workflowId: string,
    options: MessageOptions
  ): Effect.Effect<ReadonlyArray<MessageRow>, StoreError> =>
    Effect.map(
      database.query(
        messagesStatement(s, options.consumed === true, options.topic !== null, options.after !== undefined),
        [
          workflowId,
          String(Math.max(0, Math.trunc(options.limit))),
          ...(options.topic === null ? [] : [options.topic]),
          ...(options.after === undefined ? [] : [String(options.after)])
        ]
      ),
      // built by the statement in the shape of the contract
      (rows) => rows.map(([json]) => JSON.parse(json as string) as MessageRow)
    )

  const inboxes = (workflowIds: ReadonlyArray<string>): Effect.Effect<ReadonlyMap<string, number>, StoreError> =>
    Effect.map(
      database.query(inboxesSql, [workflowIds]),
      (rows) => new Map(rows.map(([id, inbox]) => [id as string, Number(inbox)]))
    )

  const awaited: StoreService["awaited"] = (workflowId) =>
    Effect.map(database.query(awaitedSql, [workflowId]), (rows) =>
      rows.map(([target, kind, key, status]) => ({
        workflowId: target as string,
        on: kinds[kind as keyof typeof kinds],
        key: key as string,
        status: status as WorkflowStatus | null
      })))

  return { messages, inboxes, awaited }
}
