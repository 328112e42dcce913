/** Pieces that several parts of the contract share. */
import * as Schema from "effect/Schema"
import { WorkflowStatus } from "perdure/WorkflowStatus"

/** Text of a request. Longer than anything that a store holds as an id, name or key. */
export const Text = Schema.String.check(Schema.isMaxLength(1024))

/** A whole number of a request, within limits. */
export const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Of one item. Ids and names are in the query, never in the path: proxies and browsers rewrite what is escaped there. */
export const ById = Schema.Struct({ id: Text })
export const ByName = Schema.Struct({ name: Text })

/** Attributes of a workflow. */
export const Attributes = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Number, Schema.Boolean]))

/** Which workflows. What is not given does not restrict; all that is given has to fit. As `Client.Filter`. */
const filterFields = {
  ids: Schema.optionalKey(Schema.Array(Text)),
  status: Schema.optionalKey(Schema.Array(WorkflowStatus)),
  name: Schema.optionalKey(Schema.Array(Text)),
  idPrefix: Schema.optionalKey(Text),
  user: Schema.optionalKey(Text),
  version: Schema.optionalKey(Schema.Array(Text)),
  executorId: Schema.optionalKey(Text),
  queue: Schema.optionalKey(Schema.Array(Text)),
  queued: Schema.optionalKey(Schema.Boolean),
  partitionKey: Schema.optionalKey(Text),
  deduplicationId: Schema.optionalKey(Text),
  forkedFrom: Schema.optionalKey(Text),
  wasForked: Schema.optionalKey(Schema.Boolean),
  parentId: Schema.optionalKey(Text),
  hasParent: Schema.optionalKey(Schema.Boolean),
  schedule: Schema.optionalKey(Text),
  /** Created at or after. */
  from: Schema.optionalKey(Schema.Date),
  /** Created before. */
  to: Schema.optionalKey(Schema.Date),
  startedFrom: Schema.optionalKey(Schema.Date),
  startedTo: Schema.optionalKey(Schema.Date),
  completedFrom: Schema.optionalKey(Schema.Date),
  completedTo: Schema.optionalKey(Schema.Date)
}

/** A filter in a body. */
export const Filter = Schema.Struct({ ...filterFields, attributes: Schema.optionalKey(Attributes) })
export type Filter = typeof Filter.Type

/** A filter in a query: lists repeat their name, attributes are JSON text. */
export const FilterQuery = Schema.Struct({
  ...filterFields,
  attributes: Schema.optionalKey(Schema.fromJsonString(Attributes))
})

/** A page of a list by creation. */
export const PageQuery = Schema.Struct({
  ...FilterQuery.fields,
  /** Default: newest first. */
  order: Schema.optionalKey(Schema.Literals(["asc", "desc"])),
  /** Default: 100. */
  limit: Schema.optionalKey(between(1, 1000)),
  /** The `cursor` of the page before. */
  cursor: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(2048)))
})
