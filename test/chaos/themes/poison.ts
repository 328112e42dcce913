/** Workflows that kill whoever runs them: each is given up after its attempts, and what ran beside it ends well. */
import * as Effect from "effect/Effect"
import { Client, Step, Workflow } from "perdure"
import { counters } from "../../counters.ts"
import { say } from "../../crash/harness/voice.ts"
import { did } from "../../crash/workflows/World.ts"
import { exactly, upTo } from "../checks.ts"
import { lastWords } from "../Crew.ts"
import { sure } from "../sure.ts"
import { ofEach, type Seen, type Theme } from "./Theme.ts"

const recoveryAttempts = 2
/** Each takes several executors with it: so many times as often as others, less begins. */
const every = 30
/** Who was at work in a process so shortly before it was killed was its neighbour. */
const besideMs = 3000

const deadly = "kill"

const Poisonous = Workflow.make("Poisonous", { maxRecoveryAttempts: recoveryAttempts })

const PoisonousLive = Poisonous.toLayer(() =>
  Step.run(
    "kill",
    Effect.gen(function*() {
      yield* did(deadly)
      // Nobody can ask for them afterwards.
      yield* say(lastWords, yield* counters)
      process.kill(process.pid, "SIGKILL")
      return yield* Effect.never
    })
  )
)

const poisonOf = (index: number) => `poison-${index}`

/** The index of each act that begins one. */
const poisons = (acts: number) => upTo(Math.ceil(acts / every)).map((number) => number * every)

const neighbours = ({ sideEffects }: Seen): ReadonlySet<string> =>
  new Set(
    sideEffects.filter(({ step }) => step === deadly).flatMap((death) =>
      sideEffects.filter(({ at, pid, step }) =>
        pid === death.pid && step !== deadly && at <= death.at && at > death.at - besideMs
      ).map(({ workflowId }) => workflowId)
    )
  )

export const poison = (): Theme => ({
  name: "poison",
  live: PoisonousLive,
  deadLetters: [Poisonous.name],
  act: (index) =>
    index % every !== 0 ? Effect.void : sure(Poisonous.start(undefined, { workflowId: poisonOf(index) })).pipe(
      Effect.flatMap((handle) => Effect.exit(sure(handle.result)))
    ),
  check: (seen) =>
    Effect.gen(function*() {
      const poisoned = yield* ofEach(poisons(seen.acts), (index) =>
        Effect.gen(function*() {
          const workflowId = poisonOf(index)
          const { status } = yield* Client.get(workflowId)
          const kills = seen.sideEffects.filter((one) => one.workflowId === workflowId).length
          return [
            ...exactly(`status of ${workflowId}`, [status], ["DEAD_LETTER"]),
            // Once, and as often as it may be recovered; fewer where a process was killed before it came to it.
            ...(kills > 1 + recoveryAttempts ? [`${workflowId} killed ${kills} processes`] : [])
          ]
        }))
      const beside = yield* ofEach(neighbours(seen), (workflowId) =>
        Effect.map(Client.get(workflowId), ({ status }) =>
          exactly(`neighbour ${workflowId}`, [status], ["SUCCESS"])))
      return [...poisoned, ...beside]
    })
})
