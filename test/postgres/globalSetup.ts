/** One PostgreSQL for all tests of a run: `DATABASE_URL`, or a server that lives as long as the run. */
import type { TestProject } from "vitest/node"
import { patiently, startPostgres } from "./server.ts"

declare module "vitest" {
  export interface ProvidedContext {
    postgresUrl: string
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.DATABASE_URL
  if (given) {
    project.provide("postgresUrl", patiently(given))
    return async () => {}
  }
  const server = await startPostgres()
  project.provide("postgresUrl", server.url)
  return () => server.close()
}
