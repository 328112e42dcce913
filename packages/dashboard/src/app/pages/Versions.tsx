/** Versions of the application: which have run, and which is the latest, for what is started for whichever that is. */
import type { VersionInfo } from "@perdure/server/AdminApi"
import { useQuery } from "@tanstack/react-query"
import { Link } from "@tanstack/react-router"
import { useState } from "react"
import { ask } from "../api/client.ts"
import { askAgain, info, versions } from "../api/queries.ts"
import { announce } from "../components/Announcements.tsx"
import { Button } from "../components/Button.tsx"
import { Confirm } from "../components/Dialog.tsx"
import { Listed } from "../components/Listed.tsx"
import { Text } from "../components/Text.tsx"
import { When } from "../components/Time.tsx"

export const Versions = () => {
  const [chosen, setChosen] = useState<VersionInfo | undefined>()
  const may = useQuery(info).data?.allowed.includes("versions") ?? false
  return (
    <div className="stack page">
      <h1>Versions</h1>
      <Listed
        query={useQuery(versions)}
        what="versions"
        empty="No executor has joined with a version"
        hint="Give one with Engine.layer({ version }): workflows are then run by the code that they began with."
        keyOf={(one) => one.version}
        row={(one) => (
          <div className="row spread">
            <div className="stack tight">
              <span className="row">
                <b>{one.version === "" ? "no version" : <Text>{one.version}</Text>}</b>
                {one.latest ? <span className="badge ok">latest</span> : null}
              </span>
              <span className="small muted">
                First seen <When at={one.createdAt} />
              </span>
              <span className="small muted">
                Latest since <When at={one.latestAt} />
              </span>
            </div>
            <div className="row">
              <Link to="/executors" className="small">{one.executors} alive</Link>
              <Link to="/workflows" search={one.version === "" ? {} : { version: [one.version] }} className="small">
                its workflows
              </Link>
              {may && !one.latest ? <Button onClick={() => setChosen(one)}>Make it the latest</Button> : null}
            </div>
          </div>
        )}
      />
      {chosen === undefined ? null : <Latest version={chosen} close={() => setChosen(undefined)} />}
    </div>
  )
}

const Latest = ({ version, close }: { readonly version: VersionInfo; readonly close: () => void }) => (
  <Confirm
    title="Make it the latest version?"
    action="Make it the latest"
    close={close}
    act={async () => {
      await ask((api) => api.fleet.setLatest({ payload: { version: version.version } }))
      askAgain(["executors"])
      announce(`${version.version} is the latest.`)
    }}
  >
    <p>
      What is started for whichever is the latest, as schedules do, is run by{" "}
      <b>
        <Text>{version.version}</Text>
      </b>{" "}
      from now on. Workflows that have begun stay with their version.
    </p>
    {version.executors === 0 ? <p className="bad-text">No executor of it is alive.</p> : null}
  </Confirm>
)
