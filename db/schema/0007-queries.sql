-- Queries that people have saved under a name. What is in them is checked when they run.
CREATE TABLE queries (
  name TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  sql TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
