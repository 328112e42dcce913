/** Labelled inputs. */
import { type ComponentProps, type ReactNode, useId } from "react"

export const Field = ({ label, hint, children }: {
  readonly label: string
  readonly hint?: string | undefined
  readonly children: (id: string) => ReactNode
}) => {
  const id = useId()
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(id)}
      {hint === undefined ? null : <p className="small muted">{hint}</p>}
    </div>
  )
}

export const TextField = ({ label, hint, value, set, ...rest }:
  & Omit<ComponentProps<"input">, "value" | "onChange" | "id">
  & {
    readonly label: string
    readonly hint?: string
    readonly value: string
    readonly set: (value: string) => void
  }) => (
  <Field label={label} hint={hint}>
    {(id) => (
      <input
        autoComplete="off"
        spellCheck={false}
        {...rest}
        id={id}
        className="input"
        value={value}
        onChange={(event) => set(event.currentTarget.value)}
      />
    )}
  </Field>
)

export const Check = ({ label, checked, set }: {
  readonly label: string
  readonly checked: boolean
  readonly set: (checked: boolean) => void
}) => (
  <label className="check">
    <input type="checkbox" checked={checked} onChange={(event) => set(event.currentTarget.checked)} /> {label}
  </label>
)
