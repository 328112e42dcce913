/** From what flags parse to, to options: what was not given is left out. Pure. */
import * as Option from "effect/Option"

type Present<A> = { [Key in keyof A]?: A[Key] extends Option.Option<infer B> ? B : never }

/** Only the options that have a value, under their own names. */
export const given = <A extends Readonly<Record<string, Option.Option<unknown>>>>(options: A): Present<A> =>
  // `as`: the values are those of the options, one by one.
  Object.fromEntries(
    Object.entries(options).flatMap(([name, option]) => Option.isSome(option) ? [[name, option.value]] : [])
  ) as Present<A>
