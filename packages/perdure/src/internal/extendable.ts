/** Definitions that are values, and that a class may extend. */

/** The members, on a function that is a class's constructor when one is wanted. */
export const extendable = (members: object): object => Object.assign(function() {}, members)
