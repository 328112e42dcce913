/** Where one can go. Pure. */

/** The pages, each with its keys. */
export const places = [
  { to: "/", label: "Overview", key: "g o" },
  { to: "/workflows", label: "Workflows", key: "g w" },
  { to: "/queues", label: "Queues", key: "g q" },
  { to: "/schedules", label: "Schedules", key: "g s" },
  { to: "/executors", label: "Executors", key: "g e" },
  { to: "/versions", label: "Versions", key: "g v" }
] as const

/** The tabs of a workflow's page. */
export const tabs = ["timeline", "values", "events", "messages", "streams", "family"] as const
export type Tab = (typeof tabs)[number]
