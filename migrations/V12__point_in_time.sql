-- Point in time: what was published stays readable after it is corrected or deleted.
--
-- Every transaction that changes market data is a change. A row knows the change that published it,
-- and a replaced or deleted row goes into a table of its history. All of it is added: the release
-- before goes on working on these tables, and its loads are recorded too.

-- Taken by loads in this order. A migration that waits for one must not hold what it needs next.
LOCK TABLE former_symbols, corporate_actions, stocks, prices IN ACCESS EXCLUSIVE MODE;

CREATE TABLE changes (
    id       integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision bigint NOT NULL             -- when it was published, in microseconds of the epoch
);
-- Nothing is known of the time before.
INSERT INTO changes (revision) VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

-- The change of this transaction.
CREATE FUNCTION current_change() RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    change integer := nullif(current_setting('tickerd.change', true), '')::integer;
BEGIN
    IF change IS NULL THEN
        INSERT INTO changes (revision) VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
        RETURNING id INTO change;
        PERFORM set_config('tickerd.change', change::text, true);
    END IF;
    RETURN change;
END
$$;

-- The time is that of the commit: of two changes of one row, the one that waited for the other is
-- the later one, whatever each did before. A change that is deleted meanwhile draws none.
CREATE FUNCTION publish_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE changes SET revision = next_revision() WHERE id = NEW.id;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER changes_published AFTER INSERT ON changes DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION publish_change();

-- Null: published before the first change. The default is set apart: existing rows stay null.
ALTER TABLE prices ADD COLUMN change_id integer;
ALTER TABLE prices ALTER COLUMN change_id SET DEFAULT current_change();
ALTER TABLE corporate_actions ADD COLUMN change_id integer;
ALTER TABLE corporate_actions ALTER COLUMN change_id SET DEFAULT current_change();
ALTER TABLE stocks ADD COLUMN change_id integer;
ALTER TABLE stocks ALTER COLUMN change_id SET DEFAULT current_change();
ALTER TABLE former_symbols ADD COLUMN change_id integer;
ALTER TABLE former_symbols ALTER COLUMN change_id SET DEFAULT current_change();

-- Replaced and deleted rows. Each was published by the change `since` and replaced by `until`.
CREATE TABLE prices_history (
    stock_id       integer NOT NULL,
    date           date NOT NULL,
    open           double precision NOT NULL,
    high           double precision NOT NULL,
    low            double precision NOT NULL,
    close          double precision NOT NULL,
    adjusted_close double precision NOT NULL,
    volume         bigint NOT NULL,
    since          integer,
    until          integer NOT NULL
);
CREATE INDEX prices_history_stock_id ON prices_history (stock_id, date);

CREATE TABLE corporate_actions_history (
    stock_id         integer NOT NULL,
    ex_date          date NOT NULL,
    kind             text NOT NULL,
    type             text COLLATE "C" NOT NULL,
    split_from       double precision,
    split_to         double precision,
    dividend         double precision,
    declaration_date date,
    record_date      date,
    pay_date         date,
    frequency        smallint,
    since            integer,
    until            integer NOT NULL
);
CREATE INDEX corporate_actions_history_stock_id ON corporate_actions_history (stock_id, ex_date);

CREATE TABLE stocks_history (
    id                      integer NOT NULL,
    symbol                  text NOT NULL,
    name                    text NOT NULL,
    exchange                text NOT NULL,
    sector                  text,
    industry                text,
    currency                text NOT NULL,
    market_cap              bigint,
    delisted_on             date,
    computes_adjusted_close boolean NOT NULL,
    type                    text,
    country                 text,
    isin                    text,
    cusip                   text,
    figi                    text,
    cik                     text,
    since                   integer,
    until                   integer NOT NULL
);
CREATE INDEX stocks_history_id ON stocks_history (id);
CREATE INDEX stocks_history_symbol ON stocks_history (symbol);
CREATE INDEX stocks_history_symbol_c ON stocks_history (symbol COLLATE "C");

CREATE TABLE former_symbols_history (
    symbol      text NOT NULL,
    stock_id    integer NOT NULL,
    replaced_on date NOT NULL,
    since       integer,
    until       integer NOT NULL
);
CREATE INDEX former_symbols_history_symbol ON former_symbols_history (symbol);

-- A row that this very change has published was never visible, and leaves no history.
CREATE FUNCTION keep_prices() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer;
BEGIN
    -- Statements that change nothing are no change.
    IF EXISTS (SELECT FROM replaced) THEN
        change := current_change();
        INSERT INTO prices_history (stock_id, date, open, high, low, close, adjusted_close, volume, since, until)
        SELECT stock_id, date, open, high, low, close, adjusted_close, volume, change_id, change
        FROM replaced WHERE change_id IS DISTINCT FROM change;
    END IF;
    RETURN NULL;
END
$$;
CREATE FUNCTION set_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.change_id := current_change();
    RETURN NEW;
END
$$;
-- Computed adjusted closes follow from the closes and actions of a time. A statement that only
-- computes them anew says so, and no history is kept of them.
CREATE TRIGGER prices_history AFTER UPDATE ON prices REFERENCING OLD TABLE AS replaced FOR EACH STATEMENT
    WHEN (current_setting('tickerd.only_computes', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION keep_prices();
CREATE TRIGGER prices_history_deleted AFTER DELETE ON prices REFERENCING OLD TABLE AS replaced FOR EACH STATEMENT
    EXECUTE FUNCTION keep_prices();
-- A merge of many rows sets the change itself, which is faster.
CREATE TRIGGER prices_change BEFORE UPDATE ON prices FOR EACH ROW
    WHEN (NEW.change_id IS NOT DISTINCT FROM OLD.change_id
          AND current_setting('tickerd.only_computes', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION set_change();

CREATE FUNCTION keep_action() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer := current_change();
BEGIN
    IF OLD.change_id IS DISTINCT FROM change THEN
        INSERT INTO corporate_actions_history (
            stock_id, ex_date, kind, type, split_from, split_to, dividend, declaration_date, record_date, pay_date,
            frequency, since, until)
        VALUES (OLD.stock_id, OLD.ex_date, OLD.kind, OLD.type, OLD.split_from, OLD.split_to, OLD.dividend,
                OLD.declaration_date, OLD.record_date, OLD.pay_date, OLD.frequency, OLD.change_id, change);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.change_id := change;
    RETURN NEW;
END
$$;
CREATE TRIGGER corporate_actions_history BEFORE UPDATE ON corporate_actions FOR EACH ROW
    WHEN ((OLD.stock_id, OLD.ex_date, OLD.kind, OLD.type, OLD.split_from, OLD.split_to, OLD.dividend,
           OLD.declaration_date, OLD.record_date, OLD.pay_date, OLD.frequency)
          IS DISTINCT FROM
          (NEW.stock_id, NEW.ex_date, NEW.kind, NEW.type, NEW.split_from, NEW.split_to, NEW.dividend,
           NEW.declaration_date, NEW.record_date, NEW.pay_date, NEW.frequency))
    EXECUTE FUNCTION keep_action();
CREATE TRIGGER corporate_actions_history_deleted BEFORE DELETE ON corporate_actions
    FOR EACH ROW EXECUTE FUNCTION keep_action();

CREATE FUNCTION keep_stock() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer;
BEGIN
    -- The first load of prices sets the origin of adjusted closes. Nothing was published before.
    IF TG_OP = 'UPDATE' AND OLD.computes_adjusted_close <> NEW.computes_adjusted_close
        AND (to_jsonb(OLD) - '{computes_adjusted_close,data_version,updated_at}'::text[])
            = (to_jsonb(NEW) - '{computes_adjusted_close,data_version,updated_at}'::text[])
        AND NOT EXISTS (SELECT FROM prices WHERE stock_id = OLD.id) THEN
        RETURN NEW;
    END IF;
    change := current_change();
    IF OLD.change_id IS DISTINCT FROM change THEN
        INSERT INTO stocks_history (
            id, symbol, name, exchange, sector, industry, currency, market_cap, delisted_on, computes_adjusted_close,
            type, country, isin, cusip, figi, cik, since, until)
        VALUES (OLD.id, OLD.symbol, OLD.name, OLD.exchange, OLD.sector, OLD.industry, OLD.currency, OLD.market_cap,
                OLD.delisted_on, OLD.computes_adjusted_close, OLD.type, OLD.country, OLD.isin, OLD.cusip, OLD.figi,
                OLD.cik, OLD.change_id, change);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.change_id := change;
    RETURN NEW;
END
$$;
-- Every load gives its stocks a new data version; that alone is no change of the stock.
CREATE TRIGGER stocks_history BEFORE UPDATE ON stocks FOR EACH ROW
    WHEN ((OLD.symbol, OLD.name, OLD.exchange, OLD.sector, OLD.industry, OLD.currency, OLD.market_cap, OLD.delisted_on,
           OLD.computes_adjusted_close, OLD.type, OLD.country, OLD.isin, OLD.cusip, OLD.figi, OLD.cik)
          IS DISTINCT FROM
          (NEW.symbol, NEW.name, NEW.exchange, NEW.sector, NEW.industry, NEW.currency, NEW.market_cap, NEW.delisted_on,
           NEW.computes_adjusted_close, NEW.type, NEW.country, NEW.isin, NEW.cusip, NEW.figi, NEW.cik))
    EXECUTE FUNCTION keep_stock();
CREATE TRIGGER stocks_history_deleted BEFORE DELETE ON stocks FOR EACH ROW EXECUTE FUNCTION keep_stock();

-- Later, computed adjusted closes are replaced without a history. Those of the feed get one now,
-- also where the computed ones are the same.
CREATE FUNCTION keep_feed_closes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE prices SET adjusted_close = adjusted_close WHERE stock_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER stocks_origin AFTER UPDATE OF computes_adjusted_close ON stocks FOR EACH ROW
    WHEN (NEW.computes_adjusted_close AND NOT OLD.computes_adjusted_close) EXECUTE FUNCTION keep_feed_closes();

-- It would remove what was published without a trace.
CREATE FUNCTION refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE would lose what % had published: use DELETE, which keeps it', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER prices_truncate BEFORE TRUNCATE ON prices EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER corporate_actions_truncate BEFORE TRUNCATE ON corporate_actions EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER stocks_truncate BEFORE TRUNCATE ON stocks EXECUTE FUNCTION refuse_truncate();
CREATE TRIGGER former_symbols_truncate BEFORE TRUNCATE ON former_symbols EXECUTE FUNCTION refuse_truncate();

CREATE FUNCTION keep_former_symbol() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer := current_change();
BEGIN
    IF OLD.change_id IS DISTINCT FROM change THEN
        INSERT INTO former_symbols_history (symbol, stock_id, replaced_on, since, until)
        VALUES (OLD.symbol, OLD.stock_id, OLD.replaced_on, OLD.change_id, change);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    NEW.change_id := change;
    RETURN NEW;
END
$$;
CREATE TRIGGER former_symbols_history BEFORE UPDATE OR DELETE ON former_symbols
    FOR EACH ROW EXECUTE FUNCTION keep_former_symbol();

-- All versions of the rows of a table: published by the change `since` (null: before the first one)
-- and replaced or deleted by `until` (null: not yet).
CREATE VIEW price_versions AS
    SELECT stock_id, date, open, high, low, close, adjusted_close, volume, change_id AS since,
           NULL::integer AS until
    FROM prices
    UNION ALL
    SELECT stock_id, date, open, high, low, close, adjusted_close, volume, since, until FROM prices_history;

CREATE VIEW corporate_action_versions AS
    SELECT stock_id, ex_date, kind, type, split_from, split_to, dividend, declaration_date, record_date, pay_date,
           frequency, change_id AS since, NULL::integer AS until
    FROM corporate_actions
    UNION ALL
    SELECT stock_id, ex_date, kind, type, split_from, split_to, dividend, declaration_date, record_date, pay_date,
           frequency, since, until
    FROM corporate_actions_history;

CREATE VIEW stock_versions AS
    SELECT id, symbol, name, exchange, sector, industry, currency, market_cap, delisted_on, computes_adjusted_close,
           type, country, isin, cusip, figi, cik, change_id AS since, NULL::integer AS until
    FROM stocks
    UNION ALL
    SELECT id, symbol, name, exchange, sector, industry, currency, market_cap, delisted_on, computes_adjusted_close,
           type, country, isin, cusip, figi, cik, since, until
    FROM stocks_history;

CREATE VIEW former_symbol_versions AS
    SELECT symbol, stock_id, replaced_on, change_id AS since, NULL::integer AS until FROM former_symbols
    UNION ALL
    SELECT symbol, stock_id, replaced_on, since, until FROM former_symbols_history;

-- The tables as they were published at the time `tickerd.as_of`, in microseconds of the epoch. They
-- have the names of the tables: a statement reads them if this schema is first in its search path.
--
-- The conditions are above each union, so that Postgres reads both parts in the order of an index.
DO $$
BEGIN
    IF to_regnamespace('as_of') IS NULL THEN
        CREATE SCHEMA as_of;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE insufficient_privilege USING MESSAGE = format(
        'the role %1$I may not create a schema: let a role that may do so run CREATE SCHEMA as_of AUTHORIZATION %1$I '
        'in this database. Then migrate again', current_user);
END
$$;

CREATE VIEW as_of.prices AS
    SELECT stock_id, date, open, high, low, close, adjusted_close, volume
    FROM price_versions
    WHERE (since IS NULL OR since IN (SELECT id FROM changes
                                      WHERE revision <= (SELECT current_setting('tickerd.as_of')::bigint)))
      AND (until IS NULL OR until IN (SELECT id FROM changes
                                      WHERE revision > (SELECT current_setting('tickerd.as_of')::bigint)));

CREATE VIEW as_of.corporate_actions AS
    SELECT stock_id, ex_date, kind, type, split_from, split_to, dividend, declaration_date, record_date, pay_date,
           frequency
    FROM corporate_action_versions
    WHERE (since IS NULL OR since IN (SELECT id FROM changes
                                      WHERE revision <= (SELECT current_setting('tickerd.as_of')::bigint)))
      AND (until IS NULL OR until IN (SELECT id FROM changes
                                      WHERE revision > (SELECT current_setting('tickerd.as_of')::bigint)));

-- What was published at a time has one version: 0. When a stock or its prices had changed is not kept.
CREATE VIEW as_of.stocks AS
    SELECT id, symbol, name, exchange, sector, industry, currency, market_cap, 0::bigint AS data_version,
           NULL::timestamptz AS updated_at, delisted_on, computes_adjusted_close, type, country, isin, cusip, figi, cik
    FROM stock_versions
    WHERE (since IS NULL OR since IN (SELECT id FROM changes
                                      WHERE revision <= (SELECT current_setting('tickerd.as_of')::bigint)))
      AND (until IS NULL OR until IN (SELECT id FROM changes
                                      WHERE revision > (SELECT current_setting('tickerd.as_of')::bigint)));

CREATE VIEW as_of.former_symbols AS
    SELECT symbol, stock_id, replaced_on
    FROM former_symbol_versions
    WHERE (since IS NULL OR since IN (SELECT id FROM changes
                                      WHERE revision <= (SELECT current_setting('tickerd.as_of')::bigint)))
      AND (until IS NULL OR until IN (SELECT id FROM changes
                                      WHERE revision > (SELECT current_setting('tickerd.as_of')::bigint)));

CREATE VIEW as_of.inherited_symbols AS
    SELECT symbol, stock_id, replaced_on FROM as_of.former_symbols f
    WHERE NOT EXISTS (SELECT FROM as_of.stocks s WHERE s.symbol = f.symbol)
      AND NOT EXISTS (SELECT FROM as_of.former_symbols later WHERE later.symbol = f.symbol
                      AND (later.replaced_on, later.stock_id) > (f.replaced_on, f.stock_id));
