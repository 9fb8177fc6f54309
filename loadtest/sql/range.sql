-- The statement of GET /api/stocks/{symbol}/prices, on the stocks A[B-D].. and the ranges of the uncached case.
\set second random(66, 68)
\set third random(65, 90)
\set fourth random(65, 90)
\set month random(1, 12)
\set day random(1, 28)
WITH stock AS MATERIALIZED (
    SELECT id FROM stocks WHERE symbol = 'A' || chr(:second) || chr(:third) || chr(:fourth)
)
(SELECT date, open, high, low, close, adjusted_close, volume FROM prices
 WHERE stock_id = (SELECT id FROM stock) AND date >= make_date(2016, :month, :day)
   AND date <= coalesce(make_date(2025, :month, :day), 'infinity'::date)
 ORDER BY date DESC LIMIT :rows)
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM stock
ORDER BY date DESC NULLS FIRST;
