-- First: what refers to the table takes a weaker lock on it, and a load that came between would wait in a circle.
ALTER TABLE stocks
    ADD COLUMN delisted_on date CHECK (isfinite(delisted_on)),  -- the last day of trading; null while it is listed
    -- Whether adjusted closes are computed here from raw closes and corporate actions, or are those of a feed.
    ADD COLUMN computes_adjusted_close boolean NOT NULL DEFAULT false;

-- A stock keeps its id and its history when its symbol changes: this is what it was called before.
CREATE TABLE former_symbols (
    symbol      text NOT NULL CHECK (symbol ~ '^[A-Z0-9][A-Z0-9.-]{0,11}$'),
    stock_id    integer NOT NULL REFERENCES stocks,
    replaced_on date NOT NULL CHECK (isfinite(replaced_on)),  -- the first day under the symbol that came after
    PRIMARY KEY (symbol, stock_id)
);
CREATE INDEX former_symbols_stock_id ON former_symbols (stock_id);

-- Which stock is meant by a symbol that none has now: the one that had it last. Whoever takes a symbol over is meant by
-- it from then on; that another one had it before stays in former_symbols.
CREATE VIEW inherited_symbols AS
    SELECT symbol, stock_id, replaced_on FROM former_symbols f
    WHERE NOT EXISTS (SELECT FROM stocks s WHERE s.symbol = f.symbol)
      AND NOT EXISTS (SELECT FROM former_symbols later WHERE later.symbol = f.symbol
                      AND (later.replaced_on, later.stock_id) > (f.replaced_on, f.stock_id));
