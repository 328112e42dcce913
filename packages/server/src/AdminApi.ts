/**
 * The admin API: one contract, from which a typed client (`HttpApiClient.make(AdminApi)`), an OpenAPI document and the
 * server's routes come. It imports no engine, no store and nothing of Node, so that it can be bundled for a browser.
 *
 * Paths are relative to where the server is mounted. Ids and names are in the query or in the body, never in the path:
 * proxies and browsers rewrite what is escaped there. GET changes nothing; every POST takes `application/json`.
 *
 * Values (payloads, results, events, messages, stream entries) are the encoded JSON that is stored. They are data of users:
 * show them as text.
 */
import * as HttpApi from "effect/http-api/HttpApi"
import * as OpenApi from "effect/http-api/OpenApi"
import { Fleet, Queues, Schedules } from "./api/operations.ts"
import { Open, System } from "./api/system.ts"
import { Acts, Workflows } from "./api/workflows.ts"

export * from "./api/access.ts"
export * from "./api/operations.ts"
export * from "./api/problems.ts"
export * from "./api/system.ts"
export * from "./api/values.ts"
export * from "./api/workflows.ts"

/** The contract. */
export class AdminApi extends HttpApi.make("perdure")
  .add(Workflows, Acts, Queues, Schedules, Fleet, System, Open)
  .annotateMerge(OpenApi.annotations({
    title: "Perdure admin API",
    description: "Looks at durable workflows, and acts on them."
  }))
{}
