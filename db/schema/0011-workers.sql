-- A scope for hosts that offer devices: 'work' may do that and nothing else.
CREATE TABLE scoped (
  name TEXT PRIMARY KEY NOT NULL,
  scope TEXT NOT NULL CHECK (scope IN ('read', 'tune', 'work', 'admin')),
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  created_at TEXT NOT NULL,
  revoked_at TEXT
) STRICT;
INSERT INTO scoped SELECT name, scope, hash, created_at, revoked_at FROM tokens;
DROP TABLE tokens;
ALTER TABLE scoped RENAME TO tokens;
