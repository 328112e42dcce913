/** Live changes: who is told what, and that a reader who does not read costs nothing. */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { connect, type Socket } from "node:net"
import * as Message from "perdure/Message"
import * as Step from "perdure/Step"
import * as Workflow from "perdure/Workflow"
import { onBothStores } from "../../../test/engine/harness.ts"
import { eventually, suspends } from "../../../test/engine/observing.ts"
import type { Change } from "../src/AdminApi.ts"
import { changes } from "../src/internal/live.ts"
import { type Plain, serve, token } from "./serving.ts"

const Quick = Workflow.make("Quick", { payload: Schema.Number, success: Schema.Number })
const Waiting = Workflow.make("Waiting")
const go = Message.make("go", { payload: Schema.Number })
const live = [
  Quick.toLayer((n) => Step.run("n", Effect.succeed(n))),
  Waiting.toLayer(() => Effect.andThen(go.receive(), Step.run("after", Effect.void)))
]

/** A connection on which a request has been written, and of which nothing is read unless asked for. */
const opened = (port: number, head: string) =>
  Effect.acquireRelease(
    Effect.promise(() =>
      new Promise<Socket>((resolve, reject) => {
        const socket = connect(port, "127.0.0.1", () => {
          socket.write(head)
          resolve(socket)
        })
        socket.once("error", reject)
      })
    ),
    (socket) => Effect.sync(() => socket.destroy())
  )

const anonymous = (line: string, ...more: ReadonlyArray<string>) =>
  [line, "Host: localhost", ...more, "", ""].join("\r\n")

const request = (line: string, ...more: ReadonlyArray<string>) =>
  anonymous(line, `Authorization: Bearer ${token}`, ...more)

/** The beginning of an answer has come. */
const answered = (socket: Socket) => Effect.promise(() => new Promise((resolve) => socket.once("data", resolve)))

const closed = (socket: Socket) =>
  Effect.promise(() =>
    new Promise<string>((resolve) => {
      let text = ""
      socket.on("data", (chunk) => void (text += String(chunk)))
      socket.once("close", () => resolve(text))
    })
  )

onBothStores("live changes", (claim) => {
  claim("tell that something changed, and how far watched workflows are", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { use } = engine
      const { api } = yield* serve(engine)
      yield* use(Waiting.start(undefined, { workflowId: "w" }))
      yield* use(suspends("w"))
      const changes = yield* api.system.live({ query: { workflow: ["w", "later"] } })
      const heard: Array<Change> = []
      const reading = yield* Effect.forkScoped(
        Stream.runForEach(changes, (change) => Effect.sync(() => void heard.push(change)))
      )
      const hears = (what: string, fits: (change: Change) => boolean) =>
        eventually(what, Effect.sync(() => heard), (heard) => heard.some(fits))
      yield* hears("the opening", ({ _tag }) => _tag === "Open")
      const progress = (workflowId: string, status: string | undefined, steps: number) =>
        hears(`${workflowId} ${status}`, (change) =>
          change._tag === "Workflow" && change.workflowId === workflowId && change.status === status
          && change.steps === steps)
      yield* progress("w", "PENDING", 0)
      yield* use(go.send("w", 1))
      yield* progress("w", "SUCCESS", 2)
      // One that does not exist yet is heard of when it does.
      yield* use(Quick.execute(1, { workflowId: "later" }))
      yield* progress("later", "SUCCESS", 1)
      yield* hears("a change", (change) =>
        change._tag === "Changed" && change.what.includes("workflows"))
      yield* use(Quick.execute(2))
      yield* Fiber.interrupt(reading)
    }))

  claim(
    "are open for so many readers at once; the places of those who go are free",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { api, port } = yield* serve(engine, { limits: { streams: 2 } })
        const first = yield* opened(port, request("GET /api/live HTTP/1.1"))
        const second = yield* opened(port, request("GET /api/live HTTP/1.1"))
        yield* Effect.all([answered(first), answered(second)], { concurrency: "unbounded" })
        const refused = yield* Effect.flip(api.system.live({ query: {} }))
        assert.deepInclude(refused, { _tag: "TooMany", reason: "TooMany" })
        first.destroy()
        yield* eventually(
          "a free place",
          Effect.exit(Effect.flatMap(api.system.live({ query: {} }), Stream.runHead)),
          ({ _tag }) => _tag === "Success"
        )
      })
  )

  claim("are open for so long, and end by themselves", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const { api } = yield* serve(engine, { limits: { streamMs: 1_000 } })
      const all = yield* Effect.flatMap(api.system.live({ query: {} }), Stream.runCollect)
      assert.strictEqual(all[0]?._tag, "Open")
    }))

  claim("end also for a reader who reads nothing, and so does what waits for him", (given) =>
    Effect.gen(function*() {
      const { use } = yield* given.engine(live)
      const told = yield* use(changes(["w"], 300))
      const exit = yield* Effect.forkScoped(Stream.runForEach(told, () => Effect.never)).pipe(
        Effect.flatMap(Fiber.await)
      )
      assert.isTrue(Exit.hasInterrupts(exit))
    }))

  claim(
    "are not queued for a reader who reads nothing: he is told later what has changed since, at once",
    (given) =>
      Effect.gen(function*() {
        const { use } = yield* given.engine(live)
        const long = 3_600_000
        const [idle, eager] = yield* use(Effect.all([changes(["last"], long), changes([], long)]))
        let told = 0
        yield* Effect.forkScoped(
          Stream.runForEach(eager, ({ _tag }) => Effect.sync(() => void (_tag === "Changed" && told++)))
        )
        const heard: Array<Change> = []
        const gate = yield* Deferred.make<void>()
        const reading = yield* Effect.forkScoped(
          Stream.runForEachWhile(idle, (change) => {
            heard.push(change)
            return Effect.as(Deferred.await(gate), change._tag !== "Workflow" || change.status !== "SUCCESS")
          })
        )
        yield* eventually("the opening", Effect.sync(() => heard), ({ length }) => length === 1)
        // The other one reads, and is told of them again and again meanwhile.
        for (let n = 0; told < 8; n++) yield* use(Quick.execute(n))
        yield* use(Quick.execute(0, { workflowId: "last" }))
        yield* Deferred.succeed(gate, undefined)
        yield* Fiber.join(reading)
        // One that lay there, one that could not be told, and what has changed since.
        const changed = heard.filter(({ _tag }) => _tag === "Changed")
        assert.isAtMost(changed.length, 3, JSON.stringify(heard))
      })
  )

  claim(
    "hold up neither the engine nor anybody else where readers read nothing",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { api, port } = yield* serve(engine, { limits: { streams: 20 } })
        const watched = Array.from({ length: 20 }, (_, n) => `workflow=w${n}`).join("&")
        for (let n = 0; n < 10; n++) {
          const socket = yield* opened(port, request(`GET /api/live?${watched} HTTP/1.1`))
          socket.pause()
        }
        for (let n = 0; n < 200; n++) yield* engine.use(Quick.execute(n, { workflowId: `w${n}` }))
        // They are served as before, and so is everybody else.
        const { counts } = yield* api.workflows.counts({ query: { status: ["SUCCESS"] } })
        assert.deepStrictEqual(counts, [{ status: "SUCCESS", count: 200, more: false }])
      })
  )

  claim("end with a server that stops", (given) =>
    Effect.gen(function*() {
      const engine = yield* given.engine(live)
      const ended = yield* Effect.scoped(Effect.gen(function*() {
        const { port } = yield* serve(engine)
        const socket = yield* Effect.promise(() =>
          new Promise<Socket>((resolve) => {
            const socket = connect(port, "127.0.0.1", () => resolve(socket))
          })
        )
        socket.write(request("GET /api/live HTTP/1.1"))
        yield* answered(socket)
        return yield* Effect.forkDetach(closed(socket))
      }))
      yield* Fiber.join(ended)
    }))
})

onBothStores("slow clients", (claim) => {
  claim(
    "that do not finish their head or their body are cut off, and others are answered meanwhile",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { get, port } = yield* serve(engine, { limits: { requestMs: 5_000, requests: 3 } })
        const head = yield* opened(port, "GET /api/info HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        const body = yield* opened(
          port,
          request("POST /api/workflows/cancel HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000")
        )
        const [slowHead, slowBody] = [yield* Effect.forkScoped(closed(head)), yield* Effect.forkScoped(closed(body))]
        body.write("{\"ids\":[")
        assert.strictEqual((yield* get("/api/info")).status, 200)
        // What is read of the body has no end: there is nobody to answer to.
        assert.notInclude(yield* Fiber.join(slowBody), "HTTP/1.1 2")
        assert.match(yield* Fiber.join(slowHead), /^HTTP\/1\.1 408 /)
      })
  )

  claim(
    "and more than so many at once are refused, and served again when there is room",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { get, port } = yield* serve(engine, { limits: { requests: 2 } })
        const slow = yield* Effect.forEach([1, 2], () =>
          opened(
            port,
            request("POST /api/workflows/cancel HTTP/1.1", "Content-Type: application/json", "Content-Length: 1000")
          ))
        const refused = yield* eventually("a refusal", get("/api/info"), ({ status }) => status === 429)
        assert.deepInclude(refused.body, { _tag: "TooMany", problem: "This server is busy" })
        for (const socket of slow) socket.destroy()
        yield* eventually("room", get("/api/info"), ({ status }) => status === 200)
      })
  )

  claim(
    "that nobody knows leave room for whoever is known; the health is told to all",
    (given) =>
      Effect.gen(function*() {
        const engine = yield* given.engine(live)
        const { get, plain, port } = yield* serve(engine, { limits: { requests: 4 } })
        const endless = ["Content-Type: application/json", "Content-Length: 1000"]
        const sockets: Array<Socket> = []
        // `look` is answered without asking the store: so it holds no place when the one that was opened comes.
        const crowd = (head: string, look: Effect.Effect<Plain>) =>
          eventually(
            "a refusal",
            Effect.andThen(Effect.map(opened(port, head), (socket) => sockets.push(socket)), look),
            ({ status }) => status === 429
          )
        const statuses = (...answers: ReadonlyArray<Effect.Effect<Plain>>) =>
          Effect.map(Effect.all(answers), (all) => all.map(({ status }) => status))
        const whoever = plain("/api/session/known")
        const health = plain("/health")
        const refused = yield* crowd(anonymous("POST /api/session HTTP/1.1", ...endless), whoever)
        assert.deepStrictEqual(yield* statuses(get("/api/info"), get("/api/session/known"), health), [200, 200, 200])
        assert.include(refused.body.detail, "2 requests without valid credentials")
        yield* crowd(request("POST /api/workflows/cancel HTTP/1.1", ...endless), get("/api/session/known"))
        assert.deepStrictEqual(yield* statuses(health, whoever), [200, 429])
        for (const socket of sockets) socket.destroy()
        yield* eventually(
          "room",
          statuses(get("/api/info"), whoever),
          (all) => all.every((status) => status === 200)
        )
      })
  )
})
