-- What some feeds have beside a bar. Null where a feed lacks it, and in rows of the release before.
-- The index of prices does not carry them: they are read on request only.
ALTER TABLE prices
    ADD COLUMN vwap   double precision,  -- volume-weighted average price
    ADD COLUMN trades bigint,
    -- Not validated: no row has values yet, and the table need not be read.
    ADD CONSTRAINT prices_details CHECK (vwap > 0 AND vwap < 'infinity' AND trades >= 0) NOT VALID;
ALTER TABLE prices_history
    ADD COLUMN vwap   double precision,
    ADD COLUMN trades bigint;

CREATE OR REPLACE FUNCTION keep_prices() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer;
BEGIN
    -- Statements that change nothing are no change.
    IF EXISTS (SELECT FROM replaced) THEN
        change := current_change();
        INSERT INTO prices_history (
            stock_id, date, open, high, low, close, adjusted_close, volume, vwap, trades, since, until)
        SELECT stock_id, date, open, high, low, close, adjusted_close, volume, vwap, trades, change_id, change
        FROM replaced WHERE change_id IS DISTINCT FROM change;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE VIEW price_versions AS
    SELECT stock_id, date, open, high, low, close, adjusted_close, volume, change_id AS since,
           NULL::integer AS until, vwap, trades
    FROM prices
    UNION ALL
    SELECT stock_id, date, open, high, low, close, adjusted_close, volume, since, until, vwap, trades
    FROM prices_history;

CREATE OR REPLACE VIEW as_of.prices AS
    SELECT stock_id, date, open, high, low, close, adjusted_close, volume, vwap, trades
    FROM price_versions
    WHERE (since IS NULL OR since IN (SELECT id FROM changes
                                      WHERE revision <= (SELECT current_setting('tickerd.as_of')::bigint)))
      AND (until IS NULL OR until IN (SELECT id FROM changes
                                      WHERE revision > (SELECT current_setting('tickerd.as_of')::bigint)));
