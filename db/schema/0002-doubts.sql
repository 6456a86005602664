-- Records that do not stand: their device failed the health check that came next. A trial is never changed, so what is held
-- against it has a table of its own. As with trials nothing is ever taken back; a doubted candidate is measured again instead.
CREATE TABLE doubts (
  record TEXT PRIMARY KEY,
  at TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER doubts_keep BEFORE UPDATE ON doubts BEGIN
  SELECT RAISE(ABORT, 'doubts are append-only');
END;
CREATE TRIGGER doubts_stay BEFORE DELETE ON doubts BEGIN
  SELECT RAISE(ABORT, 'doubts are append-only');
END;
