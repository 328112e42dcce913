/** The flags that every command takes, wherever they stand on the line. */
import * as Flag from "effect/cli/Flag"
import * as GlobalFlag from "effect/cli/GlobalFlag"
import * as Config from "effect/Config"

/** Redacted, for it may hold a password. */
export const StoreAddress = GlobalFlag.Setting("store")({
  flag: Flag.Redacted("store").pipe(
    Flag.withFallbackConfig(Config.Redacted("PERDURE_STORE")),
    Flag.withMetavar("<address>"),
    Flag.withDescription("postgres://user@host/database or sqlite:path; default: the variable PERDURE_STORE"),
    Flag.optional
  )
})

export const Schema = GlobalFlag.Setting("schema")({
  flag: Flag.String("schema").pipe(
    Flag.withFallbackConfig(Config.String("PERDURE_SCHEMA")),
    Flag.withMetavar("<name>"),
    Flag.withDescription("On PostgreSQL: the schema of the store; default: PERDURE_SCHEMA, or perdure"),
    Flag.withDefault("perdure")
  )
})

export const Pooler = GlobalFlag.Setting("pooler")({
  flag: Flag.Boolean("pooler").pipe(
    Flag.withFallbackConfig(Config.Boolean("PERDURE_POOLER")),
    Flag.withDescription("On PostgreSQL: the address is of a transaction-mode pooler; default: PERDURE_POOLER"),
    Flag.withDefault(false)
  )
})

export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withoutNegation,
    Flag.withDescription("Print JSON, one document a line"),
    Flag.withDefault(false)
  )
})

export const Yes = GlobalFlag.Setting("yes")({
  flag: Flag.Boolean("yes").pipe(
    Flag.withAlias("y"),
    Flag.withoutNegation,
    Flag.withDescription("Do not ask before destroying something"),
    Flag.withDefault(false)
  )
})

export const all = [StoreAddress, Schema, Pooler, Json, Yes] as const
