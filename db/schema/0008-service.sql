-- Who may use a daemon beyond its own machine. Only the hash of a token is kept; a revoked one stays, so that its name is not given again.
CREATE TABLE tokens (
  name TEXT PRIMARY KEY NOT NULL,
  scope TEXT NOT NULL CHECK (scope IN ('read', 'tune', 'admin')),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_at TEXT NOT NULL,
  revoked_at TEXT
) STRICT;

-- Requests that named an Idempotency-Key, and what they were answered. 'lost': the daemon ended before it had answered.
CREATE TABLE answers (
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  request BLOB NOT NULL CHECK (length(request) = 32),
  state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'lost')),
  status INTEGER,
  type TEXT,
  body TEXT,
  at TEXT NOT NULL,
  PRIMARY KEY (owner, key),
  CHECK ((state = 'done') = (status IS NOT NULL AND type IS NOT NULL AND body IS NOT NULL))
) STRICT;
CREATE INDEX answers_by_time ON answers (at);
