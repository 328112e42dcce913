/**
 * A process of its own that outlives the tests by a moment. When its standard input ends, because they are done or were
 * killed, it ends their server and removes its folders. Each line that it reads is the server's process id at that
 * time, 0 when there is none. It says one word when it runs: before that, nothing is started.
 */
import { readFileSync, rmSync } from "node:fs"
import { setTimeout } from "node:timers/promises"

/** Ended, but its parent has not asked how: in a container nobody may ever ask. */
const isZombie = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.startsWith("Z") === true
  } catch {
    return false
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !isZombie(pid)
  } catch {
    return false
  }
}

const end = async (pid: number): Promise<void> => {
  if (pid === 0 || !isAlive(pid)) return
  process.kill(pid, "SIGQUIT")
  const deadline = Date.now() + 5_000
  while (isAlive(pid) && Date.now() < deadline) await setTimeout(5)
  if (isAlive(pid)) process.kill(pid, "SIGKILL")
}

process.stdout.on("error", () => {})
process.stdout.write("watching\n")

let said = ""
process.stdin.setEncoding("utf8")
for await (const text of process.stdin) said += text
await end(Number(said.trim().split("\n").at(-1)))
for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
