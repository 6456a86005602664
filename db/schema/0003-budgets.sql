-- Bytes of RAM and flash that a job's network may take; null: what the board has.
ALTER TABLE jobs ADD COLUMN ram_budget INTEGER;
ALTER TABLE jobs ADD COLUMN flash_budget INTEGER;
