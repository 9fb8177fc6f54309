-- A role of least privilege for `tickerd serve`. Run it once, in the database of tickerd after `tickerd migrate`, as a
-- role that may create roles:
--
--     psql --dbname=tickerd --file=deploy/roles.sql
--     psql --dbname=tickerd --command='\password tickerd_serve'
--
-- Then set DATABASE_URL of the server to tickerd_serve. Migrations, loads and commands keep the owner of the tables, in
-- DATABASE_URL or DATABASE_DIRECT_URL. Where the role exists, each `tickerd migrate` grants it what new tables need.
--
-- A role belongs to the whole cluster of Postgres, and each database of tickerd there grants it the same. On Postgres
-- 14 everybody may create tables in the schema public: also run REVOKE CREATE ON SCHEMA public FROM PUBLIC.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tickerd_serve') THEN
        CREATE ROLE tickerd_serve LOGIN;
    END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I, as_of TO tickerd_serve', current_schema());
END
$$;

-- All data is read. The views of as_of show it as of an earlier time.
GRANT SELECT ON api_keys, audit, changes, corporate_action_versions, corporate_actions, corporate_actions_history,
    drawn_revisions, exchanges, former_symbol_versions, former_symbols, former_symbols_history, inherited_symbols,
    kept_windows, key_usage, price_versions, prices, prices_history, refinery_schema_history, revision, stock_versions, stocks,
    stocks_history, tiers, usage_batches, watchlists,
    as_of.corporate_actions, as_of.former_symbols, as_of.inherited_symbols, as_of.prices, as_of.stocks
    TO tickerd_serve;

-- Clients write watchlists. The server counts usage, and keeps the windows of limits over a restart without Redis.
GRANT INSERT, UPDATE, DELETE ON watchlists, usage_batches TO tickerd_serve;
GRANT INSERT, UPDATE ON key_usage TO tickerd_serve;
GRANT INSERT, DELETE ON kept_windows TO tickerd_serve;

-- Operators issue and revoke keys and set tiers through the admin API. Every change draws a revision and is audited:
-- entries of the audit can be added, and neither changed nor deleted.
GRANT INSERT, UPDATE ON api_keys, tiers TO tickerd_serve;
GRANT INSERT ON audit, drawn_revisions TO tickerd_serve;
GRANT UPDATE ON revision TO tickerd_serve;
