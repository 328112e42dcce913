/**
 * Groups of rows that a flush gets as two arrays each, numbers and texts, column after column: a function has at most a
 * hundred parameters. One definition for who writes them (`internal/telling.ts`) and who reads them (the functions).
 *
 * - `m` messages: `part` is the position in the operation's sends, `dest` the position (from 1) in `d_id`
 * - `c` messages that are consumed
 * - `e` events: `n` counts the sets of one key in one operation from 0, `last` is 1 for the one that counts
 * - `g` streams that an operation appends to, each with the key of the last entry that it appends
 * - `x` entries: `grp` is the position (from 1) of their stream in `g`, `n` that in the operation's entries of it
 * - `u` attempts of steps that supersede what was written to streams before
 */
export const groups = {
  m: { numbers: ["op", "part", "dest"], texts: ["target", "message_id", "topic", "payload", "codec", "sender"] },
  c: { numbers: ["op", "seq", "step"], texts: ["id"] },
  e: { numbers: ["op", "epoch", "step", "n", "last"], texts: ["id", "key", "value", "codec"] },
  g: { numbers: ["op", "epoch", "step", "attempt", "number"], texts: ["id", "key"] },
  x: {
    numbers: ["op", "grp", "n", "epoch", "step", "attempt", "number"],
    texts: ["id", "key", "value", "codec"]
  },
  u: { numbers: ["op", "epoch", "step", "attempt"], texts: ["id"] }
} as const

export type GroupName = keyof typeof groups

export const groupNames = Object.keys(groups) as ReadonlyArray<GroupName>

/** Their parameters, in order. */
export const groupParameters: ReadonlyArray<readonly [string, "double precision[]" | "text[]"]> = groupNames.flatMap((
  name
) => [[`${name}_n`, "double precision[]"] as const, [`${name}_t`, "text[]"] as const])

/** How many rows each has: variables `v_m`, `v_c`, ... */
export const groupCounts: string = groupNames.map((name) =>
  `  v_${name} integer := cardinality(${name}_n) / ${groups[name].numbers.length};`
).join("\n")

/** The rows of a group, under its name. */
export const rowsOf = (name: GroupName): string => {
  const { numbers, texts } = groups[name]
  const columns = (array: string, names: ReadonlyArray<string>) =>
    names.map((_, i) => `${name}_${array}[${i} * v_${name} + 1:${i + 1} * v_${name}]`)
  return `unnest(${[...columns("n", numbers), ...columns("t", texts)].join(", ")})
        AS ${name}(${[...numbers, ...texts].join(", ")})`
}
