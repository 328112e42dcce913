/**
 * What has come in for one workflow that runs here, and who waits for it: by topic, first asked, first served.
 *
 * Only the owner consumes, so a message that was read once may be handed out whenever it is asked for. What was handed
 * out is not handed out again, though the store shows it until its record is written; what nobody wanted after all is
 * put back in its place.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { MessageRow, StoreError, StoreService } from "../Store.ts"

/** Somebody who waits for a message. */
export interface Receiver {
  readonly topic: string
  /** A message that was sent later is not for this receiver. */
  readonly until: number
  /**
   * When it asked, if it asks for the first time. What it finds at its first look was there before it waited, whatever the
   * time of sending: this process's idea of the database's clock may be behind.
   */
  readonly since: number | undefined
  /** When to give up, on the database's clock; undefined: never. */
  readonly due: number | undefined
  /** `undefined`: there was none in time. */
  readonly tell: (message: MessageRow | undefined) => void
  /** There is none for now. */
  readonly waits: () => void
}

interface Topic {
  /** In the order asked. */
  readonly receivers: Array<Receiver>
  /** In the order of their arrival, not handed out. */
  readonly messages: Array<MessageRow>
  /** Handed out; the store may still show them. */
  readonly handed: Set<number>
  /** How much had come in before the look that found no more than `messages`; undefined: there may be more. */
  seenAt: number | undefined
}

/** What surrounds the inbox of a workflow. */
export interface InboxHost {
  readonly messages: StoreService["messages"]
  readonly now: () => number
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Somebody waits at this inbox now. */
  readonly opened: (inbox: Inbox) => void
  /** Nobody waits at it any more. */
  readonly closed: (inbox: Inbox) => void
  /** Finds out soon how much has come in, together with others, and calls {@link Inbox.counted}. */
  readonly count: (inbox: Inbox) => void
}

/** The inbox of the workflow that the current fiber is the body of. */
export const CurrentInbox = Context.Reference<Inbox | undefined>("perdure/CurrentInbox", {
  defaultValue: () => undefined
})

/** Messages of one look, beside those that it shows again. */
const page = 100

export class Inbox {
  readonly workflowId: string
  /** At least so much has come in for the workflow. */
  private count: number
  private readonly topics = new Map<string, Topic>()
  /** Those who have found nothing at a look that began after they asked. */
  private readonly looked = new WeakSet<Receiver>()
  private waiting = 0
  private looking = false
  private again = false
  private readonly host: InboxHost

  constructor(workflowId: string, count: number, host: InboxHost) {
    this.workflowId = workflowId
    this.count = count
    this.host = host
  }

  /** How much had come in when there was nothing for those who wait: the workflow may be suspended on that count. */
  get seen(): number {
    let seen = this.count
    for (const topic of this.topics.values()) {
      if (topic.receivers.length > 0) seen = Math.min(seen, topic.seenAt ?? 0)
    }
    return seen
  }

  /** Waits for a message. Returns how to stop waiting. */
  receive(receiver: Receiver): () => void {
    const topic = this.topicOf(receiver.topic)
    topic.receivers.push(receiver)
    if (this.waiting++ === 0) this.host.opened(this)
    this.serve(topic, undefined)
    if (topic.receivers.includes(receiver)) this.lookOrCount(topic)
    return () => {
      if (remove(topic.receivers, receiver)) this.left()
    }
  }

  /** A message that was handed out is not wanted any more. */
  giveBack(message: MessageRow): void {
    const topic = this.topicOf(message.topic)
    if (!topic.handed.delete(message.seq)) return
    topic.messages.push(message)
    topic.messages.sort(bySeq)
    this.serve(topic, undefined)
  }

  /** The time of some receiver has come: it gives up if nothing has come in by now. */
  recount(): void {
    this.host.count(this)
  }

  /** So much had come in at the time `asked` or later. */
  counted(count: number, asked: number): void {
    this.count = Math.max(this.count, count)
    if ([...this.topics.values()].some((topic) => topic.receivers.length > 0 && this.isBehind(topic))) {
      return this.look()
    }
    for (const topic of this.topics.values()) this.serve(topic, asked)
  }

  /** Reads what is waited for. A look that fails is repeated after the next count. */
  look(): void {
    if (this.looking) {
      this.again = true
      return
    }
    const wanted = [...this.topics].filter(([, topic]) => topic.receivers.length > 0 && topic.messages.length === 0)
    if (wanted.length === 0) return
    this.looking = true
    const asked = this.host.now()
    const { count } = this
    this.host.fork(
      Effect.forEach(wanted, ([name, topic]) => this.read(name, topic, count, asked), { discard: true }).pipe(
        Effect.exit,
        Effect.andThen(Effect.sync(() => {
          this.looking = false
          const again = this.again
          this.again = false
          if (again) this.look()
        }))
      )
    )
  }

  private read(name: string, topic: Topic, count: number, asked: number): Effect.Effect<void, StoreError> {
    const limit = page + topic.handed.size
    return Effect.map(this.host.messages(this.workflowId, { topic: name, limit }), (found) => {
      const all = found.length < limit
      const last = all ? Infinity : found[found.length - 1].seq
      const shown = new Set(found.map(({ seq }) => seq))
      // What is not shown any more is consumed, and no later look shows it again.
      for (const seq of topic.handed) if (seq <= last && !shown.has(seq)) topic.handed.delete(seq)
      const known = new Set(topic.messages.map(({ seq }) => seq))
      topic.messages.push(...found.filter(({ seq }) => !topic.handed.has(seq) && !known.has(seq)))
      topic.messages.sort(bySeq)
      topic.seenAt = all ? count : undefined
      this.serve(topic, asked)
      if (!all && topic.receivers.length > 0) this.again = true
    })
  }

  /** Hands out what is there. `asked`: nothing else had come by then, so who had until then gives up. */
  private serve(topic: Topic, asked: number | undefined): void {
    while (topic.receivers.length > 0 && topic.messages.length > 0) {
      const receiver = topic.receivers.shift()!
      this.left()
      const message = this.isInTime(topic.messages[0], receiver) ? topic.messages.shift()! : undefined
      if (message !== undefined) topic.handed.add(message.seq)
      receiver.tell(message)
    }
    if (asked === undefined || topic.seenAt === undefined) return
    for (const receiver of topic.receivers.slice()) {
      const since = receiver.since ?? -Infinity
      if (since < asked) this.looked.add(receiver)
      if (receiver.due === undefined || receiver.due > asked || since > asked) receiver.waits()
      else if (remove(topic.receivers, receiver)) {
        this.left()
        receiver.tell(undefined)
      }
    }
  }

  /**
   * At the first look what is there was there before, whatever the time of sending, to whoever asks for the first time. To one
   * who asked before the executor was lost only what the workflow itself had sent, which is recorded as sent before.
   */
  private isInTime({ senderId, sentAt }: MessageRow, receiver: Receiver): boolean {
    if (sentAt <= receiver.until) return true
    return !this.looked.has(receiver) && (receiver.since !== undefined || senderId === this.workflowId)
  }

  private lookOrCount(topic: Topic): void {
    if (this.isBehind(topic)) this.look()
    else this.host.count(this)
  }

  private isBehind(topic: Topic): boolean {
    return topic.seenAt === undefined || topic.seenAt < this.count
  }

  private left(): void {
    if (--this.waiting === 0) this.host.closed(this)
  }

  private topicOf(name: string): Topic {
    const known = this.topics.get(name)
    if (known !== undefined) return known
    const topic: Topic = { receivers: [], messages: [], handed: new Set(), seenAt: undefined }
    this.topics.set(name, topic)
    return topic
  }
}

const bySeq = (a: MessageRow, b: MessageRow): number => a.seq - b.seq

const remove = <A>(items: Array<A>, item: A): boolean => {
  const index = items.indexOf(item)
  if (index >= 0) items.splice(index, 1)
  return index >= 0
}
