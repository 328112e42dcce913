/**
 * What the specification's document "Workflow Context Management" says of the context of an execution, as it holds here,
 * where context is Effect's own. The document has no programs; names quote its headings.
 */
import { assert } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
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
import * as WorkflowId from "perdure/WorkflowId"
import * as WorkflowQueue from "perdure/WorkflowQueue"
import * as WorkflowTimeout from "perdure/WorkflowTimeout"
import { onBothStores } from "../engine/harness.ts"
import { stepsOf } from "../engine/observing.ts"

const ada = Auth.layer({ user: "ada", roles: ["admin"] })

onBothStores("Workflow Context Management", (claim) => {
  claim(
    "_dbos_context_var: executions at the same time have contexts of their own",
    Effect.fnUntraced(function*(given) {
      const met = { a: yield* Deferred.make<void>(), b: yield* Deferred.make<void>() }
      const Meeting = Workflow.make("Meeting", {
        payload: { other: Schema.Literals(["a", "b"]) },
        success: Schema.Array(Schema.UndefinedOr(Schema.String))
      })
      const MeetingLive = Meeting.toLayer(Effect.fn(function*({ other }) {
        const before = yield* WorkflowContext.current
        yield* Step.run(
          "meet",
          Effect.andThen(
            Deferred.succeed(met[other], undefined),
            Deferred.await(met[other === "a" ? "b" : "a"])
          )
        )
        const after = yield* WorkflowContext.current
        return [before.workflowId, after.workflowId, after.user]
      }))
      const { use } = yield* given.engine(MeetingLive)
      const of = (workflowId: string, other: "a" | "b", user: string) =>
        Meeting.execute({ other }, { workflowId }).pipe(Effect.provide(Auth.layer({ user })))
      const seen = yield* use(
        Effect.all([of("one", "b", "ada"), of("two", "a", "bob")], { concurrency: "unbounded" })
      )
      assert.deepStrictEqual(seen, [["one", "one", "ada"], ["two", "two", "bob"]])
      assert.isUndefined((yield* use(WorkflowContext.current)).workflowId)
    })
  )

  claim(
    "DBOSContext: each field of the state object has its place",
    Effect.fnUntraced(function*(given) {
      const queue = WorkflowQueue.make("state", { partitioned: true })
      const Child = Workflow.make("Child", { success: Schema.Array(Schema.Unknown) })
      const ChildLive = Child.toLayer(Effect.fn(function*() {
        const { assumedRole, deadline, roles, user, workflowId } = yield* WorkflowContext.current
        const inStep = yield* Step.run("step", Effect.map(StepStatus.current, (status) => status?.stepId ?? null))
        const inTransaction = yield* Transaction.run(
          "transaction",
          Effect.flatMap(SqlClient, (sql) => sql<{ n: number }>`SELECT 1 AS n`).pipe(
            Effect.andThen(Effect.map(WorkflowContext.current, ({ step }) => step?.stepId ?? null))
          )
        )
        return [workflowId, user, roles, assumedRole ?? null, deadline !== undefined, inStep, inTransaction]
      }))
      const Parent = Workflow.make("Parent", { success: Schema.Array(Schema.Unknown) })
      const { use } = yield* given.engine([
        ChildLive,
        Parent.toLayer(Effect.fn(function*() {
          const handle = yield* queue.enqueue(Child).pipe(
            Effect.provide(EnqueueOptions.layer({ deduplicationId: "d", priority: 7, partitionKey: "p" }))
          )
          return yield* handle.result
        }))
      ])
      const seen = yield* use(
        Parent.execute(undefined, { workflowId: "parent" }).pipe(
          Effect.provide([ada, WorkflowTimeout.layer("1 hour")])
        )
      )
      // workflow_id, authenticated_user, authenticated_roles, assumed_role, workflow_deadline, curr_step_function_id
      assert.deepStrictEqual(seen, ["parent-0", "ada", ["admin"], null, true, 0, 1])
      // parent_workflow_id, parent_workflow_fid, deduplication_id, priority, queue_partition_key
      const row = yield* given.store.get("parent-0")
      assert.deepStrictEqual(
        [row?.parentId, row?.parentStepId, row?.queue, row?.deduplicationId, row?.priority, row?.partitionKey],
        ["parent", 0, "state", "d", 7, "p"]
      )
    })
  )

  claim(
    "Context propagation: a child has its parent's user and deadline, and an id made of the parent's and the step's",
    Effect.fnUntraced(function*(given) {
      const Child = Workflow.make("Child", { success: Schema.Array(Schema.UndefinedOr(Schema.Unknown)) })
      const context = Effect.map(
        WorkflowContext.current,
        ({ deadline, user, workflowId }) => [workflowId, user, deadline]
      )
      const Parent = Workflow.make("Parent", { success: Schema.Array(Schema.Unknown) })
      const { use } = yield* given.engine([
        Child.toLayer(() => context),
        Parent.toLayer(Effect.fn(function*() {
          yield* Step.run("before", Effect.void)
          const inherited = yield* Child.execute()
          const own = yield* Child.execute(undefined, { timeout: "1 minute" }).pipe(
            Effect.provide(Auth.layer({ user: "bob" }))
          )
          return [yield* context, inherited, own]
        }))
      ])
      const [parent, inherited, own] = (yield* use(
        Parent.execute(undefined, { workflowId: "parent", timeout: "1 hour" }).pipe(Effect.provide(ada))
      )) as ReadonlyArray<ReadonlyArray<unknown>>
      assert.deepStrictEqual(inherited, ["parent-1", "ada", parent![2]])
      assert.deepStrictEqual(own!.slice(0, 2), ["parent-3", "bob"])
      assert.isBelow(own![2] as number, parent![2] as number)
    })
  )

  claim(
    "Context propagation: steps that run at once never share an id, and keep theirs on a replay",
    Effect.fnUntraced(function*(given) {
      const Many = Workflow.make("Many", { success: Schema.Array(Schema.Number) })
      const ManyLive = Many.toLayer(() =>
        Workflow.forEach([0, 1, 2, 3, 4], (n) =>
          Step.run(
            "step",
            Effect.andThen(
              Effect.sleep((5 - n) % 3),
              Effect.map(StepStatus.current, (status) => status!.stepId)
            )
          ), { concurrency: "unbounded" })
      )
      const { use } = yield* given.engine(ManyLive)
      assert.deepStrictEqual(yield* use(Many.execute(undefined, { workflowId: "w" })), [0, 1, 2, 3, 4])
      assert.lengthOf(yield* use(stepsOf("w")), 5)
    })
  )

  claim(
    "Context manager hierarchy: each boundary sets its part, and leaving it restores the one around",
    Effect.fnUntraced(function*(given) {
      const place = Effect.map(
        WorkflowContext.current,
        ({ step, workflowId }) => `${workflowId} ${step === undefined ? "body" : `${step.stepId} ${step.name}`}`
      )
      const Nested = Workflow.make("Nested", { success: Schema.Array(Schema.String) })
      const NestedLive = Nested.toLayer(() =>
        Effect.all([
          place,
          Step.run("outer", Effect.zipWith(place, Step.run("inner", place), (outer, inner) => `${outer}, ${inner}`)),
          place,
          Transaction.run("transaction", place),
          place
        ])
      )
      const { use } = yield* given.engine(NestedLive)
      assert.deepStrictEqual(yield* use(Nested.execute(undefined, { workflowId: "w" })), [
        "w body",
        // A step in a step is a part of the outer one.
        "w 0 outer, w 0 outer",
        "w body",
        "w 1 transaction",
        "w body"
      ])
      assert.strictEqual(yield* use(place), "undefined body")
    })
  )

  claim(
    "User-facing context manipulation: scopes nest, the inner one wins, leaving restores",
    Effect.fnUntraced(function*(given) {
      const Who = Workflow.make("Who", { success: Schema.Array(Schema.NullOr(Schema.String)) })
      const { use } = yield* given.engine(
        Who.toLayer(() => Effect.map(WorkflowContext.current, ({ user, workflowId }) => [workflowId!, user ?? null]))
      )
      const program = Effect.gen(function*() {
        const inner = yield* Who.execute().pipe(
          Effect.provide([WorkflowId.layer("inner"), Auth.layer({ user: "bob" })])
        )
        return [inner, yield* Who.execute()]
      }).pipe(Effect.provide([WorkflowId.layer("outer"), ada]))
      assert.deepStrictEqual(yield* use(program), [["inner", "bob"], ["outer", "ada"]])
      const [id, user] = yield* use(Who.execute())
      assert.notStrictEqual(id, "outer")
      assert.isNull(user)
      // A scope around the application does not reach into the bodies.
      assert.strictEqual((yield* use(Client.get("inner"))).user, "bob")
    })
  )
})
