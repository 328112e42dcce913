/**
 * The addresses. They stand behind a `#`: so the files work under any path of any server, ids stay out of its logs, and an
 * id that looks like a path (`../x`) is not taken for one.
 */
import { createHashHistory, createRootRoute, createRoute, createRouter } from "@tanstack/react-router"
import { Layout } from "./components/Layout.tsx"
import { Empty } from "./components/States.tsx"
import { Compare } from "./pages/Compare.tsx"
import { Executors } from "./pages/Executors.tsx"
import { Overview } from "./pages/Overview.tsx"
import { Queues } from "./pages/Queues.tsx"
import { Schedules } from "./pages/Schedules.tsx"
import { Versions } from "./pages/Versions.tsx"
import { Workflow } from "./pages/Workflow.tsx"
import { Workflows } from "./pages/Workflows.tsx"
import { searchOf } from "./text/filters.ts"
import { type Tab, tabs } from "./text/places.ts"
import { one, parseSearch, stringifySearch } from "./text/search.ts"

const root = createRootRoute({
  component: Layout,
  notFoundComponent: () => <Empty title="There is no such page">The address may be of another version.</Empty>
})

const overview = createRoute({ getParentRoute: () => root, path: "/", component: Overview })

const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  validateSearch: searchOf,
  component: Workflows
})

const isTab = (text: string | undefined): text is Tab => tabs.some((tab) => tab === text)

interface WorkflowSearch {
  readonly id: string
  readonly tab?: Tab
  readonly step?: string
  readonly stream?: string
}

const workflow = createRoute({
  getParentRoute: () => root,
  path: "/workflow",
  validateSearch: (raw: Record<string, unknown>): WorkflowSearch => {
    const tab = one(raw["tab"])
    const step = one(raw["step"])
    const stream = one(raw["stream"])
    return {
      id: one(raw["id"]) ?? "",
      ...(isTab(tab) ? { tab } : {}),
      ...(step === undefined ? {} : { step }),
      ...(stream === undefined ? {} : { stream })
    }
  },
  component: Workflow
})

const compare = createRoute({
  getParentRoute: () => root,
  path: "/compare",
  validateSearch: (raw: Record<string, unknown>): { readonly left: string; readonly right: string } => ({
    left: one(raw["left"]) ?? "",
    right: one(raw["right"]) ?? ""
  }),
  component: Compare
})

const named = (raw: Record<string, unknown>): { readonly name?: string } => {
  const name = one(raw["name"])
  return name === undefined ? {} : { name }
}

const queues = createRoute({ getParentRoute: () => root, path: "/queues", validateSearch: named, component: Queues })
const schedules = createRoute({
  getParentRoute: () => root,
  path: "/schedules",
  validateSearch: named,
  component: Schedules
})
const executors = createRoute({ getParentRoute: () => root, path: "/executors", component: Executors })
const versions = createRoute({ getParentRoute: () => root, path: "/versions", component: Versions })

export const router = createRouter({
  routeTree: root.addChildren([overview, workflows, workflow, compare, queues, schedules, executors, versions]),
  history: createHashHistory(),
  parseSearch,
  stringifySearch,
  scrollRestoration: true
})

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router
  }
}
