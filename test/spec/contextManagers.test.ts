/**
 * The examples of the specification's document on context managers (SetWorkflowID, SetWorkflowTimeout, SetEnqueueOptions,
 * DBOSContextSetAuth, DBOSContext, StepStatus), as its reader would write them here. Names quote the document's headings.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Auth from "perdure/Auth"
import * as Client from "perdure/Client"
import * as EnqueueOptions from "perdure/EnqueueOptions"
import * as Step from "perdure/Step"
import * as StepStatus from "perdure/StepStatus"
import * as Transaction from "perdure/Transaction"
import * as Workflow from "perdure/Workflow"
import * as WorkflowContext from "perdure/WorkflowContext"
import * as WorkflowGroup from "perdure/WorkflowGroup"
import * as WorkflowId from "perdure/WorkflowId"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowTimeout from "perdure/WorkflowTimeout"
import { onBothStores } from "../engine/harness.ts"
import { eventually, Log, reaches, reasonOf, suspends } from "../engine/observing.ts"
import { hearing } from "./hearing.ts"

class PermissionError extends Schema.TaggedError<PermissionError>()("PermissionError", { message: Schema.String }) {}

onBothStores("SetWorkflowID", (claim) => {
  claim(
    "SetWorkflowID: only the first workflow started in the block receives the ID",
    Effect.fnUntraced(function*(given) {
      const MyWorkflow = Workflow.make("MyWorkflow", { payload: { n: Schema.Number }, success: Schema.String })
      const MyWorkflowLive = MyWorkflow.toLayer(() =>
        Effect.map(WorkflowContext.current, ({ workflowId }) => workflowId!)
      )
      const { use } = yield* given.engine(MyWorkflowLive)
      const block = Effect.all([MyWorkflow.execute({ n: 1 }), MyWorkflow.execute({ n: 2 })]).pipe(
        Effect.provide(WorkflowId.layer("my-id"))
      )
      const [first, second] = yield* use(block)
      assert.strictEqual(first, "my-id")
      assert.notStrictEqual(second, "my-id")
      assert.notStrictEqual(yield* use(MyWorkflow.execute({ n: 3 })), "my-id")
    })
  )

  claim(
    "Example: Idempotent Workflow Execution",
    Effect.fnUntraced(function*(given) {
      const charges = given.sql(`charges_${given.number}`)
      yield* given.sql`CREATE TABLE ${charges} (payment_id TEXT, amount DOUBLE PRECISION)`
      const log = new Log()

      const ProcessPayment = Workflow.make("ProcessPayment", {
        payload: { paymentId: Schema.String, amount: Schema.Number },
        success: Schema.String
      })
      const chargeCustomer = (paymentId: string, amount: number) =>
        Transaction.run(
          "charge customer",
          Effect.gen(function*() {
            const sql = yield* SqlClient
            yield* sql`INSERT INTO ${charges} (payment_id, amount) VALUES (${paymentId}, ${amount})`
            return "charge_id_123"
          })
        )
      const sendReceipt = (paymentId: string, chargeId: string) =>
        Step.run("send receipt", log.add(`receipt of ${chargeId} for ${paymentId}`))
      const ProcessPaymentLive = ProcessPayment.toLayer(Effect.fn(function*({ amount, paymentId }) {
        const chargeResult = yield* chargeCustomer(paymentId, amount)
        yield* sendReceipt(paymentId, chargeResult)
        return chargeResult
      }))

      const { use } = yield* given.engine(ProcessPaymentLive)
      const paymentId = "payment-12345"
      const pay = ProcessPayment.execute({ paymentId, amount: 99.99 }).pipe(
        Effect.provide(WorkflowId.layer(`process-${paymentId}`))
      )
      const result1 = yield* use(pay)
      const result2 = yield* use(pay)
      assert.deepStrictEqual([result1, result2], ["charge_id_123", "charge_id_123"])
      assert.lengthOf(yield* given.sql`SELECT * FROM ${charges}`, 1)
      assert.deepStrictEqual(log.entries, ["receipt of charge_id_123 for payment-12345"])
    })
  )

  claim(
    "Example: Starting Background Workflows",
    Effect.fnUntraced(function*(given) {
      const BackgroundJob = Workflow.make("BackgroundJob", { payload: { jobId: Schema.String } })
      const BackgroundJobLive = BackgroundJob.toLayer(() => Effect.sleep("1 day"))
      const { use } = yield* given.engine(BackgroundJobLive)

      const jobId = "job-123"
      const started = yield* use(BackgroundJob.start({ jobId }).pipe(Effect.provide(WorkflowId.layer(jobId))))
      assert.strictEqual(started.workflowId, jobId)

      // Later, elsewhere.
      const client = yield* given.client
      assert.strictEqual(yield* client.use(BackgroundJob.handle(jobId).status), "PENDING")
    })
  )
})

onBothStores("SetWorkflowTimeout", (claim) => {
  claim(
    "SetWorkflowTimeout: the timeout must be positive; leaving the block ends it",
    Effect.fnUntraced(function*(given) {
      const MyWorkflow = Workflow.make("MyWorkflow", { success: Schema.NullOr(Schema.Number) })
      const MyWorkflowLive = MyWorkflow.toLayer(() =>
        Effect.map(WorkflowContext.current, ({ deadline }) => deadline ?? null)
      )
      const { use } = yield* given.engine(MyWorkflowLive)
      for (const refused of [0, -1]) {
        const reason = yield* reasonOf(
          use(MyWorkflow.execute().pipe(Effect.provide(WorkflowTimeout.layer(refused))))
        )
        assert.deepStrictEqual([reason._tag, reason.argument], ["InvalidArgument", "timeout"])
      }
      assert.lengthOf((yield* use(Client.list())).workflows, 0)
      assert.isNumber(yield* use(MyWorkflow.execute().pipe(Effect.provide(WorkflowTimeout.layer("1 hour")))))
      assert.isNull(yield* use(MyWorkflow.execute()))
    })
  )

  claim(
    "Example: Timeout Protection",
    Effect.fnUntraced(function*(given) {
      const LongRunningTask = Workflow.make("LongRunningTask", { success: Schema.String })
      const LongRunningTaskLive = LongRunningTask.toLayer(Effect.fn(function*() {
        yield* Effect.sleep("2 minutes")
        return "completed"
      }))
      const { use } = yield* given.engine(LongRunningTaskLive)
      const waiting = yield* Effect.forkChild(use(
        LongRunningTask.execute(undefined, { workflowId: "task" }).pipe(
          Effect.provide(WorkflowTimeout.layer("30 seconds"))
        )
      ))
      yield* use(suspends("task"))
      yield* given.store.adjustClock(31_000)
      const reason = yield* reasonOf(Fiber.join(waiting))
      assert.deepStrictEqual([reason._tag, reason.by], ["WorkflowCancelled", "timeout"])
      assert.strictEqual((yield* use(reaches("task", "CANCELLED"))).status, "CANCELLED")
    })
  )

  claim(
    "Example: Different Timeouts for Different Operations",
    Effect.fnUntraced(function*(given) {
      const QuickOperation = Workflow.make("QuickOperation", { success: Schema.String })
      const SlowOperation = Workflow.make("SlowOperation", { success: Schema.String })
      const { use } = yield* given.engine([
        QuickOperation.toLayer(() => Effect.succeed("fast")),
        SlowOperation.toLayer(() => Effect.as(Effect.sleep("10 seconds"), "slow"))
      ])
      const quick = yield* use(QuickOperation.execute().pipe(Effect.provide(WorkflowTimeout.layer("5 minutes"))))
      assert.strictEqual(quick, "fast")
      const slow = yield* use(
        SlowOperation.start(undefined, { workflowId: "slow" }).pipe(
          Effect.provide(WorkflowTimeout.layer("30 seconds"))
        )
      )
      yield* use(suspends("slow"))
      yield* given.store.adjustClock(10_000)
      assert.strictEqual(yield* use(slow.result), "slow")
    })
  )
})

onBothStores("SetEnqueueOptions", (claim) => {
  claim(
    "SetEnqueueOptions: with none of its options given, an enqueue is as without it",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("tasks")
      const Task = Workflow.make("Task", { success: Schema.String })
      const { use } = yield* given.engine(Task.toLayer(() => Effect.succeed("done")))
      const handle = yield* use(
        queue.enqueue(Task).pipe(Effect.provide(EnqueueOptions.layer({
          deduplicationId: undefined,
          priority: undefined,
          version: undefined,
          partitionKey: undefined
        })))
      )
      assert.strictEqual(yield* use(handle.result), "done")
    })
  )

  claim(
    "Example: Priority Queue",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      // One at a time, so that the order can be seen. Every queue has priorities.
      const priorityQueue = WorkflowQueue.make("tasks", { concurrency: 1 })
      const ProcessTask = Workflow.make("ProcessTask", { payload: { taskId: Schema.String } })
      const ProcessTaskLive = ProcessTask.toLayer(({ taskId }) => Step.run("process", log.add(taskId)))

      const enqueue = (taskId: string, priority: number) =>
        priorityQueue.enqueue(ProcessTask, { taskId }).pipe(Effect.provide(EnqueueOptions.layer({ priority })))
      const client = yield* given.client
      const low = yield* client.use(enqueue("low-task", 1))
      yield* client.use(enqueue("normal-task", 10))
      yield* client.use(enqueue("urgent-task", 100))

      yield* given.engine(ProcessTaskLive)
      yield* client.use(low.result)
      assert.deepStrictEqual(log.entries, ["urgent-task", "normal-task", "low-task"])
    })
  )

  claim(
    "Example: Deduplication",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("processing")
      const ProcessOrder = Workflow.make("ProcessOrder", {
        payload: { orderId: Schema.String },
        success: Schema.String
      })
      const ProcessOrderLive = ProcessOrder.toLayer(({ orderId }) => Effect.succeed(`Processed ${orderId}`))

      const orderId = "order-123"
      const enqueue = queue.enqueue(ProcessOrder, { orderId }).pipe(
        Effect.provide(EnqueueOptions.layer({ deduplicationId: `process-${orderId}` }))
      )
      const client = yield* given.client
      const handle1 = yield* client.use(enqueue)
      const handle2 = yield* client.use(enqueue)
      assert.strictEqual(handle1.workflowId, handle2.workflowId)
      assert.lengthOf((yield* client.use(Client.list())).workflows, 1)

      yield* given.engine(ProcessOrderLive)
      assert.strictEqual(yield* client.use(handle2.result), "Processed order-123")
      // The id is free when the workflow has ended. For once and for all, give a workflow id.
      assert.notStrictEqual((yield* client.use(enqueue)).workflowId, handle1.workflowId)
    })
  )

  claim(
    "Example: Partitioned Queue",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const met = { "user-123": yield* Deferred.make<void>(), "user-456": yield* Deferred.make<void>() }
      const partitionedQueue = WorkflowQueue.make("user updates", { partitioned: true })
      const User = Schema.Literals(["user-123", "user-456"])
      const UpdateUser = Workflow.make("UpdateUser", {
        payload: { userId: User, data: Schema.Struct({ update: Schema.Number }) }
      })
      const UpdateUserLive = UpdateUser.toLayer(({ data, userId }) =>
        Step.run(
          "update user",
          Effect.gen(function*() {
            yield* log.add(`${userId} ${data.update}`)
            // The first of each user's runs until the first of the other's has begun.
            yield* Deferred.succeed(met[userId], undefined)
            yield* Deferred.await(met[userId === "user-123" ? "user-456" : "user-123"])
          })
        )
      )

      const client = yield* given.client
      const handles = yield* client.use(
        Effect.forEach(
          User.literals,
          (userId) =>
            Effect.forEach(
              [0, 1, 2, 3, 4],
              (update) =>
                partitionedQueue.enqueue(UpdateUser, { userId, data: { update } }).pipe(
                  Effect.provide(EnqueueOptions.layer({ partitionKey: userId }))
                )
            )
        )
      )
      yield* given.engine(UpdateUserLive)
      yield* client.use(Effect.forEach(handles.flat(), (handle) => handle.result))
      for (const userId of User.literals) {
        assert.deepStrictEqual(
          log.entries.filter((entry) => entry.startsWith(userId)),
          [0, 1, 2, 3, 4].map((update) => `${userId} ${update}`)
        )
      }
    })
  )
})

onBothStores("DBOSContextSetAuth", (claim) => {
  claim(
    "Example: Setting Authentication",
    Effect.fnUntraced(function*(given) {
      const AdminOperation = Workflow.make("AdminOperation", { success: Schema.String, error: PermissionError })
      const AdminOperationLive = AdminOperation.toLayer(Effect.fn(function*() {
        const { roles, user } = yield* WorkflowContext.current
        if (!roles.includes("admin")) return yield* new PermissionError({ message: "Admin access required" })
        return `Admin operation by ${user}`
      }))
      const { use } = yield* given.engine(AdminOperationLive)

      const asAdmin = Auth.layer({ user: "admin@example.com", roles: ["admin", "user"] })
      assert.strictEqual(
        yield* use(AdminOperation.execute().pipe(Effect.provide(asAdmin))),
        "Admin operation by admin@example.com"
      )
      const asUser = Auth.layer({ user: "user@example.com", roles: ["user"] })
      const denied = yield* use(
        AdminOperation.execute().pipe(
          Effect.provide(asUser),
          Effect.catchTag("PermissionError", (error) => Effect.succeed(`Access denied: ${error.message}`))
        )
      )
      assert.strictEqual(denied, "Access denied: Admin access required")
    })
  )

  claim(
    "Example: Role-Based Workflow Access",
    Effect.fnUntraced(function*(given) {
      const log = new Log()
      const userService = WorkflowGroup.make("UserService", { requiredRoles: ["user"] })
      const ViewProfile = userService.workflow("viewProfile", {
        success: Schema.Struct({ user: Schema.UndefinedOr(Schema.String), as: Schema.UndefinedOr(Schema.String) })
      })
      const DeleteAccount = userService.workflow("deleteAccount", { requiredRoles: ["admin"] })
      const { use } = yield* given.engine([
        ViewProfile.toLayer(() =>
          Effect.map(WorkflowContext.current, ({ assumedRole, user }) => ({ user, as: assumedRole }))
        ),
        DeleteAccount.toLayer(() => Step.run("delete", log.add("deleted")))
      ])

      const user = Auth.layer({ user: "user@example.com", roles: ["user"] })
      assert.deepStrictEqual(yield* use(ViewProfile.execute().pipe(Effect.provide(user))), {
        user: "user@example.com",
        as: "user"
      })
      const denied = yield* reasonOf(use(DeleteAccount.execute().pipe(Effect.provide(user))))
      assert.deepStrictEqual([denied._tag, denied.user, denied.requiredRoles], [
        "WorkflowUnauthorized",
        "user@example.com",
        ["admin"]
      ])
      assert.strictEqual((yield* reasonOf(use(ViewProfile.execute())))._tag, "WorkflowUnauthorized")
      const admin = Auth.layer({ user: "admin@example.com", roles: ["admin", "user"] })
      yield* use(DeleteAccount.execute().pipe(Effect.provide(admin)))
      assert.deepStrictEqual(log.entries, ["deleted"])
      // What was denied was not started.
      assert.lengthOf((yield* use(Client.list())).workflows, 2)
    })
  )
})

onBothStores("DBOSContext", (claim) => {
  claim(
    "DBOSContextEnsure: outside a workflow there is a plain default",
    Effect.fnUntraced(function*(given) {
      const { use } = yield* given.engine([])
      const context = yield* use(WorkflowContext.current)
      assert.deepStrictEqual([context.workflowId, context.step, context.user, context.roles], [
        undefined,
        undefined,
        undefined,
        []
      ])
      const { heard, layer } = hearing()
      yield* use(Effect.logInfo("Context available").pipe(Effect.provide(layer)))
      assert.deepStrictEqual(heard.map(({ message }) => message), ["Context available"])
    })
  )

  claim(
    "Properties: each is there where the document says",
    Effect.fnUntraced(function*(given) {
      const properties = Workflow.make("Properties", { requiredRoles: ["admin"], success: Schema.Unknown })
      const PropertiesLive = properties.toLayer(Effect.fn(function*() {
        const inBody = yield* WorkflowContext.current
        const inStep = yield* Step.run(
          "look",
          Effect.map(StepStatus.current, (status) => ({ ...status, kind: "step" }))
        )
        const inTransaction = yield* Transaction.run(
          "ask",
          Effect.flatMap(SqlClient, (sql) => sql<{ one: number }>`SELECT 1 AS one`).pipe(
            Effect.map(([row]) => Number(row!.one))
          )
        )
        const { assumedRole, roles, user, workflowId } = inBody
        return { workflowId, user, roles, assumedRole, step: inBody.step === undefined, inStep, inTransaction }
      }))
      const { use } = yield* given.engine(PropertiesLive)
      const seen = yield* use(
        properties.execute(undefined, { workflowId: "w" }).pipe(
          Effect.provide(Auth.layer({ user: "ada@example.com", roles: ["user", "admin"] }))
        )
      )
      assert.deepStrictEqual(seen, {
        workflowId: "w",
        user: "ada@example.com",
        roles: ["user", "admin"],
        assumedRole: "admin",
        step: true,
        inStep: { stepId: 0, name: "look", currentAttempt: 0, maxAttempts: 3, kind: "step" },
        inTransaction: 1
      })
    })
  )

  claim(
    "Accessing Context",
    Effect.fnUntraced(function*(given) {
      const { heard, layer } = hearing()
      const MyWorkflow = Workflow.make("MyWorkflow", { error: PermissionError })
      const MyWorkflowLive = MyWorkflow.toLayer(Effect.fn(function*() {
        const { roles, user, workflowId } = yield* WorkflowContext.current
        yield* Effect.logInfo(`Workflow ${workflowId} started by ${user}`).pipe(Effect.provide(layer))
        if (!roles.includes("admin")) return yield* new PermissionError({ message: "Admin access required" })
      }))
      const { use } = yield* given.engine(MyWorkflowLive)
      yield* use(
        MyWorkflow.execute(undefined, { workflowId: "a" }).pipe(
          Effect.provide(Auth.layer({ user: "ada", roles: ["admin"] }))
        )
      )
      const denied = yield* Effect.flip(use(MyWorkflow.execute(undefined, { workflowId: "b" })))
      assert.instanceOf(denied, PermissionError)
      assert.deepStrictEqual(heard.map(({ message }) => message), [
        "Workflow a started by ada",
        "Workflow b started by undefined"
      ])
    })
  )
})

onBothStores("StepStatus", (claim) => {
  claim(
    "Example: Retry-Aware Step",
    Effect.fnUntraced(function*(given) {
      const { heard, layer } = hearing()
      let tries = 0
      const flakyOperation = Step.run(
        "flaky operation",
        Effect.gen(function*() {
          const status = yield* StepStatus.current
          if (status !== undefined) {
            yield* Effect.logWarning(`Retry attempt ${status.currentAttempt + 1} of ${status.maxAttempts}`)
          }
          if (++tries < 3) return yield* Effect.fail(new Error("Operation failed"))
          return "success"
        }).pipe(Effect.provide(layer)),
        { retry: { maxAttempts: 5, interval: "2 seconds" } }
      )
      const ResilientWorkflow = Workflow.make("ResilientWorkflow", { success: Schema.String })
      const { use } = yield* given.engine(ResilientWorkflow.toLayer(() => flakyOperation))
      const handle = yield* use(ResilientWorkflow.start(undefined, { workflowId: "w" }))
      for (const [attempts, waitMs] of [[1, 2000], [2, 4000]] as const) {
        yield* eventually("the attempt", Effect.sync(() => heard.length), (count) => count === attempts)
        yield* use(suspends("w"))
        yield* given.store.adjustClock(waitMs)
      }
      assert.strictEqual(yield* use(handle.result), "success")
      assert.deepStrictEqual(heard.map(({ message }) => message), [
        "Retry attempt 1 of 5",
        "Retry attempt 2 of 5",
        "Retry attempt 3 of 5"
      ])
      const [step] = yield* use(Client.steps("w"))
      assert.deepStrictEqual([step?.attempts, step?.failedAttempts.map(({ failure }) => failure.message)], [
        3,
        ["Operation failed", "Operation failed"]
      ])
    })
  )
})

onBothStores("Combining Context Managers", (claim) => {
  claim(
    "Combining Context Managers",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("tasks", { partitioned: true })
      const ComplexTask = Workflow.make("ComplexTask", { payload: { taskId: Schema.String }, success: Schema.String })
      const ComplexTaskLive = ComplexTask.toLayer(({ taskId }) => Effect.succeed(`Completed ${taskId}`))

      const client = yield* given.client
      const enqueue = queue.enqueue(ComplexTask, { taskId: "task-123" }).pipe(Effect.provide([
        Auth.layer({ user: "admin@example.com", roles: ["admin"] }),
        WorkflowTimeout.layer("5 minutes"),
        WorkflowId.layer("unique-task-123"),
        EnqueueOptions.layer({ priority: 100, partitionKey: "admin-tasks", deduplicationId: "task-dedup-123" })
      ]))
      const handle = yield* client.use(enqueue)
      const info = yield* client.use(handle.info)
      assert.deepStrictEqual([info.workflowId, info.status, info.user, info.roles], [
        "unique-task-123",
        "ENQUEUED",
        "admin@example.com",
        ["admin"]
      ])
      const row = yield* given.store.get("unique-task-123")
      assert.deepStrictEqual([row?.queue, row?.partitionKey, row?.priority, row?.deduplicationId], [
        "tasks",
        "admin-tasks",
        100,
        "task-dedup-123"
      ])
      assert.strictEqual(info.deadline!.getTime() - info.createdAt.getTime(), 300_000)
      yield* given.engine(ComplexTaskLive)
      assert.strictEqual(yield* client.use(handle.result), "Completed task-123")
    })
  )
})
