/** Schedules. When a tick is due is the engine's business; that it happens once is this row's. */
export const scheduleTable = (s: string): ReadonlyArray<string> => [
  `CREATE TABLE ${s}.schedule (
    name text COLLATE "C" PRIMARY KEY,
    workflow_name text COLLATE "C" NOT NULL,
    rule text NOT NULL,
    start text NOT NULL,
    origin text COLLATE "C" NOT NULL CHECK (origin IN ('code', 'runtime')),
    paused boolean NOT NULL DEFAULT false,
    next_fire_at bigint,
    last_fire_at bigint,
    last_workflow_id text COLLATE "C",
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL
  ) WITH (fillfactor = 70)`,
  `CREATE INDEX schedule_due ON ${s}.schedule (next_fire_at, name) WHERE next_fire_at IS NOT NULL AND NOT paused`
]
