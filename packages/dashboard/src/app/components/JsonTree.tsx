/** A value as a tree that opens and closes, with copy. Long lists come in portions, so a large value costs nothing. */
import { useState } from "react"
import { kindOf, pretty, preview } from "../text/json.ts"
import { Copy } from "./Button.tsx"
import { Icon } from "./Icon.tsx"
import { Text } from "./Text.tsx"

const portion = 100
const longText = 2000

export const JsonTree = ({ value, label, depth = 2 }: {
  readonly value: unknown
  /** What it is, for the copy button and screen readers. */
  readonly label: string
  /** So many levels are open at first. */
  readonly depth?: number
}) => (
  <div className="json" role="group" aria-label={label}>
    <div className="json-tools">
      <Copy label={`Copy ${label}`} text={() => typeof value === "string" ? value : pretty(value)} />
    </div>
    <Node value={value} open={depth} />
  </div>
)

const Node = ({ name, value, open }: { readonly name?: string; readonly value: unknown; readonly open: number }) => {
  const kind = kindOf(value)
  if (kind !== "array" && kind !== "object") {
    return (
      <div className="json-line">
        <Name name={name} />
        <Leaf value={value} />
      </div>
    )
  }
  const entries = Array.isArray(value)
    ? value.map((item, index) => [String(index), item] as const)
    : Object.entries(value as object)
  return entries.length === 0
    ? (
      <div className="json-line">
        <Name name={name} />
        <span className="muted">{kind === "array" ? "[]" : "{}"}</span>
      </div>
    )
    : <Branch name={name} kind={kind} entries={entries} open={open} value={value} />
}

const Branch = ({ name, kind, entries, open, value }: {
  readonly name: string | undefined
  readonly kind: "array" | "object"
  readonly entries: ReadonlyArray<readonly [string, unknown]>
  readonly open: number
  readonly value: unknown
}) => {
  const [isOpen, setOpen] = useState(open > 0 && entries.length <= portion)
  const [shown, setShown] = useState(portion)
  const size = kind === "array" ? `[${entries.length}]` : `{${entries.length}}`
  return (
    <div>
      <button type="button" className="json-line json-toggle" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span className="json-arrow">
          <Icon name={isOpen ? "down" : "right"} size={11} />
        </span>
        <Name name={name} />
        <span className="muted">{size}</span>
        {isOpen ? null : (
          <span className="muted clip json-preview">
            <Text>{preview(value, 80)}</Text>
          </span>
        )}
      </button>
      {isOpen
        ? (
          <div className="json-children">
            {entries.slice(0, shown).map(([key, item]) => <Node key={key} name={key} value={item} open={open - 1} />)}
            {entries.length > shown
              ? (
                <button type="button" className="link-button" onClick={() => setShown(shown + 10 * portion)}>
                  Show more: {entries.length - shown} left
                </button>
              )
              : null}
          </div>
        )
        : null}
    </div>
  )
}

const Name = ({ name }: { readonly name: string | undefined }) =>
  name === undefined ? null : (
    <span className="json-name">
      <Text>{name}</Text>:
    </span>
  )

const Leaf = ({ value }: { readonly value: unknown }) => {
  const kind = kindOf(value)
  if (kind === "string") return <LongText text={value as string} />
  return <span className={`json-${kind}`}>{kind === "nothing" ? "nothing" : String(value)}</span>
}

const LongText = ({ text }: { readonly text: string }) => {
  const [whole, setWhole] = useState(text.length <= longText)
  return (
    <span className="json-string">
      "<Text>{whole ? text : text.slice(0, longText)}</Text>"
      {whole
        ? null
        : (
          <button type="button" className="link-button" onClick={() => setWhole(true)}>
            all {text.length} characters
          </button>
        )}
    </span>
  )
}
