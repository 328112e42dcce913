/** The command palette: goes to a page, to a workflow by its id, to workflows of a name, and does what needs no more words. */
import * as Ariakit from "@ariakit/react"
import { useQuery } from "@tanstack/react-query"
import { useNavigate } from "@tanstack/react-router"
import { useDeferredValue, useEffect, useState } from "react"
import { ask } from "../api/client.ts"
import { definitions, queues, schedules } from "../api/queries.ts"
import { applyTheme, nextTheme } from "../api/theme.ts"
import { places } from "../text/places.ts"
import { labelOf, statuses } from "./Status.tsx"
import { Text } from "./Text.tsx"

interface Command {
  readonly id: string
  readonly group: string
  readonly label: string
  readonly run: () => void
}

export const Palette = ({ open, setOpen }: { readonly open: boolean; readonly setOpen: (open: boolean) => void }) => {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
      event.preventDefault()
      setOpen(!open)
    }
    document.addEventListener("keydown", pressed)
    return () => document.removeEventListener("keydown", pressed)
  }, [open, setOpen])
  return open ? <Opened close={() => setOpen(false)} /> : null
}

const Opened = ({ close }: { readonly close: () => void }) => {
  const [value, setValue] = useState("")
  const text = useDeferredValue(value.trim())
  const found = useCommands(text)
  return (
    <Ariakit.Dialog
      open
      onClose={close}
      aria-label="Search and commands"
      backdrop={<div className="backdrop" />}
      className="dialog palette"
    >
      <Ariakit.ComboboxProvider open setOpen={(open) => open || close()} setValue={setValue}>
        <Ariakit.Combobox
          className="input palette-input"
          placeholder="A workflow id, a name, a page…"
          aria-label="Search"
          autoSelect="always"
          autoFocus
        />
        <Ariakit.ComboboxList className="palette-list" alwaysVisible>
          {found.map((command, index) => (
            <Ariakit.ComboboxItem
              key={command.id}
              value={command.id}
              setValueOnClick={false}
              hideOnClick={false}
              className="palette-item"
              onClick={() => {
                close()
                command.run()
              }}
            >
              <span className="palette-group">{found[index - 1]?.group === command.group ? "" : command.group}</span>
              <span className="clip">
                <Text>{command.label}</Text>
              </span>
            </Ariakit.ComboboxItem>
          ))}
          {found.length === 0 ? <p className="state muted">Nothing fits.</p> : null}
        </Ariakit.ComboboxList>
      </Ariakit.ComboboxProvider>
    </Ariakit.Dialog>
  )
}

const most = 6

/** Everything that fits what is typed. */
const useCommands = (text: string): ReadonlyArray<Command> => {
  const navigate = useNavigate()
  const ids = useQuery({
    queryKey: ["palette", text],
    queryFn: ({ signal }) => ask((api) => api.workflows.list({ query: { idPrefix: text, limit: most } }), signal),
    enabled: text.length >= 2,
    refetchInterval: false
  })
  const names = useQuery(definitions).data ?? []
  const allQueues = useQuery(queues).data ?? []
  const allSchedules = useQuery(schedules).data ?? []
  const fits = (label: string): boolean => label.toLowerCase().includes(text.toLowerCase())
  const commands: Array<Command> = []
  const add = (group: string, options: ReadonlyArray<Omit<Command, "group">>) => {
    commands.push(...options.filter(({ label }) => fits(label)).slice(0, most).map((one) => ({ ...one, group })))
  }
  if (text.length >= 2) {
    add(
      "Workflow",
      (ids.data?.workflows ?? []).map(({ workflowId }) => ({
        id: `workflow ${workflowId}`,
        label: workflowId,
        run: () => void navigate({ to: "/workflow", search: { id: workflowId } })
      }))
    )
  }
  add(
    "Page",
    places.map(({ label, to }) => ({
      id: `page ${to}`,
      label,
      run: () => void navigate({ to, search: {} })
    }))
  )
  add(
    "Workflows that are",
    statuses.map((status) => ({
      id: `status ${status}`,
      label: labelOf(status),
      run: () => void navigate({ to: "/workflows", search: { status: [status] } })
    }))
  )
  add(
    "Workflows named",
    names.map(({ name }) => ({
      id: `name ${name}`,
      label: name,
      run: () => void navigate({ to: "/workflows", search: { name: [name] } })
    }))
  )
  add(
    "Queue",
    allQueues.map(({ name }) => ({
      id: `queue ${name}`,
      label: name,
      run: () => void navigate({ to: "/queues", search: { name } })
    }))
  )
  add(
    "Schedule",
    allSchedules.map(({ name }) => ({
      id: `schedule ${name}`,
      label: name,
      run: () => void navigate({ to: "/schedules", search: { name } })
    }))
  )
  add("Do", [
    { id: "do theme", label: "Change the theme", run: () => applyTheme(nextTheme()) }
  ])
  return commands
}
