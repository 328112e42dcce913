/** The suite that holds the stores equal: everything that `perdure/Store` promises, on a real database. */
import { describe } from "@effect/vitest"
import { type Backend, runSuites } from "./Backend.ts"
import { acknowledging } from "./suites/acknowledging.ts"
import { advancing } from "./suites/advancing.ts"
import { archiving } from "./suites/archiving.ts"
import { attributes } from "./suites/attributes.ts"
import { cancelling } from "./suites/cancelling.ts"
import { cancelRaces } from "./suites/cancelRaces.ts"
import { children } from "./suites/children.ts"
import { claiming } from "./suites/claiming.ts"
import { deadlines } from "./suites/deadlines.ts"
import { debouncing } from "./suites/debouncing.ts"
import { deduplication } from "./suites/deduplication.ts"
import { delays } from "./suites/delays.ts"
import { deleting } from "./suites/deleting.ts"
import { ending } from "./suites/ending.ts"
import { events } from "./suites/events.ts"
import { executors } from "./suites/executors.ts"
import { executorsList } from "./suites/executorsList.ts"
import { fencing } from "./suites/fencing.ts"
import { filters } from "./suites/filters.ts"
import { forking } from "./suites/forking.ts"
import { hinting } from "./suites/hinting.ts"
import { inspecting } from "./suites/inspecting.ts"
import { messages } from "./suites/messages.ts"
import { observing } from "./suites/observing.ts"
import { outages } from "./suites/outages.ts"
import { partitions } from "./suites/partitions.ts"
import { priorities } from "./suites/priorities.ts"
import { processes } from "./suites/processes.ts"
import { querying } from "./suites/querying.ts"
import { queueing } from "./suites/queueing.ts"
import { rates } from "./suites/rates.ts"
import { renewing } from "./suites/renewing.ts"
import { resuming } from "./suites/resuming.ts"
import { retention } from "./suites/retention.ts"
import { schedules } from "./suites/schedules.ts"
import { starting } from "./suites/starting.ts"
import { strangers } from "./suites/strangers.ts"
import { streams } from "./suites/streams.ts"
import { suspending } from "./suites/suspending.ts"
import { sweeping } from "./suites/sweeping.ts"
import { takeover } from "./suites/takeover.ts"
import { transacting } from "./suites/transacting.ts"
import { unpinned } from "./suites/unpinned.ts"
import { values } from "./suites/values.ts"
import { versions } from "./suites/versions.ts"
import { waking } from "./suites/waking.ts"
import { startingWithin } from "./suites/within.ts"

export const conformance = (name: string, backend: Backend): void => {
  describe(name, () =>
    runSuites(backend, {
      starting,
      advancing,
      children,
      suspending,
      renewing,
      waking,
      ending,
      claiming,
      takeover,
      executors,
      cancelling,
      cancelRaces,
      acknowledging,
      sweeping,
      deadlines,
      resuming,
      messages,
      events,
      streams,
      querying,
      observing,
      filters,
      attributes,
      schedules,
      forking,
      deleting,
      retention,
      versions,
      executorsList,
      inspecting,
      fencing,
      archiving,
      startingWithin,
      transacting,
      values,
      processes,
      queueing,
      priorities,
      partitions,
      rates,
      deduplication,
      debouncing,
      delays,
      unpinned,
      hinting,
      strangers,
      outages
    }))
}
