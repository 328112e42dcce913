/** The input of a workflow: as a form where its schema is known, and always as JSON. */
import { useState } from "react"
import type { Field as FieldOf, Json, NamedField } from "../text/form.ts"
import { initial } from "../text/form.ts"
import { parse, pretty } from "../text/json.ts"
import { Button } from "./Button.tsx"
import { Field } from "./Field.tsx"

type Set = (value: unknown) => void

export const InputForm = ({ field, value, set, setValid, legend = "Input" }: {
  readonly field: FieldOf
  readonly value: unknown
  readonly set: Set
  readonly setValid: (valid: boolean) => void
  readonly legend?: string
}) => {
  const [asJson, setAsJson] = useState(field.kind === "json")
  const [wrong, setWrong] = useState<ReadonlySet<string>>(new Set())
  const report = (path: string, valid: boolean) => {
    const next = new Set(wrong)
    if (valid) next.delete(path)
    else next.add(path)
    setWrong(next)
    setValid(next.size === 0)
  }
  const change = () => {
    setAsJson(!asJson)
    setWrong(new Set())
    setValid(true)
  }
  return (
    <fieldset className="stack input-form">
      <legend>{legend}</legend>
      {asJson
        ? <JsonField label="JSON" path="" value={value} set={set} report={report} />
        : <One label="Value" path="" field={field} value={value} set={set} report={report} />}
      {field.kind === "json" ? null : (
        <div>
          <Button tone="quiet" onClick={change}>{asJson ? "Edit as a form" : "Edit as JSON"}</Button>
        </div>
      )}
    </fieldset>
  )
}

interface Props {
  readonly label: string
  readonly hint?: string | undefined
  readonly field: FieldOf
  readonly value: unknown
  readonly set: Set
  /** Says of a field, by its path, whether what is typed there makes sense. */
  readonly report: (path: string, valid: boolean) => void
  readonly path: string
}

const One = (props: Props) => {
  const { field, hint, label, set, value } = props
  switch (field.kind) {
    case "object":
      return <Fields {...props} fields={field.fields} />
    case "boolean":
      return (
        <label className="check">
          <input type="checkbox" checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />{" "}
          {label}
        </label>
      )
    case "choice":
      return (
        <Field label={label} hint={hint}>
          {(id) => (
            <select
              id={id}
              className="input"
              value={String(field.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(value)))}
              onChange={(event) => set(field.options[Number(event.currentTarget.value)])}
            >
              {field.options.map((option, index) => (
                <option key={index} value={index}>
                  {typeof option === "string" ? option : JSON.stringify(option)}
                </option>
              ))}
            </select>
          )}
        </Field>
      )
    case "text":
      return typeof value === "string" || value === undefined
        ? (
          <Field label={label} hint={hint}>
            {(id) => (
              <input
                id={id}
                className="input"
                autoComplete="off"
                value={value ?? ""}
                onChange={(event) => set(event.currentTarget.value)}
              />
            )}
          </Field>
        )
        : <JsonField {...props} />
    case "number":
    case "integer":
      return typeof value === "number" || value === undefined ? <NumberField {...props} /> : <JsonField {...props} />
    case "list":
      return Array.isArray(value) || value === undefined
        ? <List {...props} item={field.item} />
        : <JsonField {...props} />
    case "json":
      return <JsonField {...props} />
  }
}

const NumberField = ({ label, hint, field, path, value, set, report }: Props) => {
  const [text, setText] = useState(value === undefined ? "" : String(value))
  return (
    <Field label={label} hint={hint}>
      {(id) => (
        <input
          id={id}
          className="input"
          inputMode="decimal"
          value={text}
          aria-invalid={!fine(text, field)}
          onChange={(event) => {
            const next = event.currentTarget.value
            setText(next)
            report(path, fine(next, field))
            if (fine(next, field)) set(Number(next))
          }}
        />
      )}
    </Field>
  )
}

const fine = (text: string, field: FieldOf): boolean =>
  text.trim() !== "" && (field.kind === "integer" ? Number.isSafeInteger(Number(text)) : Number.isFinite(Number(text)))

const Fields = (
  { label, fields, path, value, set, report }: Props & { readonly fields: ReadonlyArray<NamedField> }
) => {
  const object = (typeof value === "object" && value !== null && !Array.isArray(value) ? value : {}) as Record<
    string,
    unknown
  >
  const change = (name: string, next: unknown) => {
    const entries = new Map(Object.entries(object))
    if (next === undefined) entries.delete(name)
    else entries.set(name, next)
    set(Object.fromEntries(entries))
  }
  return (
    <div className="stack form-object" role="group" aria-label={label}>
      {fields.map(({ field, hint, name, required }) => {
        const present = Object.hasOwn(object, name)
        const own = present ? object[name] : undefined
        if (!present && !required) {
          return (
            <div key={name}>
              <Button tone="quiet" onClick={() => change(name, initial(field))}>Add {name}</Button>
            </div>
          )
        }
        return (
          <div key={name} className="form-field">
            {field.kind === "object" ? <h3>{name}</h3> : null}
            <One
              label={name}
              hint={hint}
              path={`${path}/${name}`}
              field={field}
              value={own}
              set={(next) => change(name, next)}
              report={report}
            />
            {required ? null : <Button tone="quiet" onClick={() => change(name, undefined)}>Leave out {name}</Button>}
          </div>
        )
      })}
    </div>
  )
}

const List = ({ label, item, path, value, set, report }: Props & { readonly item: FieldOf }) => {
  const items: ReadonlyArray<unknown> = Array.isArray(value) ? value : []
  return (
    <div className="stack form-object" role="group" aria-label={label}>
      <h3>{label}</h3>
      {items.map((own, index) => (
        // What an item is, is its place: nothing else tells two of them apart.
        // oxlint-disable-next-line react/no-array-index-key
        <div key={`${index} of ${items.length}`} className="form-item">
          <One
            label={`${label} ${index + 1}`}
            path={`${path}/${index}`}
            field={item}
            value={own}
            set={(next) => set(items.with(index, next))}
            report={report}
          />
          <Button tone="quiet" onClick={() => set(items.toSpliced(index, 1))}>Remove {label} {index + 1}</Button>
        </div>
      ))}
      <div>
        <Button onClick={() => set([...items, initial(item)])}>Add to {label}</Button>
      </div>
    </div>
  )
}

/** Counts only while it is JSON; says where it is not. */
const JsonField = ({ label, hint, path, value, set, report }: Omit<Props, "field">) => {
  const [text, setText] = useState(value === undefined ? "" : pretty(value))
  const parsed = text.trim() === "" ? { value: undefined } : parse(text)
  const change = (next: string) => {
    setText(next)
    const read = next.trim() === "" ? { value: undefined } : parse(next)
    report(path, !("problem" in read))
    if (!("problem" in read)) set(read.value as Json | undefined)
  }
  return (
    <Field label={label} hint={hint}>
      {(id) => (
        <>
          <textarea
            id={id}
            className="input mono json-input"
            spellCheck={false}
            rows={Math.min(16, Math.max(3, text.split("\n").length))}
            value={text}
            aria-invalid={"problem" in parsed}
            onChange={(event) => change(event.currentTarget.value)}
          />
          {"problem" in parsed ? <p className="small bad-text" role="alert">{parsed.problem}</p> : null}
        </>
      )}
    </Field>
  )
}
