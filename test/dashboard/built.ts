/** The dashboard, built for the tests where its sources are newer than what was built last. */
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const dashboard = join(root, "packages/dashboard")
const page = join(dashboard, "dist/app/index.html")

/** What goes into it, besides packages. */
const inputs = [
  "packages/dashboard/src/app",
  "packages/dashboard/public",
  "packages/dashboard/index.html",
  "packages/dashboard/vite.config.ts",
  "packages/dashboard/package.json",
  "packages/server/src/AdminApi.ts",
  "packages/server/src/api",
  "package-lock.json"
]

const newest = (path: string): number => {
  const found = statSync(path)
  return found.isDirectory()
    ? Math.max(0, ...readdirSync(path).map((name) => newest(join(path, name))))
    : found.mtimeMs
}

/** Before any test, so that no two of them build at once. */
export default function setup(): void {
  const latest = Math.max(...inputs.map((path) => newest(join(root, path))))
  if (existsSync(page) && statSync(page).mtimeMs > latest) return
  const { status, stderr, stdout } = spawnSync(
    process.execPath,
    [join(root, "node_modules/vite/bin/vite.js"), "build"],
    // Of the tests' own environment it would take a build for development.
    { cwd: dashboard, encoding: "utf8", env: { ...process.env, NODE_ENV: "production" } }
  )
  if (status !== 0) throw new Error(`The dashboard could not be built:\n${stdout}\n${stderr}`)
}
