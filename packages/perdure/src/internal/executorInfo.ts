/** A process that runs workflows, as users list it. */
import type { ExecutorRow, Served } from "../Store.ts"

/** A process that runs workflows, from its start to its end. */
export interface ExecutorInfo {
  /** Of this start of the process: no other has it. */
  readonly incarnation: string
  /** The `executorId` of its engine. */
  readonly executorId: string
  /** Of the application's code. Empty: of no version. */
  readonly version: string
  readonly state: "alive" | "lapsed"
  /** When its right to its workflows ends, or ended, by the database's clock. */
  readonly leaseUntil: Date
  /** Workflows that it owns. */
  readonly owned: number
  /** Names of workflows that it has the code of, each with a version that it runs. */
  readonly served: ReadonlyArray<Served>
  /** The queues that it takes workflows from. Null: all. */
  readonly queues: ReadonlyArray<string> | null
}

export const executorOf = ({ leaseUntil, ...row }: ExecutorRow): ExecutorInfo => ({
  ...row,
  leaseUntil: new Date(leaseUntil)
})
