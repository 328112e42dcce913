/**
 * A proxy before PostgreSQL, on loopback, that knows where messages begin and end. It can break connections, withhold
 * answers, let notifications disappear, and be slow.
 */
import { connect, createServer, type Server, type Socket } from "node:net"

/** Of the server's messages: a byte for the type, four for the length, which counts itself. */
const header = 5
const notification = "A".charCodeAt(0)

/** Cuts a stream of bytes into whole messages. */
export class Messages {
  private rest: Buffer = Buffer.alloc(0)

  take(chunk: Buffer): ReadonlyArray<Buffer> {
    const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    const messages: Array<Buffer> = []
    let at = 0
    while (bytes.length - at >= header) {
      const end = at + 1 + bytes.readInt32BE(at + 1)
      if (end > bytes.length) break
      messages.push(bytes.subarray(at, end))
      at = end
    }
    this.rest = bytes.subarray(at)
    return messages
  }
}

interface Connection {
  readonly client: Socket
  readonly server: Socket
}

/** What the proxy has done, for telling whether a run has shown anything. */
export interface Counts {
  connections: number
  /** Connections that were broken while an answer was on its way. */
  withheld: number
  notificationsDropped: number
}

export class Proxy {
  readonly counts: Counts = { connections: 0, withheld: 0, notificationsDropped: 0 }
  /** Of each message of the server. */
  delayMs = 0
  /** Whether notifications get through. */
  notifies = true
  /** Whether answers get through; those that do not are lost. */
  answers = true
  private readonly connections = new Set<Connection>()
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
    for (const connection of [...this.connections]) this.break(connection)
  }

  async close(): Promise<void> {
    this.reset()
    await new Promise<void>((resolve) => this.listener.close(() => resolve()))
  }

  private break(connection: Connection): void {
    this.connections.delete(connection)
    connection.client.resetAndDestroy()
    connection.server.destroy()
  }

  private accept(client: Socket): void {
    const server = connect(this.target)
    const connection: Connection = { client, server }
    const messages = new Messages()
    this.connections.add(connection)
    this.counts.connections++
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on("error", () => this.break(connection))
      socket.on("close", () => this.break(connection))
    }
    client.on("data", (chunk) => server.write(chunk))
    let last: Promise<void> = Promise.resolve()
    server.on("data", (chunk) => {
      for (const message of messages.take(chunk as Buffer)) {
        if (!this.passes(message)) continue
        const { delayMs } = this
        // One after another, also when the delay changes.
        last = last.then(async () => {
          if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
          if (!client.destroyed) client.write(message)
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
}
