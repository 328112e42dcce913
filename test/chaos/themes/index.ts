import { choices } from "./choices.ts"
import { debounces } from "./debounces.ts"
import { events } from "./events.ts"
import { limits } from "./limits.ts"
import { messages } from "./messages.ts"
import { money } from "./money.ts"
import { poison } from "./poison.ts"
import { schedules } from "./schedules.ts"
import { slow } from "./slow.ts"
import { starts } from "./starts.ts"
import { streams } from "./streams.ts"
import type { Theme } from "./Theme.ts"

/** Each run has its own: they keep what the client has seen. */
export const make = (): ReadonlyArray<Theme> =>
  [choices, debounces, events, limits, messages, money, poison, schedules, slow, starts, streams].map((theme) =>
    theme()
  )
