/** Commands that are shown to be copied into a shell. Pure. */

const plain = /^[\w@%+:,./][\w@%+=:,./-]*$/

/** A text as one argument of a command, whatever is in it; one that begins like a flag is told from flags. */
export const argument = (text: string): string =>
  plain.test(text) ? text : `${text.startsWith("-") ? "-- " : ""}'${text.replaceAll("'", "'\\''")}'`
