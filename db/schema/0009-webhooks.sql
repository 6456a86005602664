-- Who is told of what becomes of jobs. A row is written by a trigger, in the transaction of the event that it tells of: whoever
-- kills the daemon, no end of a job is untold.

-- Addresses that are told of every job: what the daemon was started with last.
CREATE TABLE farm_webhooks (
  url TEXT PRIMARY KEY NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: a receiver knows a delivery by this number, which never comes again.
CREATE TABLE deliveries (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL REFERENCES jobs (id),
  event TEXT NOT NULL CHECK (event IN ('job.done', 'job.failed', 'job.cancelled', 'job.waiting')),
  -- Of job.waiting: why, and the code in it; a job tells each reason once.
  waiting TEXT CHECK (json_valid(waiting)),
  reason TEXT NOT NULL,
  url TEXT NOT NULL,
  at TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts INTEGER NOT NULL DEFAULT 0,
  -- When it is tried next; null: never again.
  next_at TEXT,
  ended_at TEXT,
  -- Of the last attempt: what the receiver answered, or why there was no answer.
  status INTEGER,
  error TEXT,
  UNIQUE (job, event, reason, url),
  CHECK ((state = 'pending') = (next_at IS NOT NULL))
) STRICT;
CREATE INDEX deliveries_due ON deliveries (next_at) WHERE state = 'pending';
CREATE INDEX deliveries_by_state ON deliveries (state);

-- Waiting for a turn or a window is as planned, and told to nobody.
CREATE TRIGGER events_told AFTER INSERT ON events
WHEN (NEW.type = 'state' AND NEW.data ->> '$.state' IN ('done', 'failed', 'cancelled'))
  OR (NEW.type = 'waiting'
    AND NEW.data ->> '$.waiting.code' IN ('NO_DEVICE', 'DISK_FULL', 'DB_BUSY', 'DATA_DIR_READONLY'))
BEGIN
  INSERT INTO deliveries (job, event, waiting, reason, url, at, next_at)
  SELECT
    NEW.job,
    'job.' || iif(NEW.type = 'waiting', 'waiting', NEW.data ->> '$.state'),
    NEW.data -> '$.waiting',
    ifnull(NEW.data ->> '$.waiting.code', ''),
    told.url,
    NEW.at,
    NEW.at
  FROM (
    SELECT value AS url FROM jobs, json_each(jobs.webhooks) WHERE jobs.id = NEW.job
    UNION
    SELECT url FROM farm_webhooks
  ) AS told
  WHERE true
  ON CONFLICT DO NOTHING;
END;
