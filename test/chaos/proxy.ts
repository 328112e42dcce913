/**
 * A proxy before PostgreSQL, on loopback, that knows where messages begin and end. It can break connections, also at a
 * certain message, withhold answers, let notifications disappear, be slow, and be gone without a word.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import type { When } from "../crash/harness/faults.ts"

/** A byte for the type, and four for the length, which counts itself. */
const typed = { before: 1, header: 5 }
/** What a client says first, to begin a session or to cancel a query, has no type. */
const untyped = { before: 0, header: 4 }
const notification = "A".charCodeAt(0)

/** Cuts a stream of bytes into whole messages. */
export class Messages {
  private rest: Buffer = Buffer.alloc(0)
  private next: typeof typed

  constructor(of: "client" | "server") {
    this.next = of === "client" ? untyped : typed
  }

  take(chunk: Buffer): ReadonlyArray<Buffer> {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const messages: Array<Buffer> = []
    let at = 0
    while (bytes.length - at >= this.next.header) {
      const end = at + this.next.before + bytes.readInt32BE(at + this.next.before)
      if (end > bytes.length) break
      messages.push(bytes.subarray(at, end))
      this.next = typed
      at = end
    }
    this.rest = bytes.subarray(at)
    return messages
  }
}

interface Connection {
  readonly client: Socket
  readonly server: Socket
  /** Nothing passes any more, and neither side is told. */
  gone: boolean
}

/** What happens at a message: its connection is cut, or something is done to the client. */
export type AtMessage = "cut" | (() => void)

/** What the proxy has done, for telling whether a run has shown anything. */
export interface Counts {
  connections: number
  /** Of them, those of clients that had lost one, and live. */
  reconnections: number
  /** Connections that were broken while an answer was on its way. */
  withheld: number
  notificationsDropped: number
  /** Messages of the server that came later than they could. */
  delayed: number
}

export class Proxy {
  readonly counts: Counts = { connections: 0, reconnections: 0, withheld: 0, notificationsDropped: 0, delayed: 0 }
  /** Of each message of the server. */
  delayMs = 0
  /** Whether notifications get through. */
  notifies = true
  /** Whether answers get through; those that do not are lost. */
  answers = true
  private readonly connections = new Set<Connection>()
  /** Connections that were broken, and whose clients have not come back yet. */
  private lost = 0
  private armed: { left: number; readonly when: When; readonly what: AtMessage } | undefined
  private readonly listener: Server
  private readonly target: { readonly host: string; readonly port: number }

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.target = target
    this.listener = createServer((client) => this.accept(client))
  }

  /** Before the server at this address. */
  static async before(url: string): Promise<Proxy> {
    const { hostname, port } = new URL(url)
    const proxy = new Proxy({ host: hostname, port: Number(port) })
    await new Promise<void>((resolve) => proxy.listener.listen(0, "127.0.0.1", resolve))
    return proxy
  }

  /** The same address, through the proxy. */
  through(url: string): string {
    const address = new URL(url)
    const { port } = this.listener.address() as { readonly port: number }
    address.hostname = "127.0.0.1"
    address.port = String(port)
    return address.toString()
  }

  /** Breaks all connections. */
  reset(): void {
    for (const connection of [...this.connections]) this.break(connection, "server")
  }

  /**
   * Half-open connections: nothing passes on those that there are, either way, and neither side learns of it, until they
   * are reset. Those that are made from now on are good.
   */
  vanish(): void {
    for (const connection of this.connections) connection.gone = true
  }

  /**
   * Once, just before or just after the n-th message from now on, from 1, of either side, on whatever connection. Where it
   * is before, the message does not arrive; where it is after, it does.
   */
  arm(at: number, when: When, what: AtMessage): void {
    this.armed = { left: at, when, what }
  }

  /** It has not happened yet. */
  get isArmed(): boolean {
    return this.armed !== undefined
  }

  /** Nothing is to happen any more. Whether something was. */
  disarm(): boolean {
    const { armed } = this
    this.armed = undefined
    return armed !== undefined
  }

  async close(): Promise<void> {
    this.reset()
    await new Promise<void>((resolve) => this.listener.close(() => resolve()))
  }

  private break(connection: Connection, by: "client" | "server"): void {
    if (!this.connections.delete(connection)) return
    // A client that leaves, or dies, has lost nothing.
    this.lost = by === "client" ? 0 : this.lost + 1
    connection.client.resetAndDestroy()
    connection.server.destroy()
  }

  private accept(client: Socket): void {
    const server = connect(this.target)
    const connection: Connection = { client, server, gone: false }
    this.connections.add(connection)
    this.counts.connections++
    if (this.lost > 0) {
      this.lost--
      this.counts.reconnections++
    }
    for (const side of ["client", "server"] as const) {
      const socket = connection[side]
      socket.setNoDelay(true)
      socket.on("error", () => this.break(connection, side))
      socket.on("close", () => this.break(connection, side))
    }
    const asked = new Messages("client")
    client.on("data", (chunk) => {
      for (const message of asked.take(chunk as Buffer)) this.pass(message, connection, server)
    })
    const answered = new Messages("server")
    let last: Promise<void> = Promise.resolve()
    server.on("data", (chunk) => {
      for (const message of answered.take(chunk as Buffer)) {
        if (!this.passes(message)) continue
        const { delayMs } = this
        if (delayMs > 0) this.counts.delayed++
        // One after another, also when the delay changes.
        last = last.then(async () => {
          if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
          this.pass(message, connection, client)
        })
      }
    })
  }

  private passes(message: Buffer): boolean {
    if (message[0] === notification && !this.notifies) {
      this.counts.notificationsDropped++
      return false
    }
    if (!this.answers) this.counts.withheld++
    return this.answers
  }

  private pass(message: Buffer, connection: Connection, to: Socket): void {
    if (connection.gone || to.destroyed) return
    const act = this.actAtThis()
    // Nothing follows: what is cut is over, and so is a client that is killed.
    if (act !== undefined) connection.gone = true
    if (act?.when === "before") return this.happen(act.what, connection)
    to.write(message, () => act === undefined ? undefined : this.happen(act.what, connection))
  }

  private actAtThis() {
    const { armed } = this
    if (armed === undefined || --armed.left > 0) return undefined
    this.armed = undefined
    return armed
  }

  private happen(what: AtMessage, connection: Connection): void {
    if (what !== "cut") what()
    // Whoever was killed, nobody is left at a connection on which nothing passes.
    this.break(connection, what === "cut" ? "server" : "client")
  }
}
