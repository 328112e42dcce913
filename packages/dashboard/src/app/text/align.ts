/** Two workflows side by side, step by step. Pure. */

export interface Row<A> {
  readonly left: A | undefined
  readonly right: A | undefined
  /** `same`: name, kind and outcome agree, and the value too. */
  readonly difference: "same" | "changed" | "only left" | "only right"
}

interface Step {
  readonly stepId: number
  readonly name: string
  readonly kind: string
}

/** Pairs by step id where the names agree; where they do not, both stand alone. */
export const align = <A extends Step>(
  left: ReadonlyArray<A>,
  right: ReadonlyArray<A>,
  outcome: (step: A) => string
): ReadonlyArray<Row<A>> => {
  const rows: Array<Row<A>> = []
  const byId = new Map(right.map((step) => [step.stepId, step]))
  const paired = new Set<number>()
  for (const step of left) {
    const other = byId.get(step.stepId)
    if (other === undefined || other.name !== step.name || other.kind !== step.kind) {
      rows.push({ left: step, right: undefined, difference: "only left" })
    } else {
      paired.add(step.stepId)
      const difference = outcome(step) === outcome(other) ? "same" : "changed"
      rows.push({ left: step, right: other, difference })
    }
  }
  for (const step of right) {
    if (!paired.has(step.stepId)) rows.push({ left: undefined, right: step, difference: "only right" })
  }
  return rows.sort((a, b) => idOf(a) - idOf(b))
}

const idOf = <A extends Step>(row: Row<A>): number => (row.left ?? row.right)?.stepId ?? 0
