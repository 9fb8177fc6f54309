//! Every error code, with its status and when it is returned.

/// The codes of the public listener: (status, code, when).
pub const PROBLEMS: &[(u16, &str, &str)] = &[
    (400, "invalid_parameter", "a parameter is not as expected, or is given twice"),
    (400, "missing_parameter", "a parameter that is required is not given"),
    (400, "unknown_parameter", "there is no such parameter here"),
    (400, "before_history", "`asof` is before this server began to keep replaced data"),
    (400, "bad_request", "the request could not be understood"),
    (400, "invalid_body", "the body is not the JSON that is described, or has an unknown field"),
    (400, "too_heavy", "the request counts as more than the limit of the key in a window"),
    (401, "unauthorized", "no key, or one that is malformed, unknown, wrong, expired or revoked"),
    (404, "unknown_symbol", "no stock has this symbol"),
    (404, "unknown_watchlist", "the owner of the key has no such watchlist"),
    (404, "no_data", "the stock has no prices in this range, or there are none of this day"),
    (404, "no_calendar", "the calendar of this exchange is not known"),
    (404, "not_found", "there is nothing at this path"),
    (405, "method_not_allowed", "the path accepts other methods: see `Allow`"),
    (408, "body_too_slow", "the body did not come in time"),
    (409, "watchlist_exists", "the owner has another watchlist of this name"),
    (409, "too_many_watchlists", "the owner has the maximum number of watchlists"),
    (413, "body_too_large", "the body is larger than this server accepts"),
    (414, "url_too_long", "path and query are longer than this server accepts"),
    (429, "rate_limited", "the limit of the key is reached"),
    (429, "address_limited", "the limit of this address without a key is reached"),
    (429, "too_many_failures", "too many wrong keys came from this address"),
    (429, "too_many_streams", "the key has as many streams in progress as it may have"),
    (431, "headers_too_large", "the headers are larger than this server accepts"),
    (500, "internal", "something went wrong here"),
    (503, "restated", "the data was restated while it was read"),
    (503, "busy", "too many keys are waiting for verification, or streams in progress"),
    (503, "unavailable", "the data can't be reached right now"),
];

/// The codes of `/admin`, which is not part of the public reference.
pub const OF_ADMIN: &[(u16, &str, &str)] = &[
    (401, "admin_unauthorized", "`/admin`: the token of operators is missing or wrong"),
    (403, "admin_off", "`/admin`: no token is configured"),
    (403, "admin_host", "`/admin`: the name in `Host` is not one of this machine"),
    (404, "unknown_key", "`/admin`: there is no such key"),
    (409, "key_exists", "`/admin`: the id of the new key is in use"),
    (409, "key_not_active", "`/admin`: a revoked or expired key can't be rotated"),
    (409, "key_rotated", "`/admin`: the key was rotated before"),
];

/// All codes: (status, code, when).
pub fn all() -> impl Iterator<Item = (u16, &'static str, &'static str)> {
    PROBLEMS.iter().chain(OF_ADMIN).copied()
}

/// The codes that every request may get.
pub const ANYWHERE: &[&str] =
    &["bad_request", "body_too_large", "url_too_long", "headers_too_large", "internal"];
/// The additional codes of requests that need a key.
pub const WITH_A_KEY: &[&str] =
    &["unauthorized", "rate_limited", "too_many_failures", "busy", "unavailable"];
/// The additional codes of routes that read a query string.
pub const OF_A_QUERY: &[&str] = &["invalid_parameter", "unknown_parameter"];

/// The (code, when) pairs of these codes, grouped by status.
pub fn by_status(codes: &[&str]) -> Vec<(u16, Vec<(&'static str, &'static str)>)> {
    let mut statuses: Vec<(u16, Vec<_>)> = Vec::new();
    for (status, code, when) in PROBLEMS.iter().filter(|(_, code, _)| codes.contains(code)) {
        match statuses.last_mut().filter(|(last, _)| last == status) {
            Some((_, problems)) => problems.push((*code, *when)),
            None => statuses.push((*status, vec![(*code, *when)])),
        }
    }
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes in the source of the error type: (name of the status, code).
    fn of_source() -> Vec<(&'static str, &'static str)> {
        let source = include_str!("../respond/error.rs").split("StatusCode::").skip(1);
        source.filter_map(|part| part.split_once(", \"")).filter_map(named).collect()
    }

    fn named((status, rest): (&'static str, &'static str)) -> Option<(&'static str, &'static str)> {
        let is_name = status.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        is_name.then(|| (status, rest.split('"').next().unwrap_or_default()))
    }

    #[test]
    fn every_code_is_described_with_its_status() {
        let mut seen = 0;
        for (status, code) in of_source() {
            let (described, ..) =
                all().find(|(_, known, _)| *known == code).unwrap_or_else(|| panic!("{code}"));
            let described = actix_web::http::StatusCode::from_u16(described).unwrap();
            let name =
                described.canonical_reason().unwrap().to_uppercase().replace([' ', '-'], "_");
            assert_eq!(name, status, "{code}");
            seen += 1;
        }
        assert_eq!(seen, all().count(), "every described code exists");
    }
}
