-- What a job asks for beside its budgets: when it may run, how it shares the farm, when it has seen enough.
ALTER TABLE jobs ADD COLUMN name TEXT;
-- Jobs that one request made, a board each.
ALTER TABLE jobs ADD COLUMN job_group TEXT;
ALTER TABLE jobs ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high'));
-- "20:00-07:00 Europe/Berlin"
ALTER TABLE jobs ADD COLUMN work_window TEXT;
-- It ends when no task became better by so many percent in so many trials.
ALTER TABLE jobs ADD COLUMN until_percent REAL;
ALTER TABLE jobs ADD COLUMN until_trials INTEGER;
-- Ids of the tasks to tune; null: all.
ALTER TABLE jobs ADD COLUMN only_tasks TEXT CHECK (json_valid(only_tasks));
ALTER TABLE jobs ADD COLUMN cloned_from TEXT;
-- URLs that are told of its end.
ALTER TABLE jobs ADD COLUMN webhooks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(webhooks));

-- The queue asks for those that have not ended, of many that have.
CREATE INDEX jobs_open ON jobs (seq) WHERE state IN ('queued', 'running', 'paused');
