/** What the parts of a server share: its options, checked and complete. */
import * as Context from "effect/Context"
import type { Pattern } from "./redaction.ts"

export interface Limits {
  /** Bytes of a request's body. */
  readonly bodyBytes: number
  /** Bytes of the items of a page: one that would be larger is cut, and says where the next begins. One item always comes. */
  readonly pageBytes: number
  /** Milliseconds until an answer begins. */
  readonly requestMs: number
  /** Requests that are being answered, `/health` apart; at most half of them without valid credentials. */
  readonly requests: number
  /** Streams of changes, and bulk acts, that are open. */
  readonly streams: number
  /** Milliseconds that a stream of changes is open. */
  readonly streamMs: number
  /** Workflows that are looked at for a page or a count where no index finds what fits: at most 1,000,000. */
  readonly look: number
}

export interface Settings {
  readonly readOnly: boolean
  /** Patterns of redaction that were configured for workflows of a name. */
  readonly patternsOf: (name: string) => ReadonlyArray<Pattern>
  readonly limits: Limits
}

export class CurrentSettings extends Context.Service<CurrentSettings, Settings>()("@perdure/server/Settings") {}
