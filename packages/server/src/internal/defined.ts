/** Values of the engine say `undefined` where there is nothing; on the wire such a field is absent. */

type Optional<T> = { [K in keyof T]: undefined extends T[K] ? K : never }[keyof T]

/** The same without what is undefined. */
export type Defined<T> =
  & { readonly [K in Exclude<keyof T, Optional<T>>]: T[K] }
  & { readonly [K in Optional<T>]?: Exclude<T[K], undefined> }

/** A copy without the fields that are undefined. */
export const defined = <T extends object>(value: T): Defined<T> =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>
