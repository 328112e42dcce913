/** The engines and workloads that there are: each is a file, known by its name. */
import { existsSync, readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { Engine } from "./Engine.ts"
import type { Workload } from "./Workload.ts"

const bench = new URL("../", import.meta.url)
const folders = { engines: ["engines", "peers"], workloads: ["workloads"] } as const

const fileOf = (kind: keyof typeof folders, name: string): URL | undefined =>
  folders[kind].map((folder) => new URL(`${folder}/${name}.ts`, bench)).find((file) => existsSync(file))

const namesOf = (kind: keyof typeof folders): ReadonlyArray<string> =>
  folders[kind].flatMap((folder) =>
    readdirSync(new URL(folder, bench)).filter((file) => file.endsWith(".ts")).map((file) => file.slice(0, -3))
  ).sort((a, b) => a.localeCompare(b, "en", { numeric: true }))

export const engineNames = (): ReadonlyArray<string> => namesOf("engines")
export const workloadNames = (): ReadonlyArray<string> => namesOf("workloads")

const load = async <A>(kind: keyof typeof folders, name: string): Promise<A> => {
  const file = fileOf(kind, name)
  if (file === undefined) throw new Error(`There is no ${name}. There are: ${namesOf(kind).join(", ")}`)
  return (await import(fileURLToPath(file)) as { readonly default: A }).default
}

export const loadEngine = (name: string): Promise<Engine> => load("engines", name)
export const loadWorkload = (name: string): Promise<Workload> => load("workloads", name)
