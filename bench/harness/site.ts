/** The one PostgreSQL of all engines, on a real disk, and folders on the same disk. */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onServer } from "../../test/postgres/database.ts"
import { type Postgres, startPostgres } from "../../test/postgres/server.ts"
import type { Site } from "./Engine.ts"

/** For all engines alike. `fsync`, `synchronous_commit` and `full_page_writes` are on, as PostgreSQL has them. */
export const settings = {
  shared_buffers: "512MB",
  max_connections: "500",
  max_wal_size: "4GB",
  checkpoint_timeout: "15min"
} as const

/** Loaded, and counting nothing unless a workload asks for it. Not every server has it. */
const counting = { shared_preload_libraries: "pg_stat_statements", "pg_stat_statements.track": "none" }

const start = async (): Promise<{ readonly server: Postgres; readonly counts: boolean }> => {
  try {
    return { server: await startPostgres({ fsync: true, settings: { ...settings, ...counting } }), counts: true }
  } catch {
    return { server: await startPostgres({ fsync: true, settings }), counts: false }
  }
}

export interface OpenSite extends Site {
  readonly version: string
  readonly close: () => Promise<void>
}

export const openSite = async (): Promise<OpenSite> => {
  const { counts, server } = await start()
  const folders = new Set<string>()
  const remove = (folder: string) => {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
    folders.delete(folder)
  }
  const run = (statement: string) => Effect.runPromise(onServer(server.url, statement))
  try {
    const [row] = await run("SHOW server_version") as ReadonlyArray<{ readonly server_version: string }>
    return {
      version: row?.server_version ?? "unknown",
      close: async () => {
        for (const folder of folders) remove(folder)
        await server.close()
      },
      database: async () => {
        const name = `bench_${randomBytes(6).toString("hex")}`
        await run(`CREATE DATABASE ${name}`)
        // No engine pays for the pages that another one has left dirty.
        await run("CHECKPOINT")
        const address = new URL(server.url)
        address.pathname = `/${name}`
        const countStatements = async () => {
          await run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
          await run(`ALTER DATABASE ${name} SET pg_stat_statements.track = 'top'`)
          return async () => {
            const rows = await run(
              `SELECT coalesce(sum(s.calls), 0)::float8 AS n FROM pg_stat_statements s
              JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = '${name}'`
            ) as ReadonlyArray<{ readonly n: number }>
            return rows[0]?.n ?? 0
          }
        }
        return {
          address: address.toString(),
          countStatements: async () => counts ? await countStatements() : null,
          close: async () => void await run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
        }
      },
      folder: async () => {
        const address = mkdtempSync(join(tmpdir(), "perdure-bench-"))
        folders.add(address)
        return { address, close: async () => remove(address) }
      }
    }
  } catch (error) {
    await server.close()
    throw error
  }
}
