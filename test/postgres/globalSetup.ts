/** One PostgreSQL for all tests of a run: `DATABASE_URL`, or a server that lives as long as the run. */
import type { TestProject } from "vitest/node"
import { startPostgres } from "./server.ts"

declare module "vitest" {
  export interface ProvidedContext {
    postgresUrl: string
  }
}

/** However busy the machine is, nobody gives up connecting. */
const patiently = (address: string): string => {
  const url = new URL(address)
  url.searchParams.set("connect_timeout", "120")
  return url.toString()
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given = process.env.DATABASE_URL
  if (given) {
    project.provide("postgresUrl", patiently(given))
    return async () => {}
  }
  const server = await startPostgres()
  project.provide("postgresUrl", patiently(server.url))
  return () => server.close()
}
