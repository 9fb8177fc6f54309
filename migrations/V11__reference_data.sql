-- Details of stocks that files may have. Null where a feed lacks them.
ALTER TABLE stocks
    ADD COLUMN type    text,                                          -- a word of market/instrument.rs
    ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$'),           -- ISO 3166-1
    ADD COLUMN isin    text CHECK (isin ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$'),
    ADD COLUMN cusip   text CHECK (cusip ~ '^[A-Z0-9]{8}[0-9]$'),
    ADD COLUMN figi    text CHECK (figi ~ '^[A-Z]{2}G[A-Z0-9]{8}[0-9]$'),
    ADD COLUMN cik     text CHECK (cik ~ '^[0-9]{10}$');              -- of the company, so not unique
