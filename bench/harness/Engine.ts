/** What the benchmarks ask of an engine. One file in `engines/` or `peers/` is one engine: its default export. */

/** Where an engine keeps its state: made fresh for each workload and round, and thrown away afterwards. */
export interface Backend {
  /** An address, or the name of a file. Handed to every process of the run. */
  readonly address: string
  /** Has PostgreSQL count the statements of sessions that begin after it, and tells how many. Null: it cannot. */
  readonly countStatements?: () => Promise<(() => Promise<number>) | null>
  readonly close: () => Promise<void>
}

/** What there is for a backend to be made of. */
export interface Site {
  /** Creates an empty database on the one PostgreSQL of all engines. */
  readonly database: () => Promise<Backend>
  /** Creates an empty folder on the disk that PostgreSQL is on. */
  readonly folder: () => Promise<Backend>
}

/** How a process of a run is opened. */
export interface Opening {
  readonly address: string
  /** Names the process among those of a run, and stays when it is restarted. */
  readonly executor: string
  /** Runs workflows; false: a client, which only starts them and waits. */
  readonly runs: boolean
  /** Most jobs at once in this process that come out of a queue, where the workload says so. */
  readonly concurrency?: number
  /** The second step of what {@link Driver.startHeld} starts does not end in this process. */
  readonly holds?: boolean
}

export interface Engine {
  /** One line for readers: version, and every setting that is not the default. */
  readonly settings: string
  /** Workloads that it is measured in; absent: in all that its driver can do. For variants that differ in a few rows. */
  readonly only?: ReadonlyArray<string>
  readonly backend: (site: Site) => Promise<Backend>
  readonly open: (opening: Opening) => Promise<Driver>
}

/** What is done, by the engine's own records. Workloads compare it with what they asked for. */
export interface Tally {
  /** Workflows or jobs that ended well. */
  readonly done: number
  /** Recorded steps; null: the engine does not record steps, or not so that they can be counted. */
  readonly steps: number | null
}

/**
 * An engine in one process. It leaves out what it cannot do, and has no place in the rows that need it.
 *
 * Every workflow of the benchmarks is plain: its step `i` returns `i`, and the workflow returns the sum.
 */
export interface Driver {
  readonly close: () => Promise<void>
  readonly tally?: () => Promise<Tally>

  /** Runs a workflow of so many steps to its end, under this id. */
  readonly execute?: (id: string, steps: number) => Promise<number>
  /** The same, and calls back after each step. */
  readonly walk?: (id: string, steps: number, passed: (step: number) => void) => Promise<number>

  /** Puts a workflow of one step in the queue. Resolves when it is durable. */
  readonly enqueue?: (id: string) => Promise<void>
  readonly enqueueMany?: (ids: ReadonlyArray<string>) => Promise<void>
  /** Serves the queue from now on, and calls back in every job. */
  readonly serve?: (handled: () => void) => Promise<void>
  /** Enqueues one, and waits for its end in the same process, which serves. */
  readonly enqueueAndWait?: (id: string) => Promise<void>

  /** Starts a workflow that receives so many messages one after another, and calls back with each. */
  readonly receive?: (id: string, count: number, received: (value: number) => void) => Promise<void>
  /** Sends one to it, from another process. Resolves when it is durable. */
  readonly send?: (id: string, value: number) => Promise<void>

  /** Starts a workflow that takes so long in a step, calls back, and sets an event to 1. */
  readonly publish?: (id: string, delayMs: number, setting: () => void) => Promise<void>
  /** Waits for the event in another process. */
  readonly observe?: (id: string) => Promise<number>

  /** Starts a workflow that takes so long in a step, calls back, and returns 1. */
  readonly finish?: (id: string, delayMs: number, ending: () => void) => Promise<void>
  /** Waits for its result in another process. */
  readonly result?: (id: string) => Promise<number>

  /** Starts a workflow of three steps. Where the process {@link Opening.holds} it stays in the second. */
  readonly startHeld?: (id: string) => Promise<void>
  /** How many are in their second step. */
  readonly held?: () => number

  /** Runs a workflow with so many children of one step, and sums up what they return: 1 each. */
  readonly family?: (id: string, children: number) => Promise<number>

  /** Starts a workflow that sleeps. Resolves when it is durable. */
  readonly sleep?: (id: string, ms: number) => Promise<void>

  /** Starts so many workflows that sleep until these times, all at once. Resolves when they are durable. */
  readonly doze?: (untils: ReadonlyArray<number>) => Promise<void>
  /** Calls back when one of them begins, and when one wakes: with the time that it was to wake. */
  readonly dozing?: (slept: () => void, woke: (until: number) => void) => void

  /** Makes so many workflows that have ended well: copies, in the engine's own tables, of this one and of its steps. */
  readonly past?: (id: string, count: number) => Promise<void>
  /** Reads the newest hundred that have ended well. */
  readonly page?: () => Promise<ReadonlyArray<string>>
  /** Cancels a workflow, wherever it is. */
  readonly cancel?: (id: string) => Promise<void>
  /** Has a cancelled one go on. Resolves when that is durable. */
  readonly resume?: (id: string) => Promise<void>
}

/** What a workload needs of a driver. */
export type Ability = Exclude<keyof Driver, "close">
