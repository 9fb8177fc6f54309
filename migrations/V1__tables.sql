-- Where stocks trade. Dates of prices are dates in the exchange's time zone.
CREATE TABLE exchanges (
    code      text PRIMARY KEY CHECK (code ~ '^[A-Z0-9]{1,12}$'),
    name      text NOT NULL,
    time_zone text NOT NULL,             -- IANA name
    closes_at time NOT NULL              -- end of the regular session, local time
);

INSERT INTO exchanges (code, name, time_zone, closes_at) VALUES
    ('NYSE',     'New York Stock Exchange', 'America/New_York', '16:00'),
    ('NASDAQ',   'Nasdaq Stock Market',     'America/New_York', '16:00'),
    ('NYSEAMER', 'NYSE American',           'America/New_York', '16:00'),
    ('NYSEARCA', 'NYSE Arca',               'America/New_York', '16:00');

-- One row, one counter: every committed change of data or keys draws the next number from it. Drawing locks the row
-- until the transaction ends, so numbers become visible in their order and "all since n" misses none. Numbers are
-- microseconds of the epoch where the clock allows it, so that a database restored from a backup, or another one on the
-- same Redis, never draws a number again that cached answers are kept under.
CREATE TABLE revision (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    current  bigint NOT NULL
);
INSERT INTO revision (current) VALUES (0);

CREATE FUNCTION next_revision() RETURNS bigint LANGUAGE sql AS $$
    UPDATE revision SET current = greatest(current + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
    RETURNING current
$$;

CREATE TABLE stocks (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- a surrogate: symbols change (FB became META)
    symbol       text NOT NULL UNIQUE CHECK (symbol ~ '^[A-Z0-9][A-Z0-9.-]{0,11}$'),
    name         text NOT NULL,
    exchange     text NOT NULL REFERENCES exchanges,
    sector       text,
    industry     text,
    currency     text NOT NULL,
    market_cap   bigint CHECK (market_cap >= 0),
    data_version bigint NOT NULL,        -- the revision that last changed anything about this stock
    updated_at   timestamptz NOT NULL DEFAULT now() CHECK (isfinite(updated_at))
);
CREATE INDEX stocks_data_version ON stocks (data_version);

-- Feeds append day by day, readers read stock by stock: the key carries the whole bar, so that a range is read from
-- neighbouring index pages whatever the order of the heap. double precision keeps every decimal of up to 15 digits.
CREATE TABLE prices (
    stock_id       integer NOT NULL REFERENCES stocks,
    date           date NOT NULL,
    open           double precision NOT NULL,
    high           double precision NOT NULL,
    low            double precision NOT NULL,
    close          double precision NOT NULL,
    adjusted_close double precision NOT NULL,
    volume         bigint NOT NULL CHECK (volume >= 0),
    CHECK (isfinite(date)),
    PRIMARY KEY (stock_id, date) INCLUDE (open, high, low, close, adjusted_close, volume),
    -- NaN sorts above infinity here: a finite upper bound turns both away.
    CHECK (low > 0 AND high < 'infinity' AND low <= open AND open <= high AND low <= close AND close <= high),
    CHECK (adjusted_close > 0 AND adjusted_close < 'infinity')
) WITH (
    -- A day of a few thousand stocks is enough to vacuum for: until then its rows are read from the heap.
    autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 5000
);

CREATE TABLE corporate_actions (
    stock_id   integer NOT NULL REFERENCES stocks,
    ex_date    date NOT NULL CHECK (isfinite(ex_date)),
    kind       text NOT NULL CHECK (kind IN ('split', 'dividend')),
    split_from double precision CHECK (split_from > 0 AND split_from < 'infinity'),
    split_to   double precision CHECK (split_to > 0 AND split_to < 'infinity'),
    dividend   double precision CHECK (dividend > 0 AND dividend < 'infinity'),  -- a share, as paid
    PRIMARY KEY (stock_id, ex_date, kind),
    CHECK ((kind = 'split') = (split_from IS NOT NULL AND split_to IS NOT NULL)),
    CHECK ((kind = 'split') = (dividend IS NULL))
);

CREATE TABLE tiers (
    name                text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
    requests_per_minute integer NOT NULL CHECK (requests_per_minute BETWEEN 1 AND 10000000)
);
INSERT INTO tiers (name, requests_per_minute) VALUES ('free', 100), ('pro', 1000), ('enterprise', 10000);

CREATE TABLE api_keys (
    id          text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9]{12}$'),
    secret_hash text NOT NULL,           -- argon2id, PHC string
    owner       text NOT NULL,
    name        text NOT NULL,
    tier        text NOT NULL REFERENCES tiers,
    created_at  timestamptz NOT NULL DEFAULT now() CHECK (isfinite(created_at)),
    expires_at  timestamptz CHECK (isfinite(expires_at)),  -- null: never
    revoked_at  timestamptz CHECK (isfinite(revoked_at)),
    revision    bigint NOT NULL          -- the revision that last changed this key
);
CREATE INDEX api_keys_revision ON api_keys (revision);
CREATE INDEX api_keys_owner ON api_keys (owner);
