/**
 * Ways to break the engine that are easy to fall into, each as a change of one place in its sources, and the test that
 * must turn red for it. What is replaced must be there exactly once, so that none goes stale unseen.
 */
export interface Sabotage {
  readonly name: string
  readonly file: string
  readonly replace: string
  readonly by: string
  /** A file of tests, and which of them. */
  readonly test: readonly [file: string, name?: string]
}

const core = "packages/perdure/src/internal"
const postgres = "packages/postgres/src/internal"
const sqlite = "packages/sqlite/src/internal"

/** Kills, frozen processes, broken connections and crashes of PostgreSQL. */
const everything = ["test/chaos/chaos.test.ts", "nor do they"] as const
const onPostgres = ["test/chaos/chaos.test.ts", "on PostgreSQL"] as const
const onSqlite = ["test/chaos/chaos.test.ts", "on SQLite"] as const
/** One is frozen with writes on their way, which arrive when another owns the workflows. */
const frozen = (
  store: string
): Sabotage["test"] => ["test/crash/takeover.test.ts", `${store}.*are not disturbed by one`]
/** Any call to the store fails, on simulated time. */
const simulated = ["test/simulation/simulation.test.ts", "come to"] as const

export const sabotages: ReadonlyArray<Sabotage> = [
  {
    name: "writes are not fenced by the epoch, on PostgreSQL",
    file: `${postgres}/sql/flush.ts`,
    replace: "WHERE l.epoch = l.want AND l.ended_epoch < l.epoch;",
    by: "WHERE true;",
    test: frozen("PostgreSQL")
  },
  {
    name: "writes are not fenced by the epoch, on SQLite",
    file: `${sqlite}/advance.ts`,
    replace: "  if (owner === undefined || owner.epoch !== op.epoch || owner.executor === null) {",
    by: "  if (owner === undefined) {",
    test: frozen("SQLite")
  },
  {
    name: "a lease that has lapsed is renewed",
    file: `${postgres}/executors.ts`,
    replace: "WHERE e.incarnation = $1::text AND e.state = 'alive' AND e.lease_until > n.now\n    RETURNING 1",
    by: "WHERE e.incarnation = $1::text\n    RETURNING 1",
    test: frozen("PostgreSQL")
  },
  {
    name: "a start is acknowledged before its commit",
    file: `${core}/starting.ts`,
    replace: "    core.journal.submit(sent, (answer) => {",
    by: `    if (sent._tag === "Start" && sent.queue === null) {
      setTimeout(() => core.journal.submit(sent, () => began(core, sent)), 300)
      return resume(Effect.succeed({ _tag: "Started" }))
    }
    core.journal.submit(sent, (answer) => {`,
    test: onPostgres
  },
  {
    name: "a commit whose answer is lost counts as failed",
    file: `${core}/transacting.ts`,
    replace: `          doubtful = true
          return Effect.andThen(Metrics.journalFailures, again(50, tries))`,
    by: "          return refused(new Error(message))",
    test: ["test/engine/doubts.test.ts"]
  },
  {
    name: "a commit whose answer is lost counts as made",
    file: `${core}/transacting.ts`,
    replace: `          doubtful = true
          return Effect.andThen(Metrics.journalFailures, again(50, tries))`,
    by: `          release(written!.record)
          return Effect.succeed(written!.completed)`,
    test: ["test/engine/doubts.test.ts"]
  },
  {
    name: "a write whose answer is lost counts as made",
    file: `${core}/journal.ts`,
    replace: "      Effect.retry(untilItPasses),\n      Effect.catchCause",
    by:
      "      Effect.catch(() => Effect.succeed(entries.map(() => ({ _tag: \"Recorded\" }) as Answer))),\n      Effect.catchCause",
    test: everything
  },
  {
    name: "work is looked for only where a notification says so",
    file: `${core}/loop.ts`,
    replace: "  const wait = Effect.timeoutOption(Queue.take(signals), intervalMs)",
    by:
      "  const wait = name === \"claim\" || name === \"poll\" ? Queue.take(signals) : Effect.timeoutOption(Queue.take(signals), intervalMs)",
    test: ["test/engine/polls.test.ts"]
  },
  {
    name: "what dead executors leave is looked for only at the start",
    file: `${core}/executor.ts`,
    replace: "          Effect.andThen(this.core.store.sweep(sweepBatch))\n",
    by:
      "          Effect.andThen((this as any).swept\n            ? Effect.succeed({ released: 0, deadLettered: [], expired: [], more: false })\n            : this.core.store.sweep(sweepBatch)),\n          Effect.tap(() => Effect.sync(() => void ((this as any).swept = true)))\n",
    test: ["test/crash/takeover.test.ts", "machines that is gone"]
  },
  {
    name: "leases are by the clock of the process",
    file: `${core}/executor.ts`,
    replace: "      this.core.store.heartbeat(lease.incarnation, this.core.settings.leaseMs, ended),",
    by:
      "      this.core.store.heartbeat(lease.incarnation, this.core.settings.leaseMs + Date.now() - Math.round(performance.timeOrigin + performance.now()), ended),",
    test: ["packages/perdure/test/executor.test.ts", "whatever the clock"]
  },
  {
    name: "a beat that was given up still acts on what it is told",
    file: `${core}/executor.ts`,
    replace: "if (this.left || lease !== this.lease) return Effect.void",
    by: "if (this.left) return Effect.void",
    test: ["packages/perdure/test/executor.test.ts"]
  },
  {
    name: "the interruption of what is given up is its outcome",
    file: `${core}/answering.ts`,
    replace: "Effect.andThen(Effect.sleep(ms), Effect.failSync(error))",
    by:
      "Effect.andThen(Effect.tap(Effect.sleep(ms), () => Effect.sync(() => fiber.interruptUnsafe())), Effect.failSync(error))",
    test: ["packages/perdure/test/answering.test.ts"]
  },
  {
    name: "a run goes on when its executor learns that it is over",
    file: `${core}/executions.ts`,
    replace: "    if (run !== undefined && run.epoch <= epoch) run.stop({ _tag: \"Fenced\" })",
    by: "",
    test: ["test/crash/cancel.test.ts"]
  },
  {
    name: "what was cancelled is resumed while it is interrupted, on SQLite",
    file: `${sqlite}/resume.ts`,
    replace:
      "  if (Ownership.mayStillRun(database, workflowId, now)) return { workflowId, result: \"held\", status }\n",
    by: "",
    test: ["test/crash/cancel.test.ts", "never runs beside itself"]
  },
  {
    name: "what was cancelled is resumed while it is interrupted, on PostgreSQL",
    file: `${postgres}/sql/resume.ts`,
    replace: "      WHERE e.state = 'alive'\n",
    by: "      WHERE false\n",
    test: ["test/crash/cancel.test.ts", "never runs beside itself"]
  },
  {
    name: "what is interrupted counts as ended at once",
    file: `${core}/executor.ts`,
    replace: "!this.executions.isEnding(workflowId)",
    by: "workflowId !== \"\"",
    test: ["test/engine/ownership.test.ts", "takes its time to end"]
  },
  {
    name: "a queue does not count what runs, on PostgreSQL",
    file: `${postgres}/sql/claimQueue.ts`,
    replace: "i.queue = p_queue AND i.state = 'running' LIMIT v_concurrency",
    by: "i.queue = p_queue AND i.state = 'none' LIMIT v_concurrency",
    test: onPostgres
  },
  {
    name: "a claim reads the clock before it sees what is over",
    file: `${postgres}/sql/claimQueue.ts`,
    replace: "    -- it begins after everything that was seen to have ended\n    v_now := ${s}.now_ms();\n",
    by: "    v_now := v_now - 50;\n",
    test: ["test/conformance/postgres.test.ts", "a start is not before"]
  },
  {
    name: "of missed ticks only the latest is fired",
    file: `${core}/ticks.ts`,
    replace: "  return due.slice(missed === \"latest\" ? -1 : -missed.all)",
    by: "  return due.slice(-1)",
    test: onSqlite
  },
  {
    name: "a message that is received stays, on SQLite",
    file: `${sqlite}/advance.ts`,
    replace: "    Message.consume(database, op.workflowId, consumed)\n",
    by: "",
    test: onSqlite
  },
  {
    name: "what a step writes again is appended again, on SQLite",
    file: `${sqlite}/entry.ts`,
    replace: "  if (wasAppended(database, workflowId, epoch, entry)) return undefined\n",
    by: "",
    test: ["test/conformance", "stream"]
  },
  {
    name: "a step starts before what was delivered is durable",
    file: `${core}/run.ts`,
    replace: "    this.starts.go(this.writes.durable, first)",
    by: "    this.starts.go(this.lastSeq, first)",
    test: simulated
  },
  {
    name: "what a claim took is forgotten when its answer is lost",
    file: `${core}/claiming.ts`,
    replace: "    if (!this.doubtful && now < this.reconciledAt + reconcileEveryMs) return Effect.void",
    by: "    if (now > 0) return Effect.void",
    test: simulated
  },
  {
    name: "a write that fails is refused for good",
    file: `${core}/journal.ts`,
    replace: "      Effect.retry(untilItPasses),\n      Effect.catchCause",
    by:
      "      Effect.catch((error) => Effect.succeed(entries.map(() => ({ _tag: \"Rejected\", detail: String(error) }) as Answer))),\n      Effect.catchCause",
    test: simulated
  },
  {
    name: "rollbacks run in the order of their steps",
    file: `${core}/execution.ts`,
    replace: ".sort((a, b) => b.record.seq - a.record.seq)",
    by: ".sort((a, b) => a.record.seq - b.record.seq)",
    test: simulated
  },
  {
    name: "what was taken away while its claim was on the way begins",
    file: `${core}/executions.ts`,
    replace: "    if ((this.over.get(owned.workflowId) ?? -1) >= owned.epoch) return\n",
    by: "",
    test: ["test/engine/ownership.test.ts", "is on the way"]
  },
  {
    name: "what was taken under a lease that has lapsed begins",
    file: `${core}/executor.ts`,
    replace: "    this.lease.lapsed()\n",
    by: "",
    test: ["packages/perdure/test/executor.test.ts", "has lapsed does not begin"]
  },
  {
    name: "offsets of a stream come from a sequence",
    file: `${postgres}/sql/streams.ts`,
    replace: "      ELSE coalesce(l.position + 1, 0) END ORDER BY g.ordinal)",
    by: "      ELSE 1000 + nextval('${s}.queue_place') END ORDER BY g.ordinal)",
    test: ["test/conformance/postgres.test.ts", "without a gap, in the order written"]
  },
  {
    name: "an interruption is recorded as a step's failure",
    file: `${core}/performing.ts`,
    replace:
      "      else if (!this.run.leaving) this.host.refused(`operation \"${call.operation.name}\" ended without an outcome`)\n",
    by: `      else {
        const error = { _tag: "StepFailed", step: call.operation.name, tag: "Interrupted", message: "", fields: {} }
        const record = {
          ...{ stepId: call.stepId, seq: this.run.received + 1, asked: call.askedAt, key: call.key, attempts: 1 },
          ...{ name: call.operation.name, kind: call.operation.kind, outcome: "failure", childId: null, rollback: false },
          ...{ value: JSON.stringify([{ _tag: "StepFailed", error }]), startedAt: call.startedAt, at: this.run.clock() }
        }
        this.run.deliver(call, record as StepRecord, exit)
      }
`,
    test: ["test/crash/shutdown.test.ts", "on SQLite.*lets running steps end"]
  }
]
