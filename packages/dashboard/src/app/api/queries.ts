/** What the pages ask for, and how long an answer counts. Keys begin with what a change names, so that it finds them. */
import type { Filter, SchedulePage, ScheduleSummary, StepInfo, StepPage } from "@perdure/server/AdminApi"
import { infiniteQueryOptions, keepPreviousData, type Query, QueryClient, queryOptions } from "@tanstack/react-query"
import { ask, failed, RequestFailed } from "./client.ts"
import { tell } from "./clock.ts"

/** The beginnings of the keys of what is being deleted, and was until its page has been left. */
const deleted = new Set<string>()

/** What is being deleted is not asked for any more, whoever says that it has changed: it would not be found. */
export const isAskedFor = ({ queryKey }: Pick<Query, "queryKey">): boolean =>
  deleted.size === 0 || !queryKey.some((_, index) => deleted.has(JSON.stringify(queryKey.slice(0, index + 1))))

export const queryClient: QueryClient = new QueryClient({
  defaultOptions: {
    queries: {
      enabled: isAskedFor,
      staleTime: 2000,
      // A page that is open for long keeps no more than what was looked at in the last minute.
      gcTime: 60_000,
      // Changes are told as they happen; this is for what is not told, and for when nothing is.
      refetchInterval: 15_000,
      retry: (count, error) => count < 2 && ["Unavailable", "Unreachable"].includes(failed(error).tag)
    }
  }
})

const loadsMore = ({ state }: Pick<Query, "state">): boolean =>
  state.fetchStatus === "fetching" && state.fetchMeta?.fetchMore !== undefined

/**
 * Asks again for what is shown and has changed. What is about to show more does so first: asking for all of it again
 * would give that up, and whoever asked for more would not get it. `key`: what the keys begin with.
 */
export const askAgain = (key: ReadonlyArray<unknown>): void => {
  for (const { promise, queryKey } of queryClient.getQueryCache().findAll({ queryKey: key, predicate: loadsMore })) {
    const then = () => askAgain(queryKey)
    void promise?.then(then, then)
  }
  void queryClient.invalidateQueries({ queryKey: key, predicate: (query) => !loadsMore(query) })
}

/** Deletes what a page shows, then leaves the page. `key`: what the keys of everything about it begin with. */
export const deleting = async (
  key: ReadonlyArray<string>,
  act: () => Promise<unknown>,
  leave: () => Promise<void>
): Promise<void> => {
  const id = JSON.stringify(key)
  deleted.add(id)
  try {
    await queryClient.cancelQueries({ queryKey: key })
    await act()
    await leave()
  } finally {
    deleted.delete(id)
  }
}

const notKnown = new RequestFailed({
  tag: "Unauthenticated",
  problem: "You are not signed in",
  detail: "this browser has no session",
  remedy: "Sign in."
})

export const info = queryOptions({
  queryKey: ["info"],
  queryFn: async ({ signal, client }) => {
    // Asked before, since a request that is refused is an error on the console of whoever only wants to sign in.
    if (client.getQueryData(["info"]) === undefined && !(await ask((api) => api.open.session(), signal)).known) {
      throw notKnown
    }
    const answer = await ask((api) => api.system.info(), signal)
    tell(answer.now)
    return answer
  },
  staleTime: 30_000,
  gcTime: Infinity
})

const pageSize = 100

/** A filter as a query takes it: what is not given is not there. */
export const workflows = (filter: Filter, order: "asc" | "desc") =>
  infiniteQueryOptions({
    queryKey: ["workflows", "list", filter, order],
    queryFn: ({ pageParam, signal }) =>
      ask((api) =>
        api.workflows.list({
          query: { ...filter, order, limit: pageSize, ...(pageParam === "" ? {} : { cursor: pageParam }) }
        }), signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.cursor,
    placeholderData: keepPreviousData,
    // Far down in a list nothing is asked for again and again: what is there is by creation, so it stays in its place.
    refetchInterval: (query) => (query.state.data?.pages.length ?? 0) > 3 ? false : 15_000
  })

/** The newest that nothing but an operator or a deploy moves. */
export const needsSomebody = queryOptions({
  queryKey: ["workflows", "needs somebody"],
  queryFn: ({ signal }) =>
    ask((api) => api.workflows.list({ query: { status: ["BLOCKED", "DEAD_LETTER"], limit: 10 } }), signal)
})

export const counts = (filter: Filter) =>
  queryOptions({
    queryKey: ["workflows", "counts", filter],
    queryFn: ({ signal }) => ask((api) => api.workflows.counts({ query: filter }), signal),
    placeholderData: keepPreviousData
  })

export const bulkCount = (filter: Filter) =>
  queryOptions({
    queryKey: ["bulk count", filter],
    queryFn: ({ signal }) => ask((api) => api.workflows.bulkCount({ payload: { filter } }), signal),
    staleTime: 0,
    gcTime: 0,
    refetchInterval: false
  })

export const workflow = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "detail"],
    queryFn: ({ signal }) => ask((api) => api.workflows.get({ query: { id } }), signal)
  })

export const explanation = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "explain"],
    queryFn: ({ signal }) => ask((api) => api.workflows.explain({ query: { id } }), signal)
  })

/**
 * All steps, without their values: those come with the one that is looked at. Steps that are recorded do not change, so
 * what is known is asked for again only from the first that was not done.
 */
export const steps = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "steps"],
    queryFn: async ({ signal }): Promise<ReadonlyArray<StepInfo>> => {
      const before = queryClient.getQueryData<ReadonlyArray<StepInfo>>(["workflow", id, "steps"]) ?? []
      const open = before.findIndex((step, index) => step.outcome === undefined || step.stepId !== index)
      const known = open === -1 ? before : before.slice(0, open)
      const found = [...known]
      let after: number | undefined = known[known.length - 1]?.stepId ?? -1
      while (after !== undefined) {
        const page: StepPage = await ask(
          (api) => api.workflows.steps({ query: { id, after: after ?? -1, limit: 1000, values: false } }),
          signal
        )
        found.push(...page.steps)
        after = page.next
      }
      return found
    }
  })

/** The first steps with their values, for a comparison: at most 10,000. */
export const comparedSteps = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "steps with values"],
    queryFn: async ({ signal }): Promise<ReadonlyArray<StepInfo>> => {
      const found: Array<StepInfo> = []
      let after: number | undefined = -1
      while (after !== undefined && found.length < 10_000) {
        const page: StepPage = await ask(
          (api) => api.workflows.steps({ query: { id, after: after ?? -1, limit: 1000 } }),
          signal
        )
        found.push(...page.steps)
        after = page.next
      }
      return found
    }
  })

export const step = (id: string, stepId: number) =>
  queryOptions({
    queryKey: ["workflow", id, "step", stepId],
    queryFn: ({ signal }) => ask((api) => api.workflows.step({ query: { id, stepId } }), signal)
  })

export const ancestors = (id: string) =>
  queryOptions({
    queryKey: ["workflow", id, "ancestors"],
    queryFn: ({ signal }) => ask((api) => api.workflows.ancestors({ query: { id } }), signal)
  })

const relatives = (key: "parentId" | "forkedFrom", id: string) =>
  queryOptions({
    queryKey: ["workflow", id, key],
    queryFn: ({ signal }) =>
      ask((api) => api.workflows.list({ query: { [key]: id, order: "asc", limit: pageSize } }), signal)
  })

export const children = (id: string) => relatives("parentId", id)
export const forks = (id: string) => relatives("forkedFrom", id)

export const events = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["workflow", id, "events"],
    queryFn: ({ pageParam: after, signal }) =>
      ask(
        (api) => api.workflows.events({ query: { id, limit: pageSize, ...(after === undefined ? {} : { after }) } }),
        signal
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page) => page.next,
    select: ({ pages }) => pages.flatMap((page) => page.events)
  })

export const messages = (id: string) =>
  infiniteQueryOptions({
    queryKey: ["workflow", id, "messages"],
    queryFn: ({ pageParam: after, signal }) =>
      ask((api) => api.workflows.messages({ query: { id, limit: pageSize, after } }), signal),
    initialPageParam: 0,
    getNextPageParam: (page) => page.next,
    select: ({ pages }) => pages.flatMap((page) => page.messages)
  })

/** Steps write to streams as they go, without a record that would be told; so an open one is looked at often. */
const tailIntervalMs = 1500

export const streams = (id: string) =>
  queryOptions({
    refetchInterval: tailIntervalMs,
    queryKey: ["workflow", id, "streams"],
    queryFn: ({ signal }) => ask((api) => api.workflows.streams({ query: { id } }), signal)
  })

/** The last entries of a stream. */
export const streamTail = (id: string, key: string, count: number) =>
  queryOptions({
    queryKey: ["workflow", id, "stream", key, count],
    queryFn: ({ signal }) =>
      ask((api) => api.workflows.stream({ query: { id, key, from: -count, limit: count } }), signal),
    refetchInterval: (query) => query.state.data?.done === true ? false : tailIntervalMs,
    placeholderData: keepPreviousData
  })

export const definitions = queryOptions({
  queryKey: ["executors", "definitions"],
  queryFn: ({ signal }) => ask((api) => api.workflows.definitions(), signal)
})

export const definition = (name: string) =>
  queryOptions({
    queryKey: ["executors", "definition", name],
    queryFn: ({ signal }) => ask((api) => api.workflows.definition({ query: { name } }), signal),
    retry: false
  })

export const queues = queryOptions({
  queryKey: ["queues", "list"],
  queryFn: ({ signal }) => ask((api) => api.queues.list(), signal)
})

export const queue = (name: string) =>
  queryOptions({
    queryKey: ["queues", "one", name],
    queryFn: ({ signal }) => ask((api) => api.queues.get({ query: { name } }), signal)
  })

export const schedules = queryOptions({
  queryKey: ["schedules", "list"],
  queryFn: async ({ signal }): Promise<ReadonlyArray<ScheduleSummary>> => {
    const found: Array<ScheduleSummary> = []
    let after: string | undefined
    do {
      const query: { readonly after?: string } = after === undefined ? {} : { after }
      const page: SchedulePage = await ask((api) => api.schedules.list({ query }), signal)
      found.push(...page.schedules)
      after = page.next
    } while (after !== undefined)
    return found
  }
})

export const schedule = (name: string) =>
  queryOptions({
    queryKey: ["schedules", "one", name],
    queryFn: ({ signal }) => ask((api) => api.schedules.get({ query: { name, next: 5 } }), signal)
  })

export const executors = queryOptions({
  queryKey: ["executors", "list"],
  queryFn: ({ signal }) => ask((api) => api.fleet.executors(), signal)
})

export const versions = queryOptions({
  queryKey: ["executors", "versions"],
  queryFn: ({ signal }) => ask((api) => api.fleet.versions(), signal)
})

/** Over the last stretch of time; the server's default ends now. */
export const throughput = (lengthMs: number, now: () => number) =>
  queryOptions({
    queryKey: ["workflows", "throughput", lengthMs],
    queryFn: ({ signal }) => {
      const to = new Date(now())
      const query = { from: new Date(to.getTime() - lengthMs), to, buckets: 60 }
      return ask((api) => api.system.throughput({ query }), signal)
    },
    placeholderData: keepPreviousData
  })

export const nameStats = (lengthMs: number, now: () => number) =>
  queryOptions({
    queryKey: ["workflows", "names", lengthMs],
    queryFn: ({ signal }) => {
      const to = new Date(now())
      return ask((api) => api.system.names({ query: { from: new Date(to.getTime() - lengthMs), to } }), signal)
    },
    placeholderData: keepPreviousData
  })
