/** The demo's display: plain text, a little colour on a terminal. */
import { Effect } from "effect"
import { styleText } from "node:util"
import type { Entry } from "../ServicesLog.ts"
import type { Account } from "./scenario.ts"
import type { Observer, Ran } from "./World.ts"

type Style = Parameters<typeof styleText>[0]

/** Without colour where the output is no terminal, or `NO_COLOR` is set. */
const styled = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout })

const print = (line = ""): void => console.log(line)

const startedAt = performance.now()

export const begin = (database: string): void =>
  print(`An order workflow on ${database}: stock, total, order, payment, mail.`)

export const end = (): void => {
  print()
  print(styled("green", `All as promised, in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`))
}

export const failed = (error: unknown): Effect.Effect<void> =>
  Effect.sync(() => console.error(styled("red", `\n${error instanceof Error ? error.message : String(error)}`)))

export const title = (text: string): void => print(`\n${styled("bold", text)}\n`)

/** What happens in the processes, as it happens. */
export const observer: Observer = {
  ran: ({ life, message, step }: Ran) =>
    print(
      `  application, life ${life}   runs ${styled("cyan", (step ?? "the body, from its start").padEnd(24))}  ${
        styled("dim", message)
      }`
    ),
  asked: ({ key, request, result, service }: Entry) =>
    print(`  ${service.padEnd(21)}   ${styled("dim", `${request} ${key}:`)} ${result}`),
  killed: (pid) =>
    print(
      `  ${styled("red", `kill -9 ${pid}`.padEnd(21))}   the application is gone; it is started again, without an order`
    ),
  recorded: (steps) => print(`  ${"on record".padEnd(21)}   ${styled("green", steps.join(", "))}`)
}

/** The records, and for each which life really ran it. */
export const account = (steps: ReadonlyArray<Account>): void => {
  print(`\n  step  kind         name                          outcome  ran`)
  for (const { kind, lives, name, outcome, stepId } of steps) {
    const ran = lives.length === 0 ? "" : `in life ${lives.join(" and ")}`
    const after = lives.length === 1 && lives[0] === 1 && answered(steps) ? "; life 2 got the record" : ""
    print(`  ${String(stepId).padStart(4)}  ${kind.padEnd(12)} ${name.padEnd(29)} ${outcome.padEnd(8)} ${ran}${after}`)
  }
  print()
}

const answered = (steps: ReadonlyArray<Account>): boolean => steps.some((step) => step.lives.includes(2))

export const value = (what: string, data: unknown): void =>
  print(`  ${what.padEnd(12)} ${typeof data === "string" ? data : JSON.stringify(data)}`)

export const requests = (entries: ReadonlyArray<Entry>): void => {
  for (const { amountCents, key, request, result, service } of entries) {
    value(`log: ${service}`.padEnd(13), `${request} ${key} ${amountCents ?? ""}`.trimEnd().padEnd(22) + ` ${result}`)
  }
}

export const claim = (text: string, holds: boolean): void =>
  print(`  ${holds ? styled("green", "holds") : styled("red", "BROKEN")}        ${text}`)
