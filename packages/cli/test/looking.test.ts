/** Looking at workflows, and what stands in the way of it. */
import { expect, it } from "vitest"
import { onBothStores } from "./given.ts"
import { live, Order } from "./shop.ts"

onBothStores(live, (given) => {
  it("workflow list shows what there is, as a table or as JSON, filtered", async () => {
    const { cli, effect, json } = given()
    await effect(Order.execute({ item: "book" }, { workflowId: "list-1", attributes: { tier: "gold", count: 3 } }))
    await effect(Order.execute({ item: "pen" }, { workflowId: "list-2" }))
    expect(await cli("workflow", "list", "--id-prefix", "list-")).toMatch(
      /^ID +NAME +STATUS +CREATED +TOOK\nlist-2 +Order +SUCCESS .*\nlist-1 +Order +SUCCESS .*\n$/
    )
    const page = await json("workflow", "list", "--attribute", "tier=gold", "--attribute", "count=3")
    expect(page.workflows).toHaveLength(1)
    expect(page.workflows[0]).toMatchObject({ workflowId: "list-1", name: "Order", payload: { item: "book" } })
    expect(await cli("workflow", "list", "--user", "nobody")).toBe("No workflow fits.\n")
  })

  it("workflow list goes on with the cursor of a page", async () => {
    const { answer, effect, json } = given()
    for (const n of [1, 2, 3]) await effect(Order.execute({ item: "book" }, { workflowId: `page-${n}` }))
    const flags = ["--id-prefix", "page-", "--order", "asc", "--limit", "2"]
    const first = await answer("workflow", "list", ...flags)
    const cursor = /^More: --cursor (\S+)\n$/.exec(first.err)?.[1]
    const rest = await json("workflow", "list", ...flags, "--cursor", cursor!)
    expect(rest.workflows.map((one: any) => one.workflowId)).toEqual(["page-3"])
  })

  it("workflow get shows state, payload and outcome", async () => {
    const { cli, effect, json } = given()
    await effect(Order.execute({ item: "lamp" }, { workflowId: "get-1" }))
    const text = await cli("workflow", "get", "get-1")
    expect(text).toMatch(/^id +get-1\nname +Order\nstatus +SUCCESS\n/)
    expect(text).toContain("payload\n{\n  \"item\": \"lamp\"\n}")
    expect(text).toContain("success\n{\n  \"item\": \"lamp\",\n  \"total\": 42\n}")
    expect(await json("workflow", "get", "get-1")).toMatchObject({ status: "SUCCESS", success: { total: 42 } })
  })

  it("the program does the same, and its exit code says what went wrong", async () => {
    const { program } = given()
    const listed = await program(["workflow", "list", "--name", "Nothing"])
    expect(listed).toEqual({ exitCode: 0, out: "No workflow fits.\n", err: "" })
    const unknown = await program(["workflow", "get", "nobody"])
    expect(unknown).toMatchObject({ exitCode: 3, out: "" })
    expect(unknown.err).toMatch(/^perdure: There is no workflow with the id "nobody"\. Check the id.*\n$/)
    const mistyped = await program(["workflow", "list", "--sttus", "ERROR"])
    expect(mistyped).toMatchObject({ exitCode: 2, out: "" })
    expect(mistyped.err).toContain("Unrecognized flag: --sttus")
  })
})
