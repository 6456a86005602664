-- A log of a million trials that answers at once. `trials` stays what was measured; what is here is worked out from it by triggers,
-- in the transaction of the trial or doubt, and can be made again at any time (db/summaries.ts).

-- Words of a task, for filters and lists; null where a workload from elsewhere does not have them.
ALTER TABLE tasks ADD COLUMN op TEXT;
ALTER TABLE tasks ADD COLUMN shape TEXT;
DROP TRIGGER tasks_keep;

CREATE VIEW task_words AS
WITH sound AS (SELECT id, iif(json_valid(workload), workload, '{}') AS workload FROM tasks),
operands AS (
  SELECT s.id, side.value AS side, o.key AS place,
    ifnull(nullif((
      SELECT group_concat(d.value, 'x' ORDER BY d.key)
      FROM json_each(iif(o.type = 'object', o.value, '{}'), '$.shape') d), ''), 'scalar') AS text
  FROM sound s, json_each('["inputs", "outputs"]') side, json_each(s.workload, '$.' || side.value) o
)
SELECT s.id,
  iif(json_type(s.workload, '$.op') = 'text', json_extract(s.workload, '$.op'), NULL) AS op,
  (SELECT group_concat(text, ', ' ORDER BY place) FROM operands WHERE id = s.id AND side = 'inputs') || ' -> ' ||
  (SELECT group_concat(text, ', ' ORDER BY place) FROM operands WHERE id = s.id AND side = 'outputs') AS shape
FROM sound s;

UPDATE tasks SET (op, shape) = (SELECT w.op, w.shape FROM task_words w WHERE w.id = tasks.id);
CREATE TRIGGER tasks_keep BEFORE UPDATE OF id, workload ON tasks BEGIN
  SELECT RAISE(ABORT, 'tasks are append-only');
END;
CREATE TRIGGER tasks_worded AFTER INSERT ON tasks BEGIN
  UPDATE tasks SET (op, shape) = (SELECT w.op, w.shape FROM task_words w WHERE w.id = NEW.id) WHERE id = NEW.id;
END;

-- Which tasks occur in which network, layer by layer. Written when a model comes, or is first used again.
CREATE TABLE layers (
  model TEXT NOT NULL REFERENCES models (id),
  position INTEGER NOT NULL,
  name TEXT NOT NULL,
  task TEXT NOT NULL REFERENCES tasks (id),
  macs INTEGER NOT NULL,
  PRIMARY KEY (model, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX layers_of_task ON layers (task, model);

-- Trials that are alike in everything but their config and count: how many, when, and the best. `key` is the columns from job to
-- stands as one text, equal also where some are null. reused: it took a measurement over. stands: nothing is held against it.
CREATE TABLE tallies (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  job TEXT,
  task TEXT NOT NULL,
  board TEXT NOT NULL,
  kind TEXT NOT NULL,
  environment INTEGER NOT NULL,
  device TEXT,
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
CREATE INDEX tallies_of_task ON tallies (task, board, kind);
CREATE INDEX tallies_of_job ON tallies (job);

-- A trial's place in its tally, and what is asked of many trials at once: narrow, so that a million of them are soon read.
CREATE TABLE marks (
  tally INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at TEXT NOT NULL,
  cycles REAL,
  PRIMARY KEY (tally, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX trials_of_binary ON trials (binary) WHERE binary IS NOT NULL;
CREATE INDEX trials_reused ON trials (reused_from) WHERE reused_from IS NOT NULL;
-- What they answered, tallies answer.
DROP INDEX trials_of_board;
DROP INDEX trials_counted;

-- Each trial with the key of the tally where it belongs now.
CREATE VIEW placed AS
SELECT *, json_array(job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands) AS key
FROM (
  SELECT seq, id, at, cycles, reused_from, job, task, board, kind, environment, device, policy, template, status, stage, code,
    reused_from IS NOT NULL AS reused,
    NOT EXISTS (SELECT 1 FROM doubts WHERE record IN (t.id, t.reused_from)) AS stands
  FROM trials t
);

INSERT INTO tallies (key, job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands)
SELECT DISTINCT key, job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands FROM placed;
INSERT INTO marks SELECT y.id, p.seq, p.at, p.cycles FROM placed p JOIN tallies y ON y.key = p.key;
UPDATE tallies SET (trials, first_seq, last_seq, first_at, last_at) =
  (SELECT count(*), min(seq), max(seq), min(at), max(at) FROM marks WHERE tally = tallies.id),
  (best, best_seq) =
  (SELECT cycles, seq FROM marks WHERE tally = tallies.id AND cycles IS NOT NULL ORDER BY cycles, seq LIMIT 1);

CREATE TRIGGER marks_counted AFTER INSERT ON marks BEGIN
  UPDATE tallies SET
    trials = trials + 1,
    first_seq = min(ifnull(first_seq, NEW.seq), NEW.seq),
    last_seq = max(ifnull(last_seq, NEW.seq), NEW.seq),
    first_at = min(ifnull(first_at, NEW.at), NEW.at),
    last_at = max(ifnull(last_at, NEW.at), NEW.at)
  WHERE id = NEW.tally;
  UPDATE tallies SET best = NEW.cycles, best_seq = NEW.seq
  WHERE id = NEW.tally AND NEW.cycles IS NOT NULL AND (best IS NULL OR (NEW.cycles, NEW.seq) < (best, best_seq));
END;
CREATE TRIGGER marks_uncounted AFTER DELETE ON marks BEGIN
  DELETE FROM tallies WHERE id = OLD.tally AND trials = 1;
  UPDATE tallies SET (trials, first_seq, last_seq, first_at, last_at) =
    (SELECT count(*), min(seq), max(seq), min(at), max(at) FROM marks WHERE tally = OLD.tally)
  WHERE id = OLD.tally;
  UPDATE tallies SET (best, best_seq) =
    (SELECT cycles, seq FROM marks WHERE tally = OLD.tally AND cycles IS NOT NULL ORDER BY cycles, seq LIMIT 1)
  WHERE id = OLD.tally AND best_seq = OLD.seq;
END;

CREATE TRIGGER trials_tallied AFTER INSERT ON trials BEGIN
  INSERT INTO tallies (key, job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands)
  SELECT key, job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands
  FROM placed WHERE seq = NEW.seq ON CONFLICT (key) DO NOTHING;
  INSERT INTO marks SELECT y.id, p.seq, p.at, p.cycles FROM placed p JOIN tallies y ON y.key = p.key WHERE p.seq = NEW.seq;
END;

-- A doubt takes its record, and what was taken over from it, out of one tally and puts them into another.
CREATE TRIGGER doubts_before BEFORE INSERT ON doubts
WHEN NOT EXISTS (SELECT 1 FROM doubts WHERE record = NEW.record) BEGIN
  DELETE FROM marks WHERE (tally, seq) IN (
    SELECT y.id, p.seq FROM placed p JOIN tallies y ON y.key = p.key WHERE p.id = NEW.record OR p.reused_from = NEW.record);
END;
CREATE TRIGGER doubts_tallied AFTER INSERT ON doubts BEGIN
  INSERT INTO tallies (key, job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands)
  SELECT DISTINCT key, job, task, board, kind, environment, device, policy, template, status, stage, code, reused, stands
  FROM placed WHERE id = NEW.record OR reused_from = NEW.record ON CONFLICT (key) DO NOTHING;
  INSERT INTO marks
  SELECT y.id, p.seq, p.at, p.cycles FROM placed p JOIN tallies y ON y.key = p.key
  WHERE p.id = NEW.record OR p.reused_from = NEW.record;
END;
