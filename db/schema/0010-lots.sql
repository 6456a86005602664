-- Tallies in two steps. A lot is what trials have in common apart from the job that made them and the device that ran them: some
-- thousands of rows stand for a million trials, and answer what is asked of all of them. A tally is the share of one job and device
-- in a lot. The words are in lots only: both are a third of what they were, and a trial is counted in half the time.

DROP TRIGGER trials_tallied;
DROP TRIGGER doubts_before;
DROP TRIGGER doubts_tallied;
DROP TRIGGER marks_counted;
DROP TRIGGER marks_uncounted;
DROP VIEW placed;
DROP INDEX tallies_of_task;
DROP INDEX tallies_of_job;
ALTER TABLE tallies RENAME TO tallies_before;

CREATE TABLE lots (
  id INTEGER PRIMARY KEY,
  task TEXT NOT NULL,
  board TEXT NOT NULL,
  kind TEXT NOT NULL,
  environment INTEGER NOT NULL,
  policy TEXT NOT NULL,
  template TEXT NOT NULL,
  status TEXT NOT NULL,
  stage TEXT,
  code TEXT,
  reused INTEGER NOT NULL,
  stands INTEGER NOT NULL,
  trials INTEGER NOT NULL DEFAULT 0,
  first_seq INTEGER,
  last_seq INTEGER,
  first_at TEXT,
  last_at TEXT,
  best REAL,
  best_seq INTEGER
) STRICT;
-- What is null is null in all of one status.
CREATE UNIQUE INDEX lots_once ON lots (
  task, board, kind, environment, policy, template, status, ifnull(stage, ''), ifnull(code, ''), reused, stands
);

-- Marks name them as before.
CREATE TABLE tallies (
  id INTEGER PRIMARY KEY,
  lot INTEGER NOT NULL,
  job TEXT,
  device TEXT,
  trials INTEGER NOT NULL DEFAULT 0,
  first_seq INTEGER,
  last_seq INTEGER,
  first_at TEXT,
  last_at TEXT,
  best REAL,
  best_seq INTEGER
) STRICT;
-- A number is no text: nobody's trials are not those of a job without a name.
CREATE UNIQUE INDEX tallies_once ON tallies (lot, ifnull(job, 0), ifnull(device, 0));
CREATE INDEX tallies_of_job ON tallies (job);

-- When the trials of each 1024 numbers were made, for the order of numbers is not quite that of times: where to look for an hour.
CREATE TABLE spans (
  block INTEGER PRIMARY KEY,
  first_at TEXT NOT NULL,
  last_at TEXT NOT NULL
) STRICT;
INSERT INTO spans SELECT seq / 1024, min(at), max(at) FROM marks GROUP BY 1;

-- Tallies with the words of their lots.
CREATE VIEW tallied AS
SELECT y.id, y.lot, y.job, l.task, l.board, l.kind, l.environment, y.device, l.policy, l.template, l.status, l.stage, l.code, l.reused,
  l.stands, y.trials, y.first_seq, y.last_seq, y.first_at, y.last_at, y.best, y.best_seq
FROM lots l JOIN tallies y ON y.lot = l.id;

-- Each trial with the lot and tally where it belongs now; null where there is none yet.
CREATE VIEW placed AS
SELECT p.*, l.id AS lot, y.id AS tally
FROM (
  SELECT seq, id, at, cycles, reused_from, job, task, board, kind, environment, device, policy, template, status, stage, code,
    reused_from IS NOT NULL AS reused,
    NOT EXISTS (SELECT 1 FROM doubts WHERE record = t.id) AND NOT EXISTS (SELECT 1 FROM doubts WHERE record = t.reused_from) AS stands
  FROM trials t
) p
LEFT JOIN lots l ON l.task = p.task AND l.board = p.board AND l.kind = p.kind AND l.environment = p.environment
  AND l.policy = p.policy AND l.template = p.template AND l.status = p.status AND ifnull(l.stage, '') = ifnull(p.stage, '')
  AND ifnull(l.code, '') = ifnull(p.code, '') AND l.reused = p.reused AND l.stands = p.stands
LEFT JOIN tallies y ON y.lot = l.id AND ifnull(y.job, 0) = ifnull(p.job, 0) AND ifnull(y.device, 0) = ifnull(p.device, 0);

INSERT INTO lots (task, board, kind, environment, policy, template, status, stage, code, reused, stands, trials, first_seq, last_seq,
  first_at, last_at, best)
SELECT task, board, kind, environment, policy, template, status, stage, code, reused, stands, sum(trials), min(first_seq), max(last_seq),
  min(first_at), max(last_at), min(best)
FROM tallies_before GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
INSERT INTO tallies
SELECT b.id, l.id, b.job, b.device, b.trials, b.first_seq, b.last_seq, b.first_at, b.last_at, b.best, b.best_seq
FROM tallies_before b JOIN lots l ON l.task = b.task AND l.board = b.board AND l.kind = b.kind AND l.environment = b.environment
  AND l.policy = b.policy AND l.template = b.template AND l.status = b.status AND ifnull(l.stage, '') = ifnull(b.stage, '')
  AND ifnull(l.code, '') = ifnull(b.code, '') AND l.reused = b.reused AND l.stands = b.stands;
UPDATE lots SET best_seq = (SELECT min(best_seq) FROM tallies WHERE lot = lots.id AND best = lots.best);
DROP TABLE tallies_before;

CREATE TRIGGER marks_counted AFTER INSERT ON marks BEGIN
  UPDATE tallies SET
    trials = trials + 1,
    first_seq = min(ifnull(first_seq, NEW.seq), NEW.seq),
    last_seq = max(ifnull(last_seq, NEW.seq), NEW.seq),
    first_at = min(ifnull(first_at, NEW.at), NEW.at),
    last_at = max(ifnull(last_at, NEW.at), NEW.at),
    best = min(ifnull(best, NEW.cycles), ifnull(NEW.cycles, best)),
    best_seq = CASE WHEN NEW.cycles IS NULL OR (best, best_seq) < (NEW.cycles, NEW.seq) THEN best_seq ELSE NEW.seq END
  WHERE id = NEW.tally;
  UPDATE lots SET
    trials = trials + 1,
    first_seq = min(ifnull(first_seq, NEW.seq), NEW.seq),
    last_seq = max(ifnull(last_seq, NEW.seq), NEW.seq),
    first_at = min(ifnull(first_at, NEW.at), NEW.at),
    last_at = max(ifnull(last_at, NEW.at), NEW.at),
    best = min(ifnull(best, NEW.cycles), ifnull(NEW.cycles, best)),
    best_seq = CASE WHEN NEW.cycles IS NULL OR (best, best_seq) < (NEW.cycles, NEW.seq) THEN best_seq ELSE NEW.seq END
  WHERE id = (SELECT lot FROM tallies WHERE id = NEW.tally);
END;
CREATE TRIGGER marks_uncounted AFTER DELETE ON marks BEGIN
  UPDATE tallies SET
    (trials, first_seq, last_seq, first_at, last_at) =
    (SELECT count(*), min(seq), max(seq), min(at), max(at) FROM marks WHERE tally = OLD.tally),
    (best, best_seq) =
    (SELECT cycles, seq FROM marks WHERE tally = OLD.tally AND cycles IS NOT NULL ORDER BY cycles, seq LIMIT 1)
  WHERE id = OLD.tally;
  UPDATE lots SET
    (trials, first_seq, last_seq, first_at, last_at) =
    (SELECT sum(trials), min(first_seq), max(last_seq), min(first_at), max(last_at) FROM tallies WHERE lot = lots.id),
    (best, best_seq) =
    (SELECT best, best_seq FROM tallies WHERE lot = lots.id AND best IS NOT NULL ORDER BY best, best_seq LIMIT 1)
  WHERE id = (SELECT lot FROM tallies WHERE id = OLD.tally);
  DELETE FROM lots WHERE id = (SELECT lot FROM tallies WHERE id = OLD.tally) AND trials = 0;
  DELETE FROM tallies WHERE id = OLD.tally AND trials = 0;
END;

-- As `placed` says, but from the new row itself: to read it again, with its long texts, takes longer than all that is written here.
CREATE TRIGGER trials_tallied AFTER INSERT ON trials BEGIN
  INSERT INTO lots (task, board, kind, environment, policy, template, status, stage, code, reused, stands)
  SELECT NEW.task, NEW.board, NEW.kind, NEW.environment, NEW.policy, NEW.template, NEW.status, NEW.stage, NEW.code,
    NEW.reused_from IS NOT NULL,
    NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.id) AND NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.reused_from)
  WHERE true ON CONFLICT DO NOTHING;
  INSERT INTO tallies (lot, job, device) SELECT l.id, NEW.job, NEW.device FROM lots l
  WHERE l.task = NEW.task AND l.board = NEW.board AND l.kind = NEW.kind AND l.environment = NEW.environment
    AND l.policy = NEW.policy AND l.template = NEW.template AND l.status = NEW.status AND ifnull(l.stage, '') = ifnull(NEW.stage, '')
    AND ifnull(l.code, '') = ifnull(NEW.code, '') AND l.reused = (NEW.reused_from IS NOT NULL) AND l.stands = (
      NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.id) AND NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.reused_from))
  ON CONFLICT DO NOTHING;
  INSERT INTO marks SELECT y.id, NEW.seq, NEW.at, NEW.cycles FROM lots l
  JOIN tallies y ON y.lot = l.id AND ifnull(y.job, 0) = ifnull(NEW.job, 0) AND ifnull(y.device, 0) = ifnull(NEW.device, 0)
  WHERE l.task = NEW.task AND l.board = NEW.board AND l.kind = NEW.kind AND l.environment = NEW.environment
    AND l.policy = NEW.policy AND l.template = NEW.template AND l.status = NEW.status AND ifnull(l.stage, '') = ifnull(NEW.stage, '')
    AND ifnull(l.code, '') = ifnull(NEW.code, '') AND l.reused = (NEW.reused_from IS NOT NULL) AND l.stands = (
      NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.id) AND NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.reused_from));
  INSERT INTO spans VALUES (NEW.seq / 1024, NEW.at, NEW.at)
  ON CONFLICT DO UPDATE SET first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at);
END;

-- A doubt takes its record, and what was taken over from it, out of one tally and puts them into another.
CREATE TRIGGER doubts_before BEFORE INSERT ON doubts
WHEN NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.record) BEGIN
  DELETE FROM marks WHERE (tally, seq) IN (
    SELECT tally, seq FROM placed WHERE id = NEW.record OR reused_from = NEW.record);
END;
CREATE TRIGGER doubts_tallied AFTER INSERT ON doubts BEGIN
  INSERT INTO lots (task, board, kind, environment, policy, template, status, stage, code, reused, stands)
  SELECT DISTINCT task, board, kind, environment, policy, template, status, stage, code, reused, stands
  FROM placed WHERE (id = NEW.record OR reused_from = NEW.record) AND lot IS NULL;
  INSERT INTO tallies (lot, job, device)
  SELECT DISTINCT lot, job, device FROM placed WHERE (id = NEW.record OR reused_from = NEW.record) AND tally IS NULL;
  INSERT INTO marks SELECT tally, seq, at, cycles FROM placed WHERE id = NEW.record OR reused_from = NEW.record;
END;

-- With ids, for points of a scatter plot: reading twenty thousand whole rows for them takes a second.
DROP INDEX trials_of_task;
CREATE INDEX trials_of_task ON trials (task, seq, id);

-- It looked for both at once, which takes SQLite five times as long as one after the other.
DROP TRIGGER trials_once;
CREATE TRIGGER trials_once BEFORE INSERT ON trials
WHEN EXISTS (SELECT 1 FROM trials WHERE seq = NEW.seq) OR EXISTS (SELECT 1 FROM trials WHERE id = NEW.id) BEGIN
  SELECT RAISE(ABORT, 'trials are append-only');
END;
