-- What each key used, a row a day (UTC) and route. Instances add to it in batches.
CREATE TABLE key_usage (
    key_id       text NOT NULL REFERENCES api_keys,
    day          date NOT NULL CHECK (isfinite(day)),
    route        text NOT NULL,          -- the pattern of the path, as in /api/stocks/{symbol}
    requests     bigint NOT NULL CHECK (requests >= 0),
    refusals     bigint NOT NULL CHECK (refusals >= 0),    -- of the requests: those beyond the limit
    cache_hits   bigint NOT NULL CHECK (cache_hits >= 0),  -- of the requests: those answered from the cache
    bytes        bigint NOT NULL CHECK (bytes >= 0),       -- of bodies, as they were sent
    last_used_at timestamptz NOT NULL CHECK (isfinite(last_used_at)),
    PRIMARY KEY (key_id, day, route)
);
CREATE INDEX key_usage_day ON key_usage (day);

-- The newest batch that each instance stored, so that one whose answer got lost on the way can be sent again.
CREATE TABLE usage_batches (
    instance  bigint PRIMARY KEY,        -- drawn at random when a process starts
    sequence  bigint NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);
