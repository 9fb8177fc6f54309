-- A hint of each key's secret: of the wrong secrets that are sent, all but one in 256 are refused without argon2id, so that
-- nobody wears that out. It is 8 bits of a digest of the id and the secret, which has 190. Null where the key was issued by
-- the version before, which goes on working on this table: it is added when the key is next proven.
ALTER TABLE api_keys ADD COLUMN secret_hint smallint CHECK (secret_hint BETWEEN 0 AND 255);

-- A hash that is replaced by hand takes the hint of the secret before with it.
CREATE FUNCTION forget_hint() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.secret_hint := NULL;
    RETURN NEW;
END
$$;
CREATE TRIGGER api_keys_hint BEFORE UPDATE OF secret_hash ON api_keys FOR EACH ROW
    WHEN (NEW.secret_hash <> OLD.secret_hash AND NEW.secret_hint IS NOT DISTINCT FROM OLD.secret_hint)
    EXECUTE FUNCTION forget_hint();

-- The audit as it was, without the hint: that one was changed is written down as that a secret was replaced, for it locks the
-- key's holder out; that one was added is no change.
CREATE OR REPLACE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hidden CONSTANT text[] := ARRAY['secret_hash', 'secret_hint', 'revision'];
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
        IF to_jsonb(OLD) -> 'secret_hash' <> to_jsonb(NEW) -> 'secret_hash'
            OR nullif(to_jsonb(OLD) -> 'secret_hint', 'null') <> to_jsonb(NEW) -> 'secret_hint' THEN
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
