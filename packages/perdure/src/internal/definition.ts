/** A workflow's definition as the engine sees it: data, without its types and without its body. */
import type { StorableSchema, ValueCodec } from "./codec.ts"

export interface Definition {
  readonly name: string
  readonly payload: ValueCodec<any>
  /** Undefined: it has none, or its definition is not at hand. */
  readonly payloadSchema: StorableSchema<any> | undefined
  readonly success: ValueCodec<any>
  /** Undefined: it has none, or its definition is not at hand. */
  readonly successSchema: StorableSchema<any> | undefined
  readonly error: StorableSchema<any> | undefined
  readonly requiredRoles: ReadonlyArray<string>
  readonly maxRecoveryAttempts: number
  readonly timeoutMs: number | undefined
}
