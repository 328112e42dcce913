import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as HttpApi from "effect/http-api/HttpApi"
import * as OpenApi from "effect/http-api/OpenApi"
import { readFile } from "node:fs/promises"
import { AdminApi, Needs } from "../src/AdminApi.ts"

const endpoints: Array<{ group: string; id: string; method: string; path: string; needs: string | undefined }> = []
HttpApi.reflect(AdminApi, {
  onGroup: () => {},
  onEndpoint: ({ endpoint, group }) => {
    endpoints.push({
      group: group.identifier,
      id: endpoint.identifier,
      method: endpoint.method,
      path: endpoint.path,
      needs: Context.get(endpoint.annotations, Needs)
    })
  }
})

describe("AdminApi", () => {
  it("changes nothing by a GET, and asks for an action for everything but health and the session", () => {
    const open = endpoints.filter(({ needs }) => needs === undefined).map(({ path }) => path)
    assert.deepStrictEqual(open, ["/health", "/api/session/known", "/api/session", "/api/session/end"])
    const acting = endpoints.filter(({ needs }) => needs !== undefined && needs !== "view")
    assert.isAbove(acting.length, 15)
    assert.deepStrictEqual([...new Set(acting.map(({ method }) => method))], ["POST"])
  })

  it("has no id or name in a path", () => {
    assert.deepStrictEqual(endpoints.filter(({ path }) => path.includes(":")), [])
  })

  it("becomes an OpenAPI document", () => {
    const document = OpenApi.fromApi(AdminApi)
    assert.lengthOf(Object.keys(document.paths), endpoints.length)
    assert.isDefined(document.paths["/api/workflows"]?.get?.responses[403])
  })

  it("imports nothing of Node, no engine and no store, whatever it reaches", async () => {
    const seen = new Set<string>()
    const outside = new Set<string>()
    const visit = async (url: URL): Promise<void> => {
      if (seen.has(url.href)) return
      seen.add(url.href)
      for (const [, from] of (await readFile(url, "utf8")).matchAll(/^(?:import|export|\}) .*from "([^"]+)"$/gm)) {
        if (from!.startsWith(".")) await visit(new URL(from!, url))
        else if (from!.startsWith("perdure/")) await visit(new URL(import.meta.resolve(from!)))
        else outside.add(from!)
      }
    }
    await visit(new URL("../src/AdminApi.ts", import.meta.url))
    assert.deepStrictEqual([...outside].filter((name) => !name.startsWith("effect/")), [])
    assert.deepStrictEqual(
      [...seen].filter((url) => url.includes("/perdure/")).map((url) => url.split("/").at(-1)).sort(),
      ["StepFailed.ts", "WorkflowStatus.ts"]
    )
  })
})
