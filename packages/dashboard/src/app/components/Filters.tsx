/** What the list of workflows is restricted by. Everything stands in the address, so a view can be sent to somebody. */
import { useQuery } from "@tanstack/react-query"
import { type RefObject, useEffect, useState } from "react"
import { definitions, queues, versions } from "../api/queries.ts"
import { attributeOf, type WorkflowsSearch } from "../text/filters.ts"
import { fromInput, toInput } from "../text/time.ts"
import { Button } from "./Button.tsx"
import { TextField } from "./Field.tsx"
import { Icon } from "./Icon.tsx"
import { Text } from "./Text.tsx"

type Set = (search: WorkflowsSearch) => void

export const Filters = ({ search, set, field }: {
  readonly search: WorkflowsSearch
  readonly set: Set
  readonly field: RefObject<HTMLInputElement | null>
}) => {
  const [open, setOpen] = useState(false)
  const names = useQuery(definitions).data?.map(({ name }) => name) ?? []
  return (
    <div className="stack filters">
      <div className="row">
        <form role="search" className="grow" onSubmit={(event) => event.preventDefault()}>
          <Typed
            label="Id begins with"
            value={search.id ?? ""}
            set={(id) => set(without(search, "id", id === "" ? undefined : id))}
            field={field}
          />
        </form>
        <Choice
          label="Name"
          value={search.name?.[0] ?? ""}
          options={names}
          set={(name) => set(without(search, "name", name === "" ? undefined : [name]))}
        />
        <Button aria-expanded={open} onClick={() => setOpen(!open)}>More filters</Button>
      </div>
      {open ? <More search={search} set={set} /> : null}
      <Chosen search={search} set={set} />
    </div>
  )
}

/** The search with one restriction set, or left out. */
const without = <K extends keyof WorkflowsSearch>(
  search: WorkflowsSearch,
  key: K,
  value: WorkflowsSearch[K] | undefined
): WorkflowsSearch => {
  const { [key]: _, ...rest } = search
  return value === undefined ? rest as WorkflowsSearch : { ...rest, [key]: value } as WorkflowsSearch
}

/** Counts a moment after the last key. */
const Typed = ({ label, value, set, field }: {
  readonly label: string
  readonly value: string
  readonly set: (value: string) => void
  readonly field?: RefObject<HTMLInputElement | null>
}) => {
  const [text, setText] = useState(value)
  const [seen, setSeen] = useState(value)
  if (value !== seen) {
    setSeen(value)
    setText(value)
  }
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => set(text), 250)
    return () => clearTimeout(timer)
  })
  return (
    <input
      ref={field}
      type="search"
      className="input"
      aria-label={label}
      placeholder={field === undefined ? `${label}…` : `${label}…  ( / )`}
      autoComplete="off"
      spellCheck={false}
      maxLength={400}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
      onKeyDown={(event) => event.key === "Escape" ? event.currentTarget.blur() : undefined}
    />
  )
}

const Choice = ({ label, value, options, set }: {
  readonly label: string
  readonly value: string
  readonly options: ReadonlyArray<string>
  readonly set: (value: string) => void
}) => (
  <select
    className="input choice"
    aria-label={label}
    value={value}
    onChange={(event) => set(event.currentTarget.value)}
  >
    <option value="">{label}: any</option>
    {(options.includes(value) || value === "" ? options : [value, ...options]).map((option) => (
      <option key={option} value={option}>{option}</option>
    ))}
  </select>
)

const texts = [
  ["user", "User"],
  ["executor", "Executor"],
  ["schedule", "Schedule"],
  ["partition", "Partition key"],
  ["parent", "Children of"],
  ["forkedFrom", "Forks of"]
] as const

const More = ({ search, set }: { readonly search: WorkflowsSearch; readonly set: Set }) => {
  const queueNames = useQuery(queues).data?.map(({ name }) => name) ?? []
  const versionNames = useQuery(versions).data?.map(({ version }) => version) ?? []
  const [attribute, setAttribute] = useState("")
  return (
    <div className="card more-filters">
      <Choice
        label="Queue"
        value={search.queue?.[0] ?? ""}
        options={queueNames}
        set={(name) => set(without(search, "queue", name === "" ? undefined : [name]))}
      />
      <Choice
        label="Version"
        value={search.version?.[0] ?? ""}
        options={versionNames}
        set={(version) => set(without(search, "version", version === "" ? undefined : [version]))}
      />
      {texts.map(([key, label]) => (
        <Typed
          key={key}
          label={label}
          value={search[key] ?? ""}
          set={(value) => set(without(search, key, value === "" ? undefined : value))}
        />
      ))}
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault()
          if (attributeOf(attribute) !== undefined) {
            set({ ...search, attribute: [...(search.attribute ?? []), attribute] })
            setAttribute("")
          }
        }}
      >
        <input
          className="input grow"
          aria-label="Attribute, as key=value"
          placeholder="Attribute: key=value"
          value={attribute}
          onChange={(event) => setAttribute(event.currentTarget.value)}
        />
        <Button type="submit" disabled={attributeOf(attribute) === undefined}>Add</Button>
      </form>
      {(["from", "to"] as const).map((key) => (
        <TextField
          key={key}
          type="datetime-local"
          label={key === "from" ? "Created from" : "Created before"}
          value={search[key] === undefined ? "" : toInput(new Date(search[key]))}
          set={(text) => set(without(search, key, fromInput(text)?.toISOString()))}
        />
      ))}
      <label className="check">
        <input
          type="checkbox"
          checked={search.order === "asc"}
          onChange={(event) => set(without(search, "order", event.currentTarget.checked ? "asc" : undefined))}
        />{" "}
        Oldest first
      </label>
    </div>
  )
}

/** The restrictions, each with a way out. The status has its own chips. */
const Chosen = ({ search, set }: { readonly search: WorkflowsSearch; readonly set: Set }) => {
  const { status: _, ...shown } = search
  const entries = Object.entries(shown) as Array<[keyof WorkflowsSearch, string | ReadonlyArray<string>]>
  if (entries.length === 0) return null
  return (
    <div className="chips" role="group" aria-label="Filters in force">
      {entries.flatMap(([key, value]) =>
        (typeof value === "string" ? [value] : value).map((one) => (
          <button
            key={`${key} ${one}`}
            type="button"
            className="chip pressed"
            aria-label={`Remove the filter ${key} ${one}`}
            onClick={() => {
              const rest = typeof value === "string" ? [] : value.filter((other) => other !== one)
              set(without(search, key, (rest.length === 0 ? undefined : rest) as never))
            }}
          >
            {key}: <Text>{one}</Text> <Icon name="cross" size={12} />
          </button>
        ))
      )}
      <button type="button" className="chip" onClick={() => set({})}>Clear all</button>
    </div>
  )
}
