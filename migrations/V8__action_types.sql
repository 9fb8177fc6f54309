-- Types and details of corporate actions. The release before reads this table as it did: what it
-- knows as a kind stays.

-- First: a load of actions holds this table before it writes to stocks, and would wait in a circle.
ALTER TABLE corporate_actions
    ADD COLUMN type text COLLATE "C" NOT NULL DEFAULT 'cash',
    -- Null where the feed does not say it.
    ADD COLUMN declaration_date date CHECK (isfinite(declaration_date)),
    ADD COLUMN record_date date CHECK (isfinite(record_date)),
    ADD COLUMN pay_date date CHECK (isfinite(pay_date)),
    ADD COLUMN frequency smallint CHECK (frequency BETWEEN 0 AND 366);  -- payments a year; 0: once

-- The rule by which a load tells a spin-off from a split that has no type: `type_of_ratio` in
-- src/market/action.rs. A load of the same file again must find the same type.
UPDATE corporate_actions SET type = CASE
    WHEN split_to > split_from AND (least(split_from, split_to) >= 1000
      OR least(split_from::text::numeric, split_to::text::numeric)
         / gcd(split_from::text::numeric, split_to::text::numeric) > 100)
    THEN 'spin_off' ELSE 'split' END
WHERE kind = 'split';

ALTER TABLE corporate_actions
    ADD CHECK (type IN ('cash', 'special', 'capital_gain', 'long_term_capital_gain',
                        'short_term_capital_gain', 'return_of_capital', 'split', 'spin_off')),
    ADD CHECK ((kind = 'split') = (type IN ('split', 'spin_off'))),
    -- Two dividends of two types may have one ex-date.
    DROP CONSTRAINT corporate_actions_pkey,
    ADD PRIMARY KEY (stock_id, ex_date, kind, type);
DROP INDEX corporate_actions_ex_date;
CREATE INDEX corporate_actions_ex_date ON corporate_actions (ex_date, stock_id, kind, type);

-- Adjusted closes that were computed before have rounding errors of doubles. From now on they have
-- 10 significant digits.
WITH rounded AS (
    UPDATE prices p SET adjusted_close = digits.ten
    FROM stocks s, LATERAL (
        SELECT stock_id, date,
               round(adjusted_close::text::numeric,
                     9 - floor(log10(adjusted_close))::int)::float8 AS ten
        FROM prices WHERE stock_id = s.id AND adjusted_close <> close
    ) digits
    WHERE s.computes_adjusted_close AND p.stock_id = digits.stock_id AND p.date = digits.date
      AND p.adjusted_close <> digits.ten
    RETURNING p.stock_id),
    next AS (SELECT next_revision() AS current FROM rounded LIMIT 1)
UPDATE stocks SET data_version = next.current, updated_at = now()
FROM next WHERE id IN (SELECT stock_id FROM rounded);
