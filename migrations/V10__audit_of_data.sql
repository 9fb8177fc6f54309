-- Deleted rows of market data are recorded as changes of keys and tiers are. Their subject is the symbol of the stock.
ALTER TABLE audit
    DROP CONSTRAINT audit_kind_check,
    ADD CONSTRAINT audit_kind_check CHECK (kind IN ('key', 'tier', 'exchange', 'price', 'action'));
