-- Finding stocks and events. All of it is added: the version before goes on working on these tables.

-- Words that are nearly right find what was meant: "micrsoft" finds Microsoft. The extension comes with Postgres (Debian has
-- it in the server's package), and whoever may create in a database may create it there.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- First: a load of actions holds this table before it writes to stocks, and would wait for us in a circle. Readers go on.
CREATE INDEX corporate_actions_ex_date ON corporate_actions (ex_date, stock_id, kind);

-- Symbols in the order of their bytes, on every server alike.
CREATE INDEX stocks_symbol_c ON stocks (symbol COLLATE "C");
CREATE INDEX stocks_trigrams ON stocks USING gin (name gin_trgm_ops, symbol gin_trgm_ops);
