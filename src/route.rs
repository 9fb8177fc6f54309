//! What is asked for, by the pattern of its path: how requests are counted and measured.

/// A route of the public face. The pattern is what usage is stored under, and stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    Prices,
    Quote,
    Stock,
    Stocks,
    Usage,
    Health,
    /// Whatever has no route.
    Other,
}

impl Route {
    pub const ALL: [Self; 7] =
        [Self::Prices, Self::Quote, Self::Stock, Self::Stocks, Self::Usage, Self::Health, Self::Other];

    /// The route of a path. It has to be known before the router is reached: who is refused never gets there.
    pub fn of(path: &str) -> Self {
        let mut parts = path.strip_prefix('/').unwrap_or_default().split('/');
        match [parts.next(), parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some("api"), Some("stocks"), Some(_), Some("prices"), None] => Self::Prices,
            [Some("api"), Some("stocks"), Some(_), Some("quote"), None] => Self::Quote,
            [Some("api"), Some("stocks"), Some(_), None, None] => Self::Stock,
            [Some("api"), Some("stocks"), None, ..] => Self::Stocks,
            [Some("api"), Some("usage"), None, ..] => Self::Usage,
            [Some("health"), None, ..] | [Some("health"), Some("ready"), None, ..] => Self::Health,
            _ => Self::Other,
        }
    }

    pub const fn pattern(self) -> &'static str {
        match self {
            Self::Prices => "/api/stocks/{symbol}/prices",
            Self::Quote => "/api/stocks/{symbol}/quote",
            Self::Stock => "/api/stocks/{symbol}",
            Self::Stocks => "/api/stocks",
            Self::Usage => "/api/usage",
            Self::Health => "/health",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_pattern_is_of_its_route() {
        for route in Route::ALL {
            assert_eq!(Route::of(&route.pattern().replace("{symbol}", "BRK.B")), route);
            assert_eq!(Route::ALL[route as usize], route, "counters are kept by this number");
        }
        assert_eq!(Route::of("/health/ready"), Route::Health);
        for path in ["", "/", "/api", "/api/stocks/A/prices/", "/api/stocks/A/prices/B", "/apix/stocks", "/metrics"] {
            assert_eq!(Route::of(path), Route::Other, "{path}");
        }
    }
}
