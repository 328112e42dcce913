/** What is said between the parent and the processes of an engine. */

export interface Asked {
  readonly id: number
  readonly part: string
  readonly args: object
}

export type Said =
  | { readonly tag: "ready"; readonly abilities: ReadonlyArray<string> }
  | { readonly tag: "answer"; readonly id: number; readonly value: unknown }
  | { readonly tag: "failure"; readonly id: number; readonly message: string }

/** Asked for as any other part: closes the engine and ends the process. */
export const closing = "close"
