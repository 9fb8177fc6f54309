-- The command line records deleted rows of market data. Their subject is the symbol of the stock.
ALTER TABLE audit
    DROP CONSTRAINT audit_kind_check,
    ADD CONSTRAINT audit_kind_check CHECK (kind IN ('key', 'tier', 'exchange', 'price', 'action'));
