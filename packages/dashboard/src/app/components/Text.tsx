/** Text of others. All that users, workflows or stores say is shown by this: as text, isolated, with nothing hidden. */
import { Fragment } from "react"
import { isPlain, partsOf, visible } from "../text/visible.ts"

export const Text = ({ children, mono = false, clip = false }: {
  readonly children: string
  readonly mono?: boolean
  readonly clip?: boolean
}) => (
  <bdi className={`text${mono ? " mono" : ""}${clip ? " clip" : ""}`} title={clip ? visible(children) : undefined}>
    {isPlain(children)
      ? children
      : partsOf(children).map((part, index) =>
        part.escaped
          ? <span key={index} className="escape">{part.text}</span>
          : <Fragment key={index}>{part.text}</Fragment>
      )}
  </bdi>
)
