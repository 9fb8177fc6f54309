-- The window of a tier's limit, in seconds. The previous release, which knows only a minute, inserts tiers without it.
ALTER TABLE tiers ADD COLUMN window_s integer NOT NULL DEFAULT 60 CHECK (window_s BETWEEN 10 AND 3600);
-- A later release renames this column, when no instance knows it by the old name.
COMMENT ON COLUMN tiers.requests_per_minute IS 'requests in any trailing window_s seconds';
