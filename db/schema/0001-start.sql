-- The first schema. Trials are append-only: triggers refuse every change, so what was measured stays as it was measured.
-- Text is kept readable (ISO times, JSON); what repeats in every trial and is long has a table of its own.

PRAGMA application_id = 0x6d747564; -- 'mtud'

-- One row: the random name of this database. It is part of every id made here, so that records of several farms merge.
CREATE TABLE farm (
  id TEXT PRIMARY KEY
) STRICT;
INSERT INTO farm VALUES (lower(hex(randomblob(5))));

CREATE TABLE models (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  bytes BLOB NOT NULL,
  at TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'paused', 'done', 'failed', 'cancelled')),
  model TEXT NOT NULL REFERENCES models (id),
  board TEXT NOT NULL,
  kind TEXT NOT NULL,
  policy TEXT NOT NULL,
  seed INTEGER NOT NULL,
  trials INTEGER NOT NULL,
  time_ms REAL,
  spent_ms REAL NOT NULL,
  created_at TEXT NOT NULL,
  started_at TEXT,
  ended_at TEXT,
  error TEXT CHECK (json_valid(error)),
  report TEXT CHECK (json_valid(report))
) STRICT;

-- AUTOINCREMENT: an id that a client has seen (Last-Event-ID) never comes again.
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  job TEXT NOT NULL REFERENCES jobs (id),
  at TEXT NOT NULL,
  type TEXT NOT NULL,
  data TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
CREATE INDEX events_of_job ON events (job, id);

CREATE TABLE tasks (
  id TEXT PRIMARY KEY,
  workload TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The part of a trial's environment that nobody filters by. Board and kind are columns of the trial itself.
CREATE TABLE environments (
  id INTEGER PRIMARY KEY,
  toolchain TEXT NOT NULL,
  flags TEXT NOT NULL,
  firmware TEXT
) STRICT;
CREATE UNIQUE INDEX environments_once ON environments (toolchain, flags, firmware IS NULL, ifnull(firmware, ''));

-- job and reused_from name rows that may live in another farm's database: records are merged without their jobs.
CREATE TABLE trials (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  at TEXT NOT NULL,
  job TEXT,
  task TEXT NOT NULL REFERENCES tasks (id),
  board TEXT NOT NULL,
  kind TEXT NOT NULL,
  environment INTEGER NOT NULL REFERENCES environments (id),
  device TEXT,
  policy TEXT NOT NULL,
  template TEXT NOT NULL,
  config TEXT NOT NULL CHECK (json_valid(config)),
  schedule TEXT NOT NULL CHECK (json_valid(schedule)),
  status TEXT NOT NULL,
  stage TEXT,
  code TEXT,
  detail TEXT,
  cycles REAL,
  repeats TEXT CHECK (json_valid(repeats)),
  sizes TEXT CHECK (json_valid(sizes)),
  binary TEXT,
  reused_from TEXT,
  times TEXT NOT NULL CHECK (json_valid(times)),
  bytes TEXT CHECK (json_valid(bytes)),
  -- No number stands for a failure, and no failure is without its stage and reason.
  CHECK (
    (status = 'ok' AND cycles IS NOT NULL AND stage IS NULL AND code IS NULL AND detail IS NULL)
    OR (status = 'failed' AND cycles IS NULL AND stage IS NOT NULL AND code IS NOT NULL AND detail IS NOT NULL)
  )
) STRICT;

-- Pages go in the order of seq, which every index holds as its last column.
CREATE INDEX trials_of_job ON trials (job);
CREATE INDEX trials_of_task ON trials (task);
CREATE INDEX trials_of_board ON trials (board);
CREATE INDEX trials_fastest ON trials (task, board, kind, cycles) WHERE status = 'ok';
CREATE INDEX trials_counted ON trials (job, reused_from, status);

CREATE TRIGGER trials_keep BEFORE UPDATE ON trials BEGIN
  SELECT RAISE(ABORT, 'trials are append-only');
END;
CREATE TRIGGER trials_stay BEFORE DELETE ON trials BEGIN
  SELECT RAISE(ABORT, 'trials are append-only');
END;
-- INSERT OR REPLACE would delete without asking the trigger above.
CREATE TRIGGER trials_once BEFORE INSERT ON trials
WHEN EXISTS (SELECT 1 FROM trials WHERE seq = NEW.seq OR id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'trials are append-only');
END;
CREATE TRIGGER tasks_keep BEFORE UPDATE ON tasks BEGIN
  SELECT RAISE(ABORT, 'tasks are append-only');
END;
CREATE TRIGGER environments_keep BEFORE UPDATE ON environments BEGIN
  SELECT RAISE(ABORT, 'environments are append-only');
END;
