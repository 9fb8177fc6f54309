// Uses the types that openapi-typescript generates, as a program of a key holder does.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/schema";

declare const process: { argv: string[] };

const [url, key] = process.argv.slice(2);
const client = createClient<paths, "application/json" | "application/problem+json">({ baseUrl: url!, headers: { "X-API-Key": key! } });

function check(holds: boolean, what: unknown): asserts holds {
    if (!holds) {
        throw new Error(JSON.stringify(what));
    }
}

const range = { start: "2012-12-24", end: "2012-12-31" };
const weeks = { start: "2012-12-17", end: "2012-12-28" };
const prices = await client.GET("/api/stocks/{symbol}/prices", {
    params: { path: { symbol: "AAPL" }, query: { ...weeks, interval: "1w", columns: ["date", "close"] } },
});
check(prices.data?.count === 2 && prices.data.next === null, prices);
const bar: components["schemas"]["Bar"] = prices.data.prices[0]!;
check(typeof bar.close === "number" && bar.open === undefined, bar);

const many = await client.GET("/api/prices", {
    params: { query: { symbols: ["AAPL", "MSFT", "NOPE"], ...range } },
});
check(many.data?.count === 10 && many.data.unknown[0] === "NOPE", many);

const quote = await client.GET("/api/stocks/{symbol}/quote", { params: { path: { symbol: "NOPE" } } });
check(quote.error?.code === "unknown_symbol", quote);
