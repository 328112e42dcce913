/** The versions of the application that executors have joined with. The latest is the one with the greatest `latest_at`. */
export const versionTables = (s: string): ReadonlyArray<string> => [
  `CREATE TABLE ${s}.application_version (
    version text COLLATE "C" PRIMARY KEY CHECK (version <> ''),
    created_at bigint NOT NULL,
    latest_at bigint NOT NULL
  )`,
  `CREATE INDEX application_version_latest ON ${s}.application_version (latest_at, version)`
]

/** The latest version, `''` when there is none: one probe, cheap enough for every heartbeat. */
export const latestVersion = (s: string): string =>
  `coalesce((SELECT v.version FROM ${s}.application_version v ORDER BY v.latest_at DESC, v.version DESC LIMIT 1), '')`

/**
 * A time later than that of every other version, also where the clock went back. Two at once may get the same one: then
 * the version's name decides, the same for everybody.
 */
const later = (s: string): string => `greatest(n.now, (SELECT max(v.latest_at) + 1 FROM ${s}.application_version v))`

/** Makes `$1` known, and so the latest, unless it is known already: a restart of an old version changes nothing. */
export const registerVersion = (s: string, version: string): string =>
  `INSERT INTO ${s}.application_version (version, created_at, latest_at)
    SELECT ${version}, n.now, ${later(s)} FROM n WHERE ${version} <> ''
      AND NOT EXISTS (SELECT FROM ${s}.application_version v WHERE v.version = ${version})
    ON CONFLICT (version) DO NOTHING`

export const setLatestStatement = (s: string): string => `
  WITH n AS MATERIALIZED (SELECT ${s}.now_ms() AS now)
  UPDATE ${s}.application_version a SET latest_at = ${later(s)} FROM n WHERE a.version = $1::text RETURNING 1`

export const versionsStatement = (s: string): string =>
  `SELECT v.version, v.created_at, v.latest_at FROM ${s}.application_version v
  ORDER BY v.latest_at DESC, v.version DESC`
