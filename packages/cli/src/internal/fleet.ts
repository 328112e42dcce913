/** `perdure executor`, `version`: the processes that run workflows, and the versions of the application. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Client from "perdure/Client"
import { Store } from "perdure/Store"
import { onStore } from "./command.ts"
import { confirm } from "./confirming.ts"
import { type Reader, show } from "./output.ts"
import { line } from "./printable.ts"
import { render } from "./table.ts"
import { relative } from "./times.ts"

const executorsTable = (executors: ReadonlyArray<Client.ExecutorInfo>, reader: Reader): string =>
  executors.length === 0 ? "No executor lives, and none has died within the hour." : render(
    [
      { title: "EXECUTOR" },
      { title: "VERSION", shrinks: true },
      { title: "STATE" },
      { title: "LEASE ENDS" },
      { title: "OWNS", align: "right" },
      { title: "QUEUES", shrinks: true },
      { title: "RUNS", shrinks: true }
    ],
    executors.map((one) => [
      one.executorId,
      one.version,
      { text: one.state, color: one.state === "alive" ? "green" : "red" },
      relative(one.leaseUntil, reader.now),
      String(one.owned),
      one.queues === null ? "all" : one.queues.join(", "),
      [...new Set(one.served.map(({ name }) => name))].join(", ")
    ]),
    reader
  )

const fence = Effect.gen(function*() {
  yield* confirm("end the lease of every executor")
  const store = yield* Store
  const fenced = yield* store.fence
  yield* show(fenced, () =>
    `Leases ended: ${fenced.executors}. Workflows with a new epoch: ${fenced.workflows}. ` +
    "Executors that still run join anew by themselves.")
})

export const executor = Command.make("executor").pipe(
  Command.withDescription("See the processes that run workflows"),
  Command.withSubcommands([
    Command.make(
      "list",
      {},
      Effect.fnUntraced(function*() {
        const executors = yield* Client.executors
        yield* show({ executors }, (reader) => executorsTable(executors, reader))
      }, onStore)
    ).pipe(Command.withDescription("List the executors that live, and those that died and still own something")),
    Command.make("fence", {}, () => onStore(fence)).pipe(
      Command.withDescription("After a restore: end every lease, so that whoever still runs can write nothing more")
    )
  ])
)

type VersionInfo = Client.versions.VersionInfo

const versionsTable = (versions: ReadonlyArray<VersionInfo>, reader: Reader): string =>
  versions.length === 0 ? "No executor has joined with a version." : render(
    [{ title: "VERSION" }, { title: "FIRST SEEN" }, { title: "LATEST SINCE" }],
    versions.map(({ createdAt, latestAt, version }, index) => [
      version,
      relative(createdAt, reader.now),
      index === 0 ? { text: `${relative(latestAt, reader.now)}, the latest`, color: "green" } : ""
    ]),
    reader
  )

const versionsList = Effect.gen(function*() {
  const versions = yield* Client.versions.list
  yield* show({ versions }, (reader) => versionsTable(versions, reader))
})

export const version = Command.make("version").pipe(
  Command.withDescription("See the versions of the application, and say which is the latest"),
  Command.withSubcommands([
    Command.make("list", {}, () => onStore(versionsList)).pipe(
      Command.withDescription("List the versions that executors have joined with, the latest first")
    ),
    Command.make(
      "set-latest",
      { version: Argument.String("version") },
      Effect.fnUntraced(function*({ version }) {
        yield* Client.versions.setLatest(version)
        yield* show({ version }, () => `The latest version is ${line(version)}.`)
      }, onStore)
    ).pipe(Command.withDescription("Make a version the latest: it runs what is started for whichever is"))
  ])
)
