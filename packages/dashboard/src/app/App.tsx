/** Who is not known signs in; everybody else sees the pages. */
import { QueryClientProvider, useQuery } from "@tanstack/react-query"
import { RouterProvider } from "@tanstack/react-router"
import { failed } from "./api/client.ts"
import { info, queryClient } from "./api/queries.ts"
import { Announcements } from "./components/Announcements.tsx"
import { Loading, Problem } from "./components/States.tsx"
import { SignIn } from "./pages/SignIn.tsx"
import { router } from "./routes.tsx"

export const App = () => (
  <QueryClientProvider client={queryClient}>
    <Announcements />
    <Entrance />
  </QueryClientProvider>
)

const Entrance = () => {
  const { data, error, refetch } = useQuery(info)
  const tag = error === null ? undefined : failed(error).tag
  if (tag === "Unauthenticated") return <SignIn />
  if (data !== undefined) return <RouterProvider router={router} />
  if (error !== null) {
    return (
      <main className="alone">
        <Problem error={error} retry={() => void refetch()} />
      </main>
    )
  }
  return (
    <main className="alone">
      <Loading what="the dashboard" />
    </main>
  )
}
