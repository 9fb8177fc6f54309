//! The public routes, by the pattern of their path. Metrics, traces, usage and costs are by route.
//!
//! The route of a request is found from its path before the router runs, because middleware may
//! reject the request there.

/// A public route. Usage is stored under its pattern, so a published pattern never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    Prices,
    Quote,
    Stock,
    Stocks,
    PricesOfMany,
    PricesOfDay,
    StockEvents,
    StockRevisions,
    Events,
    Chart,
    Exchanges,
    Calendar,
    Status,
    MarketStatus,
    Watchlists,
    Watchlist,
    WatchlistQuotes,
    Usage,
    Page,
    Asset,
    Reference,
    OpenApi,
    Health,
    /// Any other path.
    Other,
}

impl Route {
    pub const ALL: [Self; 24] = [
        Self::Prices,
        Self::Quote,
        Self::Stock,
        Self::Stocks,
        Self::PricesOfMany,
        Self::PricesOfDay,
        Self::StockEvents,
        Self::StockRevisions,
        Self::Events,
        Self::Chart,
        Self::Exchanges,
        Self::Calendar,
        Self::Status,
        Self::MarketStatus,
        Self::Watchlists,
        Self::Watchlist,
        Self::WatchlistQuotes,
        Self::Usage,
        Self::Page,
        Self::Asset,
        Self::Reference,
        Self::OpenApi,
        Self::Health,
        Self::Other,
    ];

    /// The route of a path.
    pub fn of(path: &str) -> Self {
        match path.strip_prefix("/api/") {
            Some(path) => Self::of_api(path),
            None => match path {
                "/" => Self::Page,
                "/docs" => Self::Reference,
                "/openapi.json" => Self::OpenApi,
                "/health" | "/health/ready" => Self::Health,
                _ if path.strip_prefix("/assets/").is_some_and(|file| !file.contains('/')) => {
                    Self::Asset
                }
                _ => Self::Other,
            },
        }
    }

    fn of_api(path: &str) -> Self {
        let mut parts = path.split('/');
        match [parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some("stocks"), Some(_), Some("prices"), None] => Self::Prices,
            [Some("stocks"), Some(_), Some("quote"), None] => Self::Quote,
            [Some("stocks"), Some(_), Some("events"), None] => Self::StockEvents,
            [Some("stocks"), Some(_), Some("revisions"), None] => Self::StockRevisions,
            [Some("stocks"), Some(_), Some("chart.svg"), None] => Self::Chart,
            [Some("stocks"), Some(_), None, _] => Self::Stock,
            [Some("stocks"), None, ..] => Self::Stocks,
            [Some("prices"), Some("daily"), Some(_), None] => Self::PricesOfDay,
            [Some("prices"), None, ..] => Self::PricesOfMany,
            [Some("events"), None, ..] => Self::Events,
            [Some("exchanges"), None, ..] => Self::Exchanges,
            [Some("calendar"), None, ..] => Self::Calendar,
            [Some("status"), None, ..] => Self::Status,
            [Some("market"), Some("status"), None, _] => Self::MarketStatus,
            [Some("watchlists"), None, ..] => Self::Watchlists,
            [Some("watchlists"), Some(_), None, _] => Self::Watchlist,
            [Some("watchlists"), Some(_), Some("quotes"), None] => Self::WatchlistQuotes,
            [Some("usage"), None, ..] => Self::Usage,
            _ => Self::Other,
        }
    }

    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Prices => "/api/stocks/{symbol}/prices",
            Self::Quote => "/api/stocks/{symbol}/quote",
            Self::Stock => "/api/stocks/{symbol}",
            Self::Stocks => "/api/stocks",
            Self::PricesOfMany => "/api/prices",
            Self::PricesOfDay => "/api/prices/daily/{date}",
            Self::StockEvents => "/api/stocks/{symbol}/events",
            Self::StockRevisions => "/api/stocks/{symbol}/revisions",
            Self::Events => "/api/events",
            Self::Chart => "/api/stocks/{symbol}/chart.svg",
            Self::Exchanges => "/api/exchanges",
            Self::Calendar => "/api/calendar",
            Self::Status => "/api/status",
            Self::MarketStatus => "/api/market/status",
            Self::Watchlists => "/api/watchlists",
            Self::Watchlist => "/api/watchlists/{id}",
            Self::WatchlistQuotes => "/api/watchlists/{id}/quotes",
            Self::Usage => "/api/usage",
            Self::Page => "/",
            Self::Asset => "/assets/{file}",
            Self::Reference => "/docs",
            Self::OpenApi => "/openapi.json",
            Self::Health => "/health",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_the_route_of_its_pattern() {
        for route in Route::ALL {
            assert_eq!(Route::of(&route.pattern().replace("{symbol}", "BRK.B")), route);
            assert_eq!(Route::ALL[route as usize], route, "metrics use the number as an index");
        }
        assert_eq!(Route::of("/health/ready"), Route::Health);
        for path in [
            "",
            "/api",
            "/api/stocks/A/prices/",
            "/api/stocks/A/prices/B",
            "/apix/stocks",
            "/metrics",
            "/assets/a/b",
        ] {
            assert_eq!(Route::of(path), Route::Other, "{path}");
        }
    }
}
