/**
 * Workflows that did not end well: few among very many, and what is looked for first. An index on the status would cost every
 * update of every workflow its place on its page; a table of these few costs only them.
 */
const failed = "('ERROR', 'CANCELLED', 'DEAD_LETTER')"

/**
 * Kept by triggers, so that no statement can forget it: not one that writes a batch, ends, resumes or deletes, nor a person's.
 * The row belongs to the workflow's row, which whoever fires them has locked.
 */
export const failureTable = (s: string): ReadonlyArray<string> => [
  `CREATE TABLE ${s}.failure (
    workflow_id text COLLATE "C" PRIMARY KEY,
    status text COLLATE "C" NOT NULL CHECK (status IN ${failed})
  )`,
  `CREATE INDEX failure_status ON ${s}.failure (status, workflow_id)`,
  `CREATE FUNCTION ${s}.failed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  INSERT INTO ${s}.failure (workflow_id, status) VALUES (NEW.workflow_id, NEW.status)
  ON CONFLICT (workflow_id) DO UPDATE SET status = excluded.status;
  RETURN NULL;
END $$`,
  `CREATE FUNCTION ${s}.not_failed() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM ${s}.failure f WHERE f.workflow_id = OLD.workflow_id;
  RETURN NULL;
END $$`,
  `CREATE TRIGGER failed AFTER INSERT OR UPDATE OF status ON ${s}.workflow
    FOR EACH ROW WHEN (NEW.status IN ${failed}) EXECUTE FUNCTION ${s}.failed()`,
  `CREATE TRIGGER mended AFTER UPDATE OF status ON ${s}.workflow
    FOR EACH ROW WHEN (OLD.status IN ${failed} AND NEW.status NOT IN ${failed}) EXECUTE FUNCTION ${s}.not_failed()`,
  `CREATE TRIGGER gone AFTER DELETE ON ${s}.workflow
    FOR EACH ROW WHEN (OLD.status IN ${failed}) EXECUTE FUNCTION ${s}.not_failed()`
]
