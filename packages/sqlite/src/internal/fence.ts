/** Nobody owns anything any more: for a file that knows less than those who write to it. */
import type { Fenced } from "perdure/Store"
import type { Database } from "./database.ts"

/**
 * First epochs are the time, a hundred to the millisecond, and so are these: what was handed out before, also after the
 * copy was made, is less. Owners stay, for a sweep to give their workflows back as it does with those of the dead.
 */
export const fence = (database: Database, now: number): Fenced => ({
  executors: database.run(
    "UPDATE perdure_executor SET dead = 1, lease_until = min(lease_until, ?) WHERE dead = 0",
    now
  ),
  workflows: database.run("UPDATE perdure_ownership SET epoch = max(epoch + 1000000, ? * 100)", now)
})
