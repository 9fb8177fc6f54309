-- Keys for operators: notes, rotation, search, who changed what. All of it is added: the version before goes on working
-- on these tables while instances are replaced one by one.

ALTER TABLE api_keys
    ADD COLUMN note     text,                                          -- for operators, never shown to callers
    ADD COLUMN limit_id text CHECK (limit_id ~ '^[A-Za-z0-9]{12}$'),   -- the key whose limit this one shares; null: its own
    ADD COLUMN replaces text UNIQUE REFERENCES api_keys;               -- the key that this one took over from
CREATE INDEX api_keys_limit ON api_keys (coalesce(limit_id, id));
CREATE INDEX api_keys_newest ON api_keys (created_at DESC, id DESC);

-- What a search looks through. Punctuation parts words, so that ann@example.com is found by "example".
CREATE FUNCTION key_words(owner text, name text, note text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT to_tsvector('pg_catalog.simple', translate(owner || ' ' || name || ' ' || coalesce(note, ''),
        '!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)))
$$;
CREATE INDEX api_keys_words ON api_keys USING gin (key_words(owner, name, note));

ALTER TABLE tiers ADD COLUMN revision bigint NOT NULL DEFAULT 0;       -- the revision that last changed this tier

-- Who changed which key or tier, when, and what. Written by triggers, in the transaction of the change: also where that
-- comes from an older version or from SQL.
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT now(),
    actor   text NOT NULL,               -- cli:NAME, http:NAME, or sql:ROLE where nobody said
    action  text NOT NULL,               -- issue, rotate, change, revoke, add, delete
    kind    text NOT NULL CHECK (kind IN ('key', 'tier')),
    subject text NOT NULL,               -- the key's id, or the tier's name
    was     jsonb,                       -- the columns that changed, as they were; null where there was none
    became  jsonb                        -- the same, as they became
);
CREATE INDEX audit_subject ON audit (subject, id);

-- Draws the next revision in the name of somebody: what this transaction changes is written down under that name.
CREATE FUNCTION next_revision_by(actor text) RETURNS bigint LANGUAGE sql AS $$
    SELECT set_config('tickerd.actor', actor, true);
    SELECT next_revision()
$$;

-- Its arguments: the kind, and the column that names the subject.
CREATE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hidden CONSTANT text[] := ARRAY['secret_hash', 'revision'];
    old_row jsonb := CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) - hidden END;
    new_row jsonb := CASE WHEN TG_OP IN ('UPDATE', 'INSERT') THEN to_jsonb(NEW) - hidden END;
    was jsonb := jsonb_strip_nulls(old_row);
    became jsonb := jsonb_strip_nulls(new_row);
    action text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        SELECT jsonb_object_agg(key, o.value), jsonb_object_agg(key, n.value) INTO was, became
        FROM jsonb_each(old_row) o JOIN jsonb_each(new_row) n USING (key) WHERE o.value <> n.value;
        -- That a secret was replaced, and neither the old hash nor the new one.
        IF to_jsonb(OLD) -> 'secret_hash' <> to_jsonb(NEW) -> 'secret_hash' THEN
            became := coalesce(became, '{}') || '{"secret": "replaced"}';
        END IF;
        IF became IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    action := CASE
        WHEN TG_OP IN ('DELETE', 'TRUNCATE') THEN 'delete'
        WHEN TG_OP = 'INSERT' AND TG_ARGV[0] = 'tier' THEN 'add'
        WHEN TG_OP = 'INSERT' AND became ? 'replaces' THEN 'rotate'
        WHEN TG_OP = 'INSERT' THEN 'issue'
        WHEN became ->> 'revoked_at' IS NOT NULL THEN 'revoke'
        ELSE 'change'
    END;
    INSERT INTO audit (actor, action, kind, subject, was, became)
    VALUES (coalesce(nullif(current_setting('tickerd.actor', true), ''), 'sql:' || session_user), action, TG_ARGV[0],
        coalesce(coalesce(new_row, old_row) ->> TG_ARGV[1], 'all'), was, became);
    RETURN NULL;
END
$$;
CREATE TRIGGER api_keys_audit AFTER INSERT OR UPDATE OR DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION write_audit('key', 'id');
CREATE TRIGGER tiers_audit AFTER INSERT OR UPDATE OR DELETE ON tiers
    FOR EACH ROW EXECUTE FUNCTION write_audit('tier', 'name');
CREATE TRIGGER api_keys_audit_all AFTER TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION write_audit('key', 'id');
CREATE TRIGGER tiers_audit_all AFTER TRUNCATE ON tiers
    FOR EACH STATEMENT EXECUTE FUNCTION write_audit('tier', 'name');
