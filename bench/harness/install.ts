/** The peers are installed by the first run that measures one of them, and not by the repository's `npm ci`. */
import { spawnSync } from "node:child_process"
import { existsSync, statSync } from "node:fs"
import { fileURLToPath } from "node:url"

const bench = new URL("../", import.meta.url)
const installed = new URL("node_modules/.package-lock.json", bench)
const wanted = new URL("package-lock.json", bench)

const isPeer = (engine: string): boolean => existsSync(new URL(`peers/${engine}.ts`, bench))

export const installPeers = async (engines: ReadonlyArray<string>): Promise<void> => {
  if (!engines.some(isPeer)) return
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(wanted).mtimeMs) return
  process.stderr.write("Installing the peers (some 260 MB)\n")
  // Of their install scripts one reports to its maker, and none is needed.
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: fileURLToPath(bench),
    stdio: ["ignore", "inherit", "inherit"],
    shell: process.platform === "win32"
  })
  if (status !== 0) throw new Error("The peers could not be installed; `--engines` names those to be measured")
}
