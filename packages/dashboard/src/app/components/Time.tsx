/** Times: relative, with the absolute one beside or on hover; and how long something took. */
import { useNow } from "../api/clock.ts"
import { absolute, duration, relative } from "../text/time.ts"

/** "3 m ago"; the title says when. */
export const Ago = ({ at }: { readonly at: Date | undefined }) => {
  const now = useNow()
  if (at === undefined) return <span className="muted">–</span>
  return <time dateTime={at.toISOString()} title={absolute(at)}>{relative(at.getTime(), now)}</time>
}

/** Both. */
export const When = ({ at }: { readonly at: Date | undefined }) => {
  if (at === undefined) return <span className="muted">–</span>
  return (
    <span className="number">
      {absolute(at)}{" "}
      <span className="muted">
        (<Ago at={at} />)
      </span>
    </span>
  )
}

/** From one time to another, or until now. */
export const Took = ({ from, to }: { readonly from: Date | undefined; readonly to: Date | undefined }) => {
  const now = useNow()
  if (from === undefined) return <span className="muted">–</span>
  const end = to === undefined ? now : to.getTime()
  return <span className="number">{duration(Math.max(0, end - from.getTime()))}</span>
}
