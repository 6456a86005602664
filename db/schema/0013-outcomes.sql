-- Outcomes: what became of a job's trials on one device, whatever they tried. Some fifty rows a job, where its tallies are a thousand:
-- they answer what is asked of jobs, devices and failures. A tally lies in one outcome as it lies in one lot.

CREATE TABLE outcomes (
  id INTEGER PRIMARY KEY,
  job TEXT,
  device TEXT,
  board TEXT NOT NULL,
  kind TEXT NOT NULL,
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
  best REAL
) STRICT;
CREATE UNIQUE INDEX outcomes_once ON outcomes (
  ifnull(job, 0), ifnull(device, 0), board, kind, status, ifnull(stage, ''), ifnull(code, ''), reused, stands
);
CREATE INDEX outcomes_of_job ON outcomes (job);

ALTER TABLE tallies ADD COLUMN outcome INTEGER;
CREATE INDEX tallies_of_outcome ON tallies (outcome);

-- The outcome of each tally; of those whose outcome is not there yet, no row.
CREATE VIEW settled AS
SELECT y.id AS tally, o.id AS outcome
FROM tallies y JOIN lots l ON l.id = y.lot
JOIN outcomes o ON ifnull(o.job, 0) = ifnull(y.job, 0) AND ifnull(o.device, 0) = ifnull(y.device, 0) AND o.board = l.board
  AND o.kind = l.kind AND o.status = l.status AND ifnull(o.stage, '') = ifnull(l.stage, '')
  AND ifnull(o.code, '') = ifnull(l.code, '') AND o.reused = l.reused AND o.stands = l.stands;

INSERT INTO outcomes (job, device, board, kind, status, stage, code, reused, stands, trials, first_seq, last_seq, first_at, last_at, best)
SELECT job, device, board, kind, status, stage, code, reused, stands, sum(trials), min(first_seq), max(last_seq), min(first_at),
  max(last_at), min(best)
FROM tallied GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
UPDATE tallies SET outcome = (SELECT outcome FROM settled WHERE tally = tallies.id);

-- Once for a tally, and not for each trial.
CREATE TRIGGER tallies_settled AFTER INSERT ON tallies BEGIN
  INSERT INTO outcomes (job, device, board, kind, status, stage, code, reused, stands)
  SELECT NEW.job, NEW.device, board, kind, status, stage, code, reused, stands FROM lots WHERE id = NEW.lot ON CONFLICT DO NOTHING;
  UPDATE tallies SET outcome = (SELECT outcome FROM settled WHERE tally = NEW.id) WHERE id = NEW.id;
END;

-- As they were, and the outcome with them.
DROP TRIGGER marks_counted;
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
  UPDATE outcomes SET
    trials = trials + 1,
    first_seq = min(ifnull(first_seq, NEW.seq), NEW.seq),
    last_seq = max(ifnull(last_seq, NEW.seq), NEW.seq),
    first_at = min(ifnull(first_at, NEW.at), NEW.at),
    last_at = max(ifnull(last_at, NEW.at), NEW.at),
    best = min(ifnull(best, NEW.cycles), ifnull(NEW.cycles, best))
  WHERE id = (SELECT outcome FROM tallies WHERE id = NEW.tally);
END;
DROP TRIGGER marks_uncounted;
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
  UPDATE outcomes SET
    (trials, first_seq, last_seq, first_at, last_at, best) =
    (SELECT sum(trials), min(first_seq), max(last_seq), min(first_at), max(last_at), min(best) FROM tallies WHERE outcome = outcomes.id)
  WHERE id = (SELECT outcome FROM tallies WHERE id = OLD.tally);
  DELETE FROM lots WHERE id = (SELECT lot FROM tallies WHERE id = OLD.tally) AND trials = 0;
  DELETE FROM outcomes WHERE id = (SELECT outcome FROM tallies WHERE id = OLD.tally) AND trials = 0;
  DELETE FROM tallies WHERE id = OLD.tally AND trials = 0;
END;
