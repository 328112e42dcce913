/** A text as a sentence, so that another can follow: what ends in a stop, a question or an exclamation has its end already. */
export const sentence = (text: string): string => /[.?!…]$/.test(text) ? text : `${text}.`
