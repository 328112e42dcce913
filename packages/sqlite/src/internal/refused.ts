/** Thrown by an operation that finds, after its first write, that it must not be made: its writes are undone. */
import type { Answer } from "perdure/Store"

export class Refused {
  readonly answer: Answer
  constructor(answer: Answer) {
    this.answer = answer
  }
}
