/**
 * Executors of this machine, and whether their processes have ended: then nobody has to wait for their leases.
 *
 * Each leaves a file in a folder of its user's while it runs, named after its incarnation, that says which process it is.
 * The file is the proof that it runs here: whoever does not share the folder, the kernel and its namespaces of processes
 * cannot say anything about it. What is in doubt counts as alive, and the lease decides. It is a hint and no more: that
 * an executor is over is decided in the store, and every write there proves its ownership by its epoch.
 *
 * A process that cannot have such a folder (another runtime, a read-only disk) has no neighbours.
 */

/** What is needed of `node:fs`, `node:os` and `node:path`, where they are. */
interface System {
  readonly fs: {
    readonly mkdirSync: (path: string, options: { readonly recursive: boolean; readonly mode: number }) => unknown
    readonly lstatSync: (
      path: string
    ) => { readonly uid: number; readonly mode: number; readonly mtimeMs: number; isDirectory(): boolean }
    readonly readdirSync: (path: string) => ReadonlyArray<string>
    readonly readFileSync: (path: string, encoding: "utf8") => string
    readonly readlinkSync: (path: string) => string
    readonly writeFileSync: (
      path: string,
      text: string,
      options: { readonly mode: number; readonly flag: string }
    ) => void
    readonly rmdirSync: (path: string) => void
    readonly rmSync: (path: string, options: { readonly force: boolean }) => void
  }
  readonly os: { readonly tmpdir: () => string; readonly hostname: () => string }
  readonly process: {
    readonly pid: number
    readonly platform: string
    readonly getuid?: () => number
    readonly kill: (pid: number, signal: 0) => unknown
  }
}

/** A process: where it is, its number there, and when it began, which tells it from a later one of that number. */
interface Process {
  readonly place: string
  readonly pid: number
  readonly began: string | null
}

/** What an ended process left behind is of no use for longer. */
const keptMs = 24 * 3_600_000

export class Neighbours {
  private readonly system = systemOf()
  private readonly self: Process | undefined
  /** Whose end has been told to the store. */
  private readonly told = new Set<string>()

  constructor() {
    if (this.system === undefined) return
    this.self = quietly(() => processOf(this.system!))
  }

  /** This process runs that incarnation. */
  entered(incarnation: string): void {
    quietly(() => {
      const { fs } = this.system!
      if (this.self === undefined) return
      fs.mkdirSync(this.folder, { recursive: true, mode: 0o700 })
      if (this.isOurs) {
        fs.writeFileSync(this.fileOf(incarnation), JSON.stringify(this.self), { mode: 0o600, flag: "wx" })
      }
    })
  }

  /** It does no more. */
  left(incarnation: string): void {
    this.forget(incarnation)
    // The last one. Where there is another, it is not empty.
    quietly(() => this.system!.fs.rmdirSync(this.folder))
  }

  /** Incarnations whose processes have ended, and whose end the store has not been told. */
  get ended(): ReadonlyArray<string> {
    return quietly(() => {
      if (this.self === undefined || !this.isOurs) return []
      return this.system!.fs.readdirSync(this.folder).filter((incarnation) =>
        !this.told.has(incarnation) && this.hasEnded(incarnation)
      )
    }) ?? []
  }

  /** The store has been told of the ends of `ended`, and knew those of `known`. The others are another store's. */
  tell(ended: ReadonlyArray<string>, known: ReadonlyArray<string>): void {
    for (const incarnation of ended) this.told.add(incarnation)
    for (const incarnation of known) this.forget(incarnation)
    for (const incarnation of ended) {
      quietly(() => {
        const { mtimeMs } = this.system!.fs.lstatSync(this.fileOf(incarnation))
        if (Date.now() - mtimeMs > keptMs) this.forget(incarnation)
      })
    }
  }

  private forget(incarnation: string): void {
    quietly(() => this.system!.fs.rmSync(this.fileOf(incarnation), { force: true }))
  }

  private hasEnded(incarnation: string): boolean {
    return quietly(() => {
      const other = JSON.parse(this.system!.fs.readFileSync(this.fileOf(incarnation), "utf8")) as Process
      return other.place === this.self!.place && !isAlive(this.system!, other)
    }) ?? false
  }

  private fileOf(incarnation: string): string {
    return `${this.folder}/${incarnation}`
  }

  private get folder(): string {
    const { os, process } = this.system!
    return `${os.tmpdir()}/perdure-${process.getuid?.() ?? "executors"}`
  }

  /** Of this user's alone: who could write there could end the leases of others. */
  private get isOurs(): boolean {
    const { fs, process } = this.system!
    const uid = process.getuid?.()
    const found = fs.lstatSync(this.folder)
    return found.isDirectory() && (uid === undefined || (found.uid === uid && (found.mode & 0o077) === 0))
  }
}

const quietly = <A>(look: () => A): A | undefined => {
  try {
    return look()
  } catch {
    return undefined
  }
}

/** Without importing anything: this package runs where these modules are not. */
const systemOf = (): System | undefined =>
  quietly(() => {
    const { process } = globalThis as unknown as {
      readonly process: System["process"] & { readonly getBuiltinModule: (name: string) => unknown }
    }
    return {
      fs: process.getBuiltinModule("node:fs") as System["fs"],
      os: process.getBuiltinModule("node:os") as System["os"],
      process
    }
  })

const processOf = (system: System): Process | undefined => {
  const { fs, os, process } = system
  const { pid } = process
  if (process.platform !== "linux") return { place: os.hostname(), pid, began: null }
  // A number means something within one kernel and one namespace; when a process began, within one of time.
  const place = [
    fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    fs.readlinkSync("/proc/self/ns/pid"),
    quietly(() => fs.readlinkSync("/proc/self/ns/time")) ?? ""
  ].join(" ")
  const began = statOf(system, "self")
  // A /proc of another namespace knows other processes by these numbers.
  return began !== undefined && began.began === statOf(system, String(pid))?.began
    ? { place, pid, began: began.began }
    : undefined
}

const isAlive = (system: System, { began, pid }: Process): boolean => {
  try {
    system.process.kill(pid, 0)
  } catch (error) {
    // Any other refusal says that there is one.
    return (error as { readonly code?: string }).code !== "ESRCH"
  }
  if (began === null) return true
  const stat = quietly(() => statOf(system, String(pid)))
  // One that has ended is there until its parent has asked how.
  return stat === undefined || (stat.began === began && stat.state !== "Z" && stat.state !== "X")
}

/** Out of `/proc/<pid>/stat`: a number, a name in parentheses that may hold anything, then fields. */
const statOf = ({ fs }: System, pid: string): { readonly state: string; readonly began: string } | undefined => {
  const text = fs.readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
  const [state, began] = [fields[0], fields[19]]
  return state === undefined || began === undefined ? undefined : { state, began }
}
