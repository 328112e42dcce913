/**
 * Under which account the server runs. PostgreSQL refuses to run as root, and `initdb` refuses an account without an
 * entry in the user database, as in a container started under a bare number.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync } from "node:fs"
import { userInfo } from "node:os"
import { join } from "node:path"
import { executable, type Programs } from "./programs.ts"

export interface Account {
  /** The folder that holds `postgres` and `initdb`, where this account can run them. */
  readonly bin: string
  /** What a command line begins with. */
  readonly prefix: ReadonlyArray<string>
  /** Given to `spawn`: the other account to run as. */
  readonly ids: { readonly uid: number; readonly gid: number } | undefined
}

/** In a user namespace of its own one is `nobody` to PostgreSQL, with one's own rights to files. */
const namespace = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]

/** Whom root becomes to run what refuses root. */
export const unprivileged = (): Account["ids"] => {
  const lines = readFileSync("/etc/passwd", "utf8").split("\n").map((line) => line.split(":"))
  const line = lines.find(([name]) => name === "postgres") ?? lines.find(([name]) => name === "nobody")
  return line ? { uid: Number(line[2]), gid: Number(line[3]) } : undefined
}

const hasName = (): boolean => {
  try {
    return userInfo().username !== ""
  } catch {
    return false
  }
}

const copy = (programs: Programs, folder: string, ids: NonNullable<Account["ids"]>): Account | undefined => {
  if (programs.movable === null) return undefined
  const to = join(folder, "programs")
  mkdirSync(to, { mode: 0o700 })
  chownSync(to, ids.uid, ids.gid)
  cpSync(programs.movable, to, { recursive: true, verbatimSymlinks: true })
  return { bin: join(to, "bin"), prefix: [], ids }
}

/** Every way that this process could run the programs, cheapest first. */
function* ways(programs: Programs, folder: string): Generator<Account | undefined> {
  const { bin } = programs
  if (process.getuid?.() !== 0) {
    if (hasName()) yield { bin, prefix: [], ids: undefined }
    yield { bin, prefix: namespace, ids: undefined }
    return
  }
  const ids = unprivileged()
  if (ids) {
    chmodSync(folder, 0o711)
    yield { bin, prefix: [], ids }
  }
  yield { bin, prefix: namespace, ids: undefined }
  if (ids) yield copy(programs, folder, ids)
}

/** The first way that works, or what each one said. Copies, if it must, into `folder`. */
export const findAccount = (programs: Programs, folder: string): Account | string => {
  const refusals: Array<string> = []
  for (const account of ways(programs, folder)) {
    if (account === undefined) continue
    const [command, ...args] = commandOf(account, "postgres", ["--version"])
    const { status, error, stderr } = spawnSync(command, args, { cwd: "/", encoding: "utf8", ...account.ids })
    if (status === 0) return account
    refusals.push((error?.message ?? stderr).trim())
  }
  return refusals.join("; ")
}

export const commandOf = (
  account: Account,
  program: "postgres" | "initdb",
  args: ReadonlyArray<string>
): [string, ...Array<string>] => {
  const [first, ...rest] = [...account.prefix, executable(account.bin, program), ...args]
  return [first!, ...rest]
}
