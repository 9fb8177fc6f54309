-- The statement of GET /api/stocks/{symbol}/prices, on the stocks A[B-D].. and the ranges of the uncached case.
\set second random(66, 68)
\set third random(65, 90)
\set fourth random(65, 90)
\set month random(1, 12)
\set day random(1, 28)
SELECT p.date, p.open, p.high, p.low, p.close, p.adjusted_close, p.volume
FROM stocks s LEFT JOIN LATERAL (
    SELECT * FROM prices
    WHERE stock_id = s.id AND date >= make_date(2016, :month, :day)
      AND date <= coalesce(make_date(2025, :month, :day), 'infinity'::date)
    ORDER BY date DESC LIMIT :rows
) p ON true
WHERE s.symbol = 'A' || chr(:second) || chr(:third) || chr(:fourth) ORDER BY p.date DESC;
