-- Lists of stocks that key holders keep, by the owner of their keys. A list is written and read as a whole, so it is one
-- row: what two requests add at once is added one after the other, under the row's lock. By the stocks' ids, so that a
-- renamed stock stays in it; no stock is ever deleted.
CREATE TABLE watchlists (
    id         text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9]{16}$'),
    owner      text NOT NULL,            -- as in api_keys
    name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
    stock_ids  integer[] NOT NULL CONSTRAINT watchlists_length CHECK (cardinality(stock_ids) <= 100),  -- in their order
    created_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(created_at)),
    updated_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(updated_at)),
    CONSTRAINT watchlists_name UNIQUE (owner, name)
);

-- Whoever makes a list waits for others who make one of the same owner, and then sees theirs: each statement in a
-- function looks anew. So of many at once none is one too many. Of a name that is there already the table itself says so:
-- whoever sends a list again hears that it is there, at the bound as well.
CREATE FUNCTION bound_watchlists() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('watchlists of ' || NEW.owner, 0));
    IF (SELECT count(*) FROM watchlists WHERE owner = NEW.owner) >= 100
        AND NOT EXISTS (SELECT FROM watchlists WHERE owner = NEW.owner AND name = NEW.name) THEN
        RAISE EXCEPTION 'this owner has 100 watchlists'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'watchlists_per_owner';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER watchlists_bound BEFORE INSERT ON watchlists FOR EACH ROW EXECUTE FUNCTION bound_watchlists();
