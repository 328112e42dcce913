/** Dialogs: focus stays inside, Escape closes, the page behind does not move. */
import * as Ariakit from "@ariakit/react"
import { type ReactNode, useState } from "react"
import { Button } from "./Button.tsx"
import { Icon } from "./Icon.tsx"
import { Problem } from "./States.tsx"

export const Dialog = ({ title, close, children, wide = false }: {
  readonly title: string
  readonly close: () => void
  readonly children: ReactNode
  readonly wide?: boolean
}) => (
  <Ariakit.Dialog
    open
    onClose={close}
    backdrop={<div className="backdrop" />}
    className={`dialog${wide ? " wide" : ""}`}
  >
    <div className="dialog-head">
      <Ariakit.DialogHeading className="dialog-title">{title}</Ariakit.DialogHeading>
      <Ariakit.DialogDismiss className="icon-button" aria-label="Close">
        <Icon name="cross" />
      </Ariakit.DialogDismiss>
    </div>
    {children}
  </Ariakit.Dialog>
)

/** Asks before something is done, does it, and says why where it could not. */
export const Confirm = ({ title, children, act, action, danger = false, close, wide = false, ready = true }: {
  readonly title: string
  readonly children: ReactNode
  readonly action: string
  readonly act: () => Promise<unknown>
  readonly danger?: boolean
  readonly close: () => void
  readonly wide?: boolean
  readonly ready?: boolean
}) => {
  const [state, setState] = useState<{ readonly busy: boolean; readonly error: unknown }>({
    busy: false,
    error: undefined
  })
  const go = () => {
    setState({ busy: true, error: undefined })
    act().then(close, (error: unknown) => setState({ busy: false, error }))
  }
  return (
    <Dialog title={title} close={close} wide={wide}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (ready && !state.busy) go()
        }}
      >
        {children}
        {state.error === undefined ? null : <Problem error={state.error} />}
        <div className="dialog-foot">
          <Button onClick={close}>Back</Button>
          <Button type="submit" tone={danger ? "danger" : "primary"} disabled={!ready || state.busy}>
            {state.busy ? "Working…" : action}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
