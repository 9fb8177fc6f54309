-- The ranges of the uncached case, of as many stocks. The statement that the server issues follows.
\set stock random(1, 2028)
\set month random(1, 12)
\set day random(1, 28)
