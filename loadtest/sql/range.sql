-- The statement of GET /api/stocks/{symbol}/prices, on the ranges of the uncached case and as many stocks.
\set stock random(1, 2028)
\set month random(1, 12)
\set day random(1, 28)
SELECT date, open, high, low, close, adjusted_close, volume FROM prices
WHERE stock_id = :stock AND date >= make_date(2016, :month, :day)
  AND date <= coalesce(make_date(2025, :month, :day), 'infinity'::date)
ORDER BY date DESC LIMIT :rows;
