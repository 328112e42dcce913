/** Figures over time as stacked bars. What they show is also said in words, for those who do not see them. */
import type { Throughput } from "@perdure/server/AdminApi"
import { absolute } from "../text/time.ts"

const parts = ["succeeded", "failed", "cancelled"] as const

/** In the bar of the time at which they were created: ends have no index in the store. */
export const Outcomes = ({ data }: { readonly data: Throughput }) => (
  <Bars
    data={data}
    label="What became of them"
    parts={parts}
    valueOf={(bucket, part) => bucket[part as (typeof parts)[number]]}
  />
)

export const Started = ({ data }: { readonly data: Throughput }) => (
  <Bars
    data={data}
    label="Started"
    parts={["created"]}
    valueOf={(bucket) => bucket.created}
  />
)

type Bucket = Throughput["buckets"][number]

const height = 72

const Bars = ({ data, label, parts, valueOf }: {
  readonly data: Throughput
  readonly label: string
  readonly parts: ReadonlyArray<string>
  readonly valueOf: (bucket: Bucket, part: string) => number
}) => {
  const sums = data.buckets.map((bucket) => parts.reduce((sum, part) => sum + valueOf(bucket, part), 0))
  const most = Math.max(1, ...sums)
  const totals = parts.map((part) =>
    [part, data.buckets.reduce((sum, bucket) => sum + valueOf(bucket, part), 0)] as const
  )
  const words = totals.map(([part, total]) => `${total.toLocaleString("en")} ${part}`).join(", ")
  return (
    <figure className="bars">
      <figcaption className="row spread">
        <h2>{label}</h2>
        <span className="row small">
          {totals.map(([part, total]) => (
            <span key={part}>
              <span className={`swatch ${part}`} aria-hidden="true" /> {total.toLocaleString("en")} {part}
            </span>
          ))}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${data.buckets.length * 10} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${label}: ${words}; at most ${most} in one bar`}
      >
        {data.buckets.map((bucket, index) => (
          <Bar key={bucket.at.getTime()} bucket={bucket} x={index * 10} most={most} parts={parts} valueOf={valueOf} />
        ))}
        <line x1="0" x2={data.buckets.length * 10} y1={height} y2={height} className="baseline" />
      </svg>
      <div className="row spread small muted number" aria-hidden="true">
        <span>{absolute(data.from)}</span>
        <span>at most {most} in {Math.round(data.bucketMs / 1000)} s</span>
        <span>{absolute(data.to)}</span>
      </div>
    </figure>
  )
}

const Bar = ({ bucket, x, most, parts, valueOf }: {
  readonly bucket: Bucket
  readonly x: number
  readonly most: number
  readonly parts: ReadonlyArray<string>
  readonly valueOf: (bucket: Bucket, part: string) => number
}) => {
  let y = height
  const title = `${absolute(bucket.at)}: ${parts.map((part) => `${valueOf(bucket, part)} ${part}`).join(", ")}`
  return (
    <g>
      <title>{title}</title>
      <rect x={x} y={0} width={10} height={height} className="bar-hit" />
      {parts.map((part) => {
        const size = (valueOf(bucket, part) / most) * (height - 2)
        y -= size
        return <rect key={part} x={x + 1} y={y} width={8} height={size} className={`bar-part ${part}`} />
      })}
    </g>
  )
}
