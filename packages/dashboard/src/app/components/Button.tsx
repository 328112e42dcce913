/** Buttons, and what is copied by one. */
import { type ComponentProps, useEffect, useState } from "react"
import { Icon } from "./Icon.tsx"

type Tone = "plain" | "primary" | "danger" | "quiet"

export const Button = (
  { tone = "plain", className = "", ...rest }: ComponentProps<"button"> & { readonly tone?: Tone }
) => (
  <button type="button" {...rest} className={`button ${tone} ${className}`} />
)

/** Copies a text, and says so. */
export const Copy = ({ text, label }: { readonly text: string | (() => string); readonly label: string }) => {
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle")
  useEffect(() => {
    if (state === "idle") return
    const timer = setTimeout(() => setState("idle"), 1500)
    return () => clearTimeout(timer)
  }, [state])
  const copy = () =>
    copyText(typeof text === "string" ? text : text()).then(() => setState("copied"), () => setState("failed"))
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} onClick={() => void copy()}>
      <Icon name={state === "copied" ? "check" : state === "failed" ? "alert" : "copy"} />
      <span className="hidden-label" role="status">{state === "copied" ? "Copied" : ""}</span>
    </button>
  )
}

/** The clipboard is there on secure origins and loopback only; elsewhere the old way still works. */
const copyText = async (text: string): Promise<void> => {
  if (navigator.clipboard !== undefined) {
    try {
      return await navigator.clipboard.writeText(text)
    } catch {
      // Not allowed here: the other way.
    }
  }
  const area = document.createElement("textarea")
  area.value = text
  area.className = "hidden-label"
  document.body.append(area)
  area.select()
  const copied = document.execCommand("copy")
  area.remove()
  if (!copied) throw new Error("The browser does not allow it.")
}
