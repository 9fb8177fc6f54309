-- What operators set of an exchange on the command line. All of it is added: the release before
-- goes on working on this table.
ALTER TABLE exchanges
    ADD COLUMN mic       text UNIQUE CHECK (mic ~ '^[A-Z0-9]{4}$'),       -- ISO 10383
    ADD COLUMN country   text CHECK (country ~ '^[A-Z]{2}$'),             -- ISO 3166-1
    ADD COLUMN currency  text CHECK (currency ~ '^[A-Z]{3}$'),            -- ISO 4217
    ADD COLUMN opens_at  time,           -- start of the regular session, local time
    -- The MIC that a built-in calendar has, or NONE. Null: that of the mic or the code, if it has one.
    ADD COLUMN calendar  text CHECK (calendar ~ '^[A-Z0-9]{4}$'),
    -- What the built-in calendar is looked up by.
    ADD COLUMN calendar_name text NOT NULL GENERATED ALWAYS AS (coalesce(calendar, mic, code)) STORED,
    ADD COLUMN revision  bigint NOT NULL DEFAULT 0,                       -- of its last change
    ADD CHECK (opens_at < closes_at);

INSERT INTO exchanges (code, name, time_zone, closes_at) VALUES ('BATS', 'Cboe BZX', 'America/New_York', '16:00')
ON CONFLICT (code) DO NOTHING;

-- A row that an operator gave other hours keeps them.
UPDATE exchanges e
SET mic = us.mic, country = 'US', currency = 'USD',
    opens_at = CASE WHEN e.closes_at = '16:00' THEN time '09:30' END
FROM (VALUES ('NYSE', 'XNYS'), ('NASDAQ', 'XNAS'), ('NYSEAMER', 'XASE'), ('NYSEARCA', 'ARCX'), ('BATS', 'BATS'))
    AS us (code, mic)
WHERE e.code = us.code AND e.time_zone = 'America/New_York';

-- Changes of exchanges are written into the audit, too.
ALTER TABLE audit
    DROP CONSTRAINT audit_kind_check,
    ADD CONSTRAINT audit_kind_check CHECK (kind IN ('key', 'tier', 'exchange'));

-- The audit as it was. A new exchange is added, as a new tier is.
CREATE OR REPLACE FUNCTION write_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hidden CONSTANT text[] := ARRAY['secret_hash', 'secret_hint', 'revision', 'calendar_name'];
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
        WHEN TG_OP = 'INSERT' AND TG_ARGV[0] IN ('tier', 'exchange') THEN 'add'
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
CREATE TRIGGER exchanges_audit AFTER INSERT OR UPDATE OR DELETE ON exchanges
    FOR EACH ROW EXECUTE FUNCTION write_audit('exchange', 'code');
CREATE TRIGGER exchanges_audit_all AFTER TRUNCATE ON exchanges
    FOR EACH STATEMENT EXECUTE FUNCTION write_audit('exchange', 'code');
