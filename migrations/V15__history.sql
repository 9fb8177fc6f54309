-- A database whose history goes back: a promoted replica that lacks the last commits, or a restored
-- backup. Instances find it by two signs: a revision that they have applied was never drawn here, or
-- the cluster is not the one that the table names.

-- The cluster of Postgres and its timeline, which a promotion and a recovery to a time change. Null
-- where a host does not tell.
CREATE FUNCTION cluster_timeline() RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT system_identifier FROM pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8);
EXCEPTION WHEN others THEN
    RETURN NULL;
END
$$;

ALTER TABLE revision
    ADD COLUMN restored_at bigint NOT NULL DEFAULT 0,  -- drawn when the history was last found to have gone back
    ADD COLUMN timeline text;                          -- of cluster_timeline(), at that time
UPDATE revision SET timeline = cluster_timeline();

-- Every revision of this history: one row a change of data, keys or tiers.
CREATE TABLE drawn_revisions (
    revision bigint PRIMARY KEY
);
INSERT INTO drawn_revisions (revision) SELECT current FROM revision;

CREATE OR REPLACE FUNCTION next_revision() RETURNS bigint LANGUAGE sql AS $$
    WITH drawn AS (
        UPDATE revision SET current = greatest(current + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
        RETURNING current
    )
    INSERT INTO drawn_revisions (revision) SELECT current FROM drawn RETURNING revision
$$;

-- Roles that draw revisions, or read them, do so without a new grant: those of the release before, too.
DO $$
DECLARE
    granted record;
BEGIN
    FOR granted IN
        SELECT DISTINCT CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END AS role,
               CASE privilege_type WHEN 'UPDATE' THEN 'INSERT' ELSE privilege_type END AS privilege
        FROM pg_class, aclexplode(relacl)
        WHERE oid = 'revision'::regclass AND privilege_type IN ('SELECT', 'UPDATE')
    LOOP
        EXECUTE format('GRANT %s ON drawn_revisions TO %s', granted.privilege, granted.role);
        -- INSERT ... RETURNING reads the row.
        EXECUTE format('GRANT SELECT ON drawn_revisions TO %s', granted.role);
    END LOOP;
END
$$;
