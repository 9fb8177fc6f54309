-- What an instance without Redis admitted in its last hour, kept over a restart. The next instance counts
-- them when it starts, and replaces them by its own when it stops.
CREATE TABLE kept_windows (
    instance bigint NOT NULL,
    key_id text NOT NULL,
    -- Requests by their age when they were kept, in milliseconds.
    ages_ms bigint[] NOT NULL,
    requests bigint[] NOT NULL CHECK (cardinality(requests) = cardinality(ages_ms)),
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (instance, key_id)
);
