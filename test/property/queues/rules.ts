/**
 * What must hold of every history of queues. It knows nothing of a store or an engine: it sweeps over what was observed.
 *
 * Where calls overlap, only what is certain counts: a workflow certainly runs from the answer to the claim that took it
 * until somebody asks for what ends that, and it certainly waits from the answer to its enqueue until a claim that took it
 * was asked for. A claim that no other call overlaps is *alone*, and of it everything is known.
 *
 * - **Limits.** When a claim admits, those that certainly have a place in the queue, in its partition, or in the memory of
 *   that executor are no more than the limit allows, as it may have been at that time.
 * - **Rates.** In the period before each admission there were no more admissions than the limit, of those that were made
 *   while the queue had one, and has had one since. To wake, or to be admitted before there was a limit, is none.
 * - **Order.** Nothing is admitted while something of the same queue and partition certainly waited all the time that
 *   certainly comes before it (priority, then arrival; with ageing `arrival - priority * ageing`) and could have been
 *   taken: outside of partitions, of a name that the executor serves. A claim that is alone also keeps the order between
 *   the first ones of partitions.
 * - **Use.** A claim that is alone, and takes less than it may, leaves nothing that it could take; and it tells when the
 *   first thing comes that only needs time, which is not over: else its executor would claim without end.
 * - **Once.** Nothing is taken that is in memory elsewhere or has ended; no write of an owner is refused for no reason.
 * - **Deduplication.** No two workflows with one id are active in a queue; who is named as its holder may have been.
 * - **End.** Everything that was accepted has ended as often as it began: once, and once more for each cancel undone.
 */
import type { QueueLimits } from "perdure/Store"
import type { Claimed, Enqueued, Fact, Span } from "./history.ts"

type Claim = Claimed & Span
type Birth = Enqueued & Span
type Kind = Fact["_tag"]

/** What is wrong with a history; empty: nothing. */
export const violations = (facts: ReadonlyArray<Fact>): ReadonlyArray<string> => {
  const known = new Known(facts)
  return [
    ...known.claims.flatMap((claim) => [
      ...limitsKept(known, claim),
      ...ratesKept(known, claim),
      ...orderKept(known, claim),
      ...takenOnce(known, claim),
      ...(known.isAlone(claim) ? roomUsed(known, claim) : [])
    ]),
    ...refusedForAReason(known),
    ...oneOfEach(known),
    ...allEnded(known)
  ]
}

// -----------------------------------------------------------------------------
// what is known
// -----------------------------------------------------------------------------

const overlap = (a: Span, b: Span): boolean => a.from < b.to && b.from < a.to
/** Of one workflow. Where they overlap, what lets it be taken came before it was taken. */
const isLater = (a: Fact, b: Fact): boolean => {
  if (!overlap(a, b)) return a.from > b.from
  const stage = ({ _tag }: Fact) => _tag === "Enqueued" ? 0 : ["Resumed", "PutBack", "Lost"].includes(_tag) ? 1 : 2
  return stage(a) === stage(b) ? a.to > b.to : stage(a) > stage(b)
}
/** Of one workflow. What overlaps the claim that took it, and could only come after that: its end, and who took it next. */
const follows = (f: Fact, claim: Claim): boolean =>
  overlap(f, claim) && (f._tag === "Ended" || f._tag === "Parked" || (f._tag === "Claimed" && f.to > claim.to))
const covers = (a: Span, b: Span): boolean => a.from <= b.from && b.to <= a.to

const leavesQueue: ReadonlyArray<Kind> = ["Ended", "PutBack", "Lost", "Parked"]
const leavesMemory: ReadonlyArray<Kind> = [...leavesQueue, "Suspended"]

/** All the time in which the claim may have taken what it took. */
const made = (claim: Claim): Span => ({ from: claim.since ?? claim.from, to: claim.to })

class Known {
  readonly claims: ReadonlyArray<Claim>
  readonly births: ReadonlyMap<string, Birth>
  /** Of each workflow what happened to it, in the order of the answers. */
  readonly of: ReadonlyMap<string, ReadonlyArray<Fact>>
  readonly facts: ReadonlyArray<Fact>

  constructor(facts: ReadonlyArray<Fact>) {
    this.facts = facts
    const of = new Map<string, Array<Fact>>()
    const births = new Map<string, Birth>()
    for (const fact of facts) {
      if (fact._tag === "Enqueued") births.set(fact.id, fact)
      for (const id of "took" in fact ? fact.took : "id" in fact ? [fact.id] : []) {
        of.set(id, [...of.get(id) ?? [], fact])
      }
    }
    this.of = of
    this.births = births
    this.claims = facts.filter((fact): fact is Claim => fact._tag === "Claimed")
  }

  isAlone(claim: Claim): boolean {
    return !claim.contended && this.facts.every((fact) => fact === claim || !overlap(fact, claim))
  }

  /** When the workflow was certainly in what facts of `enters` bring it into, and those of `leaves` out of. */
  spans(id: string, enters: ReadonlyArray<Kind>, leaves: ReadonlyArray<Kind>): ReadonlyArray<Span & { by: Fact }> {
    const facts = this.of.get(id) ?? []
    return facts.filter(({ _tag }) => enters.includes(_tag)).map((by) => ({
      by,
      from: by.to,
      to: Math.min(
        ...facts.filter((f) => f !== by && leaves.includes(f._tag) && f.to > by.from).map(({ from }) => from)
      )
    })).filter(({ from, to }) => from < to)
  }

  placed(id: string, at: number): boolean {
    return this.spans(id, ["Claimed"], leavesQueue).some(({ from, to }) => from <= at && at < to)
  }

  inMemory(id: string, at: number, executor: string): boolean {
    return this.spans(id, ["Claimed"], leavesMemory)
      .some(({ by, from, to }) => (by as Claim).executor === executor && from <= at && at < to)
  }

  /** Whether the claim admits it to its queue; else it was there, suspended. */
  admits(claim: Claim, id: string): boolean {
    return this.last(id, (f) => f !== claim && f.from < claim.to && !follows(f, claim))?._tag !== "Suspended"
  }

  /** The last of those facts that say where the workflow is. */
  private last(id: string, which: (fact: Fact) => boolean): Fact | undefined {
    return this.of.get(id)!
      .filter((f) => !["Priority", "Touched", "Refused", "Awoken"].includes(f._tag) && which(f))
      .reduce<Fact | undefined>((last, f) => last === undefined || isLater(f, last) ? f : last, undefined)
  }

  /** Of facts that replace one another those that may have counted during the span. */
  private counting<F extends Fact>(facts: ReadonlyArray<F>, during: Span): ReadonlyArray<F> {
    return facts.filter((f) =>
      f.from < during.to && !facts.some((later) => later.from > f.to && later.to < during.from)
    )
  }

  limits(queue: string, during: Span): ReadonlyArray<QueueLimits> {
    const facts = this.facts.filter((f) => f._tag === "Limits" && f.queue === queue) as Array<Fact & { _tag: "Limits" }>
    return this.counting(facts, during).map(({ limits }) => limits)
  }

  /** undefined: not known, since it may have changed. */
  ageing(queue: string, during: Span): number | null | undefined {
    return one([...new Set(this.limits(queue, during).map(({ ageingMs }) => ageingMs))])
  }

  paused(queue: string, during: Span): ReadonlyArray<boolean> {
    const facts = this.facts.filter((f) => f._tag === "Paused" && f.queue === queue) as Array<Fact & { _tag: "Paused" }>
    const counting = this.counting(facts, during)
    return counting.some((f) => f.to < during.from) ?
      counting.map(({ paused }) => paused)
      : [false, ...counting.map(({ paused }) => paused)]
  }

  priority(id: string, during: Span): number | undefined {
    const birth = this.births.get(id)!
    const facts = this.of.get(id)!.filter((f) => f._tag === "Priority") as Array<Fact & { _tag: "Priority" }>
    const counting = this.counting<Fact & { priority: number }>([birth, ...facts], during)
    return counting.length === 1 ? counting[0]!.priority : undefined
  }

  /** In whose memory it was last. */
  ownerAfter(id: string, claim: Claim): string | undefined {
    const last = this.last(id, (f) => f.to <= claim.to)
    return last?._tag === "Claimed" ? last.executor : undefined
  }

  /** As it was right after a claim that is alone. */
  stateAfter(id: string, claim: Claim): State {
    const last = this.last(id, (f) => f.to <= claim.to)
    switch (last?._tag) {
      case undefined:
      case "Lost":
        return "none"
      case "Enqueued":
        return last.at + last.delayMs <= claim.at
          ? "waiting"
          : last.at + last.delayMs > claim.until
          ? "delayed"
          : "none"
      case "PutBack":
      case "Resumed":
        return "waiting"
      case "Claimed":
        return "memory"
      case "Suspended":
        return this.of.get(id)!.some((f) => f._tag === "Awoken" && f.from > last.from && f.to <= claim.to)
          ? "due"
          : "suspended"
      case "Parked":
        return "parked"
      default:
        return "ended"
    }
  }
}

type State = "none" | "delayed" | "waiting" | "memory" | "suspended" | "due" | "parked" | "ended"

const most = (limits: ReadonlyArray<number | null | undefined>): number =>
  Math.max(...limits.map((limit) => limit ?? Infinity))

const one = <A>(items: ReadonlyArray<A>): A | undefined => items.length === 1 ? items[0] : undefined

// -----------------------------------------------------------------------------
// limits, rates
// -----------------------------------------------------------------------------

const limitsKept = (known: Known, claim: Claim): ReadonlyArray<string> =>
  claim.took.flatMap((id) => {
    const { partitionKey, queue } = known.births.get(id)!
    const limits = known.limits(queue, made(claim))
    const mates = [...known.births.values()].filter((birth) => birth.queue === queue)
    const kin = mates.filter((birth) => birth.partitionKey === partitionKey)
    const placed = (of: ReadonlyArray<Birth>) => of.filter((birth) => known.placed(birth.id, claim.to)).length
    const own = (of: ReadonlyArray<Birth>) =>
      of.filter((birth) => known.inMemory(birth.id, claim.to, claim.executor)).length
    const over = (what: string, count: number, limit: number) =>
      count > limit ? [`${queue}: ${count} ${what}, of at most ${limit}, when ${claim.executor} took ${id}`] : []
    return [
      ...over("in memory of one executor", own(mates), most(limits.map((l) => l.executorConcurrency))),
      ...partitionKey === null ? [] : over(
        `of ${partitionKey} in memory of one executor`,
        own(kin),
        most(limits.map((l) => l.partitioned?.executorConcurrency))
      ),
      ...known.admits(claim, id) ? over("running", placed(mates), most(limits.map((l) => l.concurrency))) : [],
      ...known.admits(claim, id) && partitionKey !== null
        ? over(`of ${partitionKey} running`, placed(kin), most(limits.map((l) => l.partitioned?.concurrency)))
        : [],
      ...known.admits(claim, id) && known.paused(queue, made(claim)).every((paused) => paused)
        ? [`${queue}: ${id} was admitted in a pause`]
        : []
    ]
  })

type RateOf = (limits: QueueLimits) => QueueLimits["rateLimit"]
const ofQueue: RateOf = (limits) => limits.rateLimit
const ofPartition: RateOf = (limits) => limits.partitioned?.rateLimit ?? null

/**
 * The claims of admissions that the rate limit counts, up to this one: certainly, or (`maybe`) those that it may count. A
 * rate that was taken away meanwhile, and given back, may have forgotten them: PostgreSQL keeps starts for as long as the
 * longest rate that the queue has at the time.
 */
const counted = (known: Known, rateOf: RateOf, queue: string, key: string | undefined, until: Claim, maybe = false) =>
  known.claims
    .filter((claim) => {
      const rates = (span: Span) => known.limits(queue, span).map(rateOf)
      return claim.to <= until.to && (maybe
        ? rates(made(claim)).some((rate) => rate !== null)
        : rates({ ...made(claim), to: until.to }).every((rate) => rate !== null))
    })
    .flatMap((claim) =>
      claim.took.filter((id) => {
        const birth = known.births.get(id)!
        return birth.queue === queue && (key === undefined || birth.partitionKey === key) && known.admits(claim, id)
      }).map(() => claim)
    )

const ratesKept = (known: Known, claim: Claim): ReadonlyArray<string> =>
  claim.took.filter((id) => known.admits(claim, id)).flatMap((id) => {
    const { partitionKey, queue } = known.births.get(id)!
    const broken = (rateOf: RateOf, key: string | undefined) => {
      const rates = known.limits(queue, made(claim)).map(rateOf)
      if (rates.some((rate) => rate === null)) return []
      const limit = Math.max(...rates.map((rate) => rate!.limit))
      const period = Math.min(...rates.map((rate) => rate!.periodMs))
      const starts = counted(known, rateOf, queue, key, claim)
        .filter(({ at, until }) => at > claim.until - period && until <= claim.until)
      return starts.length > limit
        ? [
          `${queue}: ${starts.length} starts${
            key === undefined ? "" : ` of ${key}`
          } in ${period} ms, of at most ${limit}`
        ]
        : []
    }
    return [...broken(ofQueue, undefined), ...partitionKey === null ? [] : broken(ofPartition, partitionKey)]
  })

// -----------------------------------------------------------------------------
// order
// -----------------------------------------------------------------------------

const orderKept = (known: Known, claim: Claim): ReadonlyArray<string> =>
  // Where claims are not seen, nobody knows how long anything waited: see `startsOutOfOrder`.
  claim.since !== undefined ? [] : claim.took.filter((id) => known.admits(claim, id)).flatMap((id) => {
    const { partitionKey, queue } = known.births.get(id)!
    return [...known.births.values()]
      .filter((birth) =>
        birth.id !== id && birth.queue === queue && birth.partitionKey === partitionKey
        && (partitionKey !== null || claim.names.includes(birth.name))
        && waitedThroughout(known, birth, claim)
        && isBefore(known, birth.id, id, claim)
      )
      .map((birth) => `${queue}: ${id} was admitted before ${birth.id}, which waited`)
  })

/**
 * Where one executor claims, and nobody sees when: of two that nothing was done to but to enqueue them, the one that comes
 * first was not claimed later, by the database's clock. (Not of delayed ones: until somebody looks they come before nobody.)
 */
export const startsOutOfOrder = (
  facts: ReadonlyArray<Fact>,
  startedAt: ReadonlyMap<string, number>
): ReadonlyArray<string> => {
  const known = new Known(facts)
  const changed = new Set(
    facts.flatMap((fact) =>
      fact._tag === "Limits" || fact._tag === "Paused"
        ? []
        : "id" in fact && !untouched.includes(fact._tag)
        ? [fact.id]
        : []
    )
  )
  const births = [...known.births.values()].filter((birth) =>
    startedAt.has(birth.id) && !changed.has(birth.id) && birth.delayMs === 0
  )
  const end = { from: Infinity, to: Infinity } as Claim
  return births.flatMap((left) =>
    births.filter((right) =>
      left.queue === right.queue && left.partitionKey === right.partitionKey
      && startedAt.get(left.id)! > startedAt.get(right.id)! && left.at <= startedAt.get(right.id)!
      && (left.to < right.from || left.from === right.from) && known.limits(left.queue, always).length === 1
      && isBefore(known, left.id, right.id, end)
    ).map((right) => `${left.queue}: ${right.id} was started before ${left.id}, which waited`)
  )
}

const untouched: ReadonlyArray<Kind> = ["Enqueued", "Suspended", "Awoken", "Ended"]
const always: Span = { from: 0, to: Infinity }

/** A delayed one waits once a claim has let it, and one that does so at the same time is not done with it. */
const waitedThroughout = (known: Known, birth: Birth, claim: Claim): boolean =>
  !known.of.get(birth.id)!.some((f) => f._tag === "Touched" && overlap(f, claim))
  && known.spans(birth.id, ["Enqueued", "PutBack", "Resumed"], ["Claimed", "Ended"]).some((span) =>
    covers(span, claim)
    && (span.by._tag !== "Enqueued" || span.by.delayMs === 0
      || span.by.at + span.by.delayMs <= claim.at
        && known.claims.every((other) => other === claim || !overlap(other, claim)))
  )

/** Whether, at the time of the claim, one certainly comes before the other in the order of their queue. */
const isBefore = (known: Known, left: string, right: string, claim: Claim): boolean => {
  const ageing = known.ageing(known.births.get(left)!.queue, claim)
  const [p, q] = [known.priority(left, claim), known.priority(right, claim)]
  const [a, b] = [arrivalOf(known, left, claim), arrivalOf(known, right, claim)]
  if (ageing === undefined || p === undefined || q === undefined || a === undefined || b === undefined) return false
  if (!isRanked(known, left, claim) || !isRanked(known, right, claim)) return false
  if (p === q) return hasArrivedBefore(known, a, b)
  return ageing === null ? p > q : a.before - p * ageing < b.after - q * ageing
}

/** What is given its place while the ageing changes may have it by the old one, for a minute. */
const isRanked = (known: Known, id: string, claim: Claim): boolean => {
  const { delayMs, queue } = known.births.get(id)!
  return [...known.of.get(id)!, ...delayMs > 0 ? known.claims : []]
    .every((fact) => fact.from > claim.from || known.ageing(queue, fact) !== undefined)
}

/** Arrives between these times; where it is delayed, as soon as somebody looks, at that time or later. */
interface Arrival extends Span {
  readonly after: number
  readonly before: number
  readonly delayed: boolean
  readonly index: number
}

const arrivalOf = (known: Known, id: string, claim: Claim): Arrival | undefined => {
  const last = known.of.get(id)!.findLast((f) => (f._tag === "Enqueued" || f._tag === "Resumed") && f.from < claim.from)
  if (last?._tag === "Resumed") return { ...last, delayed: false, index: 0 }
  if (last?._tag !== "Enqueued") return undefined
  const due = last.at + last.delayMs
  return { ...last, after: due, before: due, delayed: last.delayMs > 0 }
}

const hasArrivedBefore = (known: Known, a: Arrival, b: Arrival): boolean => {
  if (!a.delayed && !b.delayed) {
    return a.from === b.from ? a.index >= 0 && a.index < b.index : a.to < b.from
  }
  if (a.delayed && !b.delayed) {
    return known.claims.some((claim) => claim.at >= a.before && claim.to < b.from && known.isAlone(claim))
  }
  const first = known.claims.find((claim) => claim.until >= b.after)
  if (first === undefined || !known.isAlone(first)) return false
  return a.before < b.after && (a.delayed || a.to < first.from)
}

// -----------------------------------------------------------------------------
// use
// -----------------------------------------------------------------------------

/** Of a claim that is alone: what it left though it could take it, and what it took out of turn. */
const roomUsed = (known: Known, claim: Claim): ReadonlyArray<string> => {
  const after = stateOf(known, claim)
  const left = [...known.births.values()].filter((birth) => canTake(known, claim, after, birth))
  const wrong: Array<string> = []
  if (claim.took.length < claim.limit) {
    wrong.push(...left.map((birth) => `${birth.queue}: ${claim.executor} left ${birth.id}, which it could take`))
    const at = nextByTime(known, claim, after)
    if (at !== undefined && (claim.nextDueAt === null || claim.nextDueAt > at)) {
      wrong.push(`${claim.executor} was told to come at ${claim.nextDueAt}, and not at ${at}`)
    }
    if (claim.nextDueAt !== null && claim.nextDueAt <= claim.at) {
      wrong.push(`${claim.executor} was told at ${claim.at} to come at ${claim.nextDueAt}, though it left nothing`)
    }
  }
  for (const id of claim.took.filter((id) => known.admits(claim, id))) {
    const { partitionKey, queue } = known.births.get(id)!
    if (partitionKey === null) continue
    const instead = { ...after, without: id }
    wrong.push(
      ...[...known.births.values()]
        .filter((birth) =>
          birth.queue === queue && birth.partitionKey !== partitionKey && after.states.get(birth.id) === "waiting"
          && canTake(known, claim, instead, birth) && isBefore(known, birth.id, id, claim)
        )
        .map((birth) => `${queue}: ${id} was admitted before ${birth.id}, the first of ${birth.partitionKey}`)
    )
  }
  return wrong
}

interface After {
  readonly states: ReadonlyMap<string, State>
  /** As if this one had not been taken. */
  readonly without: string | undefined
}

const stateOf = (known: Known, claim: Claim): After => ({
  states: new Map([...known.births.keys()].map((id) => [id, known.stateAfter(id, claim)])),
  without: undefined
})

/** `rates`: whether rate limits count. */
const canTake = (known: Known, claim: Claim, { states, without }: After, birth: Birth, rates = true): boolean => {
  const { partitionKey, queue } = birth
  const limits = one(known.limits(queue, claim))
  const state = states.get(birth.id)
  if (limits === undefined || !claim.names.includes(birth.name) || (state !== "waiting" && state !== "due")) {
    return false
  }
  const mates = [...known.births.values()].filter(({ id }) => id !== without && known.births.get(id)!.queue === queue)
  const kin = mates.filter((mate) => mate.partitionKey === partitionKey)
  const own = (of: ReadonlyArray<Birth>) =>
    of.filter(({ id }) => states.get(id) === "memory" && known.ownerAfter(id, claim) === claim.executor).length
  if (own(mates) >= (limits.executorConcurrency ?? Infinity)) return false
  if (own(kin) >= (limits.partitioned?.executorConcurrency ?? Infinity)) return false
  if (state === "due") return true
  if (one(known.paused(queue, claim)) !== false) return false
  const running = (of: ReadonlyArray<Birth>) =>
    of.filter(({ id }) => ["memory", "suspended", "due"].includes(states.get(id)!)).length
  if (running(mates) >= (limits.concurrency ?? Infinity)) return false
  if (partitionKey !== null) {
    if (running(kin) >= limits.partitioned!.concurrency) return false
    const waiting = kin.filter(({ id }) => id !== birth.id && states.get(id) === "waiting")
    if (!waiting.every(({ id }) => isBefore(known, birth.id, id, claim))) return false
  }
  return !rates || freeAt(known, claim, limits, birth, without) <= claim.at
}

/** From when on, at the latest, the rate limits let one more start. */
const freeAt = (known: Known, claim: Claim, limits: QueueLimits, birth: Birth, without?: string): number => {
  const of = (rateOf: RateOf, key: string | undefined): number => {
    const rate = rateOf(limits)
    if (rate === null) return 0
    const starts = counted(known, rateOf, birth.queue, key, claim, true).map(({ until }) => until)
      .toSorted((a, b) => a - b)
    // One start less, the newest, where one was not taken.
    const gone = without !== undefined && (key === undefined || known.births.get(without)!.partitionKey === key)
    const left = gone ? starts.slice(0, -1) : starts
    return left.length < rate.limit ? 0 : left[left.length - rate.limit]! + rate.periodMs
  }
  return Math.max(of(ofQueue, undefined), birth.partitionKey === null ? 0 : of(ofPartition, birth.partitionKey))
}

/** When, by the mere passing of time, there will be something for this executor to look for. */
const nextByTime = (known: Known, claim: Claim, after: After): number | undefined => {
  const times = [...known.births.values()].flatMap((birth) => {
    if (after.states.get(birth.id) === "delayed" && claim.names.includes(birth.name)) return [birth.at + birth.delayMs]
    const limits = one(known.limits(birth.queue, claim))
    return limits !== undefined && after.states.get(birth.id) === "waiting" &&
        canTake(known, claim, after, birth, false)
      ? [freeAt(known, claim, limits, birth)]
      : []
  })
  return times.length === 0 ? undefined : Math.min(...times)
}

// -----------------------------------------------------------------------------
// once, deduplication, end
// -----------------------------------------------------------------------------

const takenOnce = (known: Known, claim: Claim): ReadonlyArray<string> =>
  claim.took.flatMap((id) => {
    const facts = known.of.get(id)!
    const elsewhere = known.spans(id, ["Claimed"], leavesMemory)
      .some(({ by, from, to }) => by !== claim && from <= claim.to && claim.to < to)
    const over = facts.some((end) =>
      end._tag === "Ended" && end.to < claim.from
      && !facts.some((f) => f._tag === "Resumed" && f.to > end.from)
    )
    const unknown = !facts.some((f) => f._tag === "Enqueued" && f.from < claim.to)
    return [
      ...elsewhere ? [`${id} was taken by ${claim.executor} while it was in memory elsewhere`] : [],
      ...over ? [`${id} was taken by ${claim.executor} after its end`] : [],
      ...unknown ? [`${id} was taken by ${claim.executor} before it was enqueued`] : [],
      ...new Set(claim.took).size < claim.took.length ? [`${claim.executor} took ${id} twice`] : []
    ]
  })

const refusedForAReason = (known: Known): ReadonlyArray<string> =>
  known.facts.filter((fact) => fact._tag === "Refused").flatMap((refused) => {
    const facts = known.of.get(refused.id)!
    const claim = facts.findLast((f) => f._tag === "Claimed" && f.to < refused.from)
    const explained = facts.some((f) =>
      ["Ended", "PutBack", "Lost"].includes(f._tag) && f.from < refused.to && (claim === undefined || f.to > claim.from)
    )
    return explained ? [] : [`a write of the owner of ${refused.id} was refused for no reason`]
  })

const oneOfEach = (known: Known): ReadonlyArray<string> => {
  const births = [...known.births.values()].filter((birth) => birth.deduplicationId !== null)
  const active = births.map((birth) => ({ birth, spans: known.spans(birth.id, ["Enqueued", "Resumed"], ["Ended"]) }))
  const twice = active.flatMap(({ birth, spans }, index) =>
    active.slice(index + 1)
      .filter((other) =>
        other.birth.queue === birth.queue && other.birth.deduplicationId === birth.deduplicationId
        && spans.some((a) => other.spans.some((b) => overlap(a, b)))
      )
      .map((other) => `${birth.queue}: ${birth.id} and ${other.birth.id} had ${birth.deduplicationId} at once`)
  )
  const wrong = known.facts.filter((fact) => fact._tag === "Duplicate").filter((fact) => {
    const facts = known.of.get(fact.holder) ?? []
    const birth = known.births.get(fact.holder)
    if (birth?.queue !== fact.queue || birth.deduplicationId !== fact.deduplicationId) return true
    return !facts.some((began) =>
      (began._tag === "Enqueued" || began._tag === "Resumed") && began.from < fact.to
      && !facts.some((end) => end._tag === "Ended" && end.from > began.from && end.to < fact.from)
    )
  })
  return [...twice, ...wrong.map((fact) => `${fact.queue}: ${fact.holder} was named as having ${fact.deduplicationId}`)]
}

const allEnded = (known: Known): ReadonlyArray<string> =>
  [...known.births.keys()].flatMap((id) => {
    const facts = known.of.get(id)!
    const began = 1 + facts.filter((f) => f._tag === "Resumed" && f.was === "cancelled").length
    const ended = facts.filter((f) => f._tag === "Ended").length
    return began === ended ? [] : [`${id} began ${began} times and ended ${ended} times`]
  })
