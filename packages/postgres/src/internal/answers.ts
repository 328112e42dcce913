/** What a flush returned, as answers. */
import type { Answer, HeldChild, Operation, SendRefusal, StartAnswer } from "perdure/Store"

const started: StartAnswer = { _tag: "Started" }

const plainAnswer = (operation: Operation): Answer =>
  operation._tag === "Start"
    ? started
    : operation._tag === "Deliver"
    ? { _tag: "Delivered" }
    : operation._tag === "StartMany"
    ? { _tag: "StartedMany", starts: operation.starts.map(() => started) }
    : { _tag: "Recorded", children: operation.children.map(() => started) }

/** Fills in what the function had to say about operations that did not go the plain way. */
export const decode = (
  operations: ReadonlyArray<Operation>,
  rows: ReadonlyArray<ReadonlyArray<unknown>>
): Array<Answer> => {
  const answers = operations.map(plainAnswer)
  const held: Array<{ readonly at: number; child: HeldChild }> = []
  for (const [op, part, tag, name, same, inbox] of rows) {
    const at = Number(op)
    switch (tag) {
      case "Busy":
      case "Fenced":
        answers[at] = { _tag: tag }
        break
      case "Stirred":
        answers[at] = { _tag: "Stirred", inbox: Number(inbox) }
        break
      case "SendRefused":
        answers[at] = { _tag: "SendRefused", index: Number(part), why: name as SendRefusal }
        break
      case "NoQueue":
        answers[at] = { _tag: "NoQueue", index: Number(part), queue: String(name) }
        break
      case "Duplicate":
        answers[at] = { _tag: "Duplicate", workflowId: String(name), name: "" }
        break
      case "ChildDuplicate":
        held.push({
          at,
          child: { index: Number(part), workflowId: name as string | null, name: null, movable: same === true }
        })
        break
      // the name of who has the deduplication id, in a row after the one that tells its id
      case "Holder": {
        const answer = answers[at]!
        if (answer._tag === "Duplicate") answers[at] = { ...answer, name: String(name) }
        else {
          const last = held.at(-1)!
          last.child = { ...last.child, name: name as string | null }
        }
        break
      }
      case "ChildConflict":
        answers[at] = { _tag: "ChildConflict", index: Number(part), name: String(name) }
        break
      case "Exists":
      case "Debounced": {
        const exists: StartAnswer = tag === "Exists"
          ? { _tag: "Exists", same: same === true, name: String(name) }
          : { _tag: "Debounced", workflowId: String(name) }
        const answer = answers[at]!
        if (part === null) answers[at] = exists
        else if (answer._tag === "Recorded") {
          answers[at] = { _tag: "Recorded", children: answer.children.with(Number(part), exists) }
        }
        break
      }
    }
  }
  for (const { at, child } of held) {
    const first = answers[at]!
    answers[at] = first._tag === "ChildDuplicate"
      ? { ...first, more: [...first.more ?? [], child] }
      : { _tag: "ChildDuplicate", ...child }
  }
  return answers
}
