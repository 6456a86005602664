-- Every wait is told but those that are as planned, and a lost cache, which is made again by itself: a machine that starts no more
-- processes needs somebody as much as a full disk does, and so does what nobody has thought of yet.
DROP TRIGGER events_told;
CREATE TRIGGER events_told AFTER INSERT ON events
WHEN (NEW.type = 'state' AND NEW.data ->> '$.state' IN ('done', 'failed', 'cancelled'))
  OR (NEW.type = 'waiting' AND NEW.data ->> '$.waiting.code' NOT IN ('WINDOW', 'TURN', 'SAME_TASKS', 'CACHE_LOST'))
BEGIN
  INSERT INTO deliveries (job, event, waiting, reason, url, at, next_at)
  SELECT
    NEW.job,
    'job.' || iif(NEW.type = 'waiting', 'waiting', NEW.data ->> '$.state'),
    NEW.data -> '$.waiting',
    ifnull(NEW.data ->> '$.waiting.code', ''),
    told.url,
    NEW.at,
    NEW.at
  FROM (
    SELECT value AS url FROM jobs, json_each(jobs.webhooks) WHERE jobs.id = NEW.job
    UNION
    SELECT url FROM farm_webhooks
  ) AS told
  WHERE true
  ON CONFLICT DO NOTHING;
END;
