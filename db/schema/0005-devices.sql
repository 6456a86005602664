-- Devices: which ones somebody added, what somebody wants of them, what they came to, what happened to them, when they were at work.

-- A row for each that was added, held back or at work. It stays when the device is taken away, for its name is in records.
CREATE TABLE devices (
  name TEXT PRIMARY KEY,
  board TEXT NOT NULL,
  -- Where it was added: a serial port or HOST:PORT. Null: emulated, or not added by anybody.
  address TEXT,
  -- When somebody added it; null: it comes from the daemon's options, or was found on a port, or is gone.
  added_at TEXT,
  -- What somebody wants of it: no trials until it is released.
  held TEXT CHECK (held IN ('drained', 'quarantined')),
  held_reason TEXT,
  held_at TEXT,
  -- Over all time.
  trials INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  recoveries INTEGER NOT NULL DEFAULT 0,
  CHECK ((held IS NULL) = (held_at IS NULL))
) STRICT, WITHOUT ROWID;

-- Of each device the newest ten thousand of ninety days; db/devices.ts sees to that. job: for whom it was at work then.
CREATE TABLE device_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  device TEXT NOT NULL,
  at TEXT NOT NULL,
  event TEXT NOT NULL,
  detail TEXT NOT NULL,
  job TEXT
) STRICT;
CREATE INDEX device_events_of_device ON device_events (device, id);
CREATE INDEX device_events_at ON device_events (at);

-- How long trials held each device in each minute (of the epoch), and how many ended in it. Also of ninety days.
CREATE TABLE device_use (
  device TEXT NOT NULL,
  minute INTEGER NOT NULL,
  busy_ms REAL NOT NULL,
  trials INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  PRIMARY KEY (device, minute)
) STRICT, WITHOUT ROWID;
CREATE INDEX device_use_at ON device_use (minute);
