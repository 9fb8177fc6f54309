//! Creates, changes and deletes watchlists.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Owner, Watchlist, id};
use crate::caller::WatchlistId;
use crate::http::request::body::JsonBody;
use crate::http::request::cacheable_query::stock_of;
use crate::http::request::query::{Query, invalid, value};
use crate::http::respond::error::Problem;
use crate::http::respond::uncached::{created, no_content, ok};
use crate::http::server::state::State;
use crate::market::Symbol;
use crate::store::{STOCKS_PER_WATCHLIST_MAX, WatchlistChange, WatchlistWrite};

/// A new watchlist.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchlistBody {
    /// 1 to 100 printable characters, unique among the owner's watchlists.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// The symbols of at most 100 stocks, in order, in any case. Former symbols work too. A
    /// repeated stock is listed once, at its first position.
    #[serde(default)]
    #[schema(max_items = 100)]
    symbols: Vec<String>,
}

/// Changes of a watchlist: at least one field. `symbols` is applied first, then `add`, then
/// `remove`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchlistChangeBody {
    /// 1 to 100 printable characters, unique among the owner's watchlists.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// The new content of the list: at most 100 symbols.
    #[schema(max_items = 100)]
    symbols: Option<Vec<String>>,
    /// Symbols to append. Stocks already on the list keep their position.
    #[schema(max_items = 100)]
    add: Option<Vec<String>>,
    /// Symbols to remove. Stocks that are not on the list are ignored.
    #[schema(max_items = 100)]
    remove: Option<Vec<String>>,
}

pub async fn create(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
    JsonBody(body): JsonBody<WatchlistBody>,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let name = value("name", &body.name)?;
    let stocks = stocks(state, "symbols", &body.symbols).await?;
    let written =
        state.store.insert_watchlist(owner.name(), &WatchlistId::random(), &name, &stocks).await?;
    let watchlist = watchlist_or_problem(written, name.as_str())?;
    Ok(created(&format!("/api/watchlists/{}", watchlist.id), &watchlist))
}

pub async fn change(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
    JsonBody(body): JsonBody<WatchlistChangeBody>,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let id = id(&request)?;
    let WatchlistChangeBody { name, symbols, add, remove } = body;
    if name.is_none() && symbols.is_none() && add.is_none() && remove.is_none() {
        return Err(Problem::InvalidBody(
            "expected one or more of name, symbols, add and remove".to_owned(),
        ));
    }
    let mut change = WatchlistChange {
        name: name.map(|name| value("name", &name)).transpose()?,
        ..Default::default()
    };
    if let Some(symbols) = symbols {
        change.stocks = Some(stocks(state, "symbols", &symbols).await?);
    }
    change.add = stocks(state, "add", &add.unwrap_or_default()).await?;
    change.remove = stocks(state, "remove", &remove.unwrap_or_default()).await?;
    let written = state.store.change_watchlist(owner.name(), &id, &change).await?;
    let name = change.name.as_ref().map_or("", |name| name.as_str());
    Ok(ok(&watchlist_or_problem(written, name)?))
}

pub async fn delete(
    owner: Owner,
    request: HttpRequest,
    state: &'static State,
) -> Result<HttpResponse, Problem> {
    Query::of(&request, &[])?;
    let existed = state.store.delete_watchlist(owner.name(), &id(&request)?).await?;
    if existed { Ok(no_content()) } else { Err(Problem::UnknownWatchlist) }
}

/// The ids of the stocks with these symbols. An unknown symbol makes the body invalid (400): a 404
/// would mean that the watchlist does not exist.
async fn stocks(
    state: &State,
    field: &'static str,
    symbols: &[String],
) -> Result<Vec<i32>, Problem> {
    if symbols.len() > STOCKS_PER_WATCHLIST_MAX {
        return Err(too_long(field));
    }
    let mut ids = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        let symbol: Symbol = value(field, symbol)?;
        let stock = stock_of(state, symbol, None).await.map_err(|problem| match problem {
            Problem::UnknownSymbol(_) => invalid(field, format!("is not valid: {problem}")),
            other => other,
        })?;
        ids.push(stock.id);
    }
    Ok(ids)
}

/// `name` is the requested name of the watchlist, for the error if another one has it.
fn watchlist_or_problem(written: WatchlistWrite, name: &str) -> Result<Watchlist, Problem> {
    match written {
        WatchlistWrite::Done(watchlist) => Ok(watchlist.into()),
        WatchlistWrite::NotFound => Err(Problem::UnknownWatchlist),
        WatchlistWrite::NameTaken => Err(Problem::WatchlistExists(name.to_owned())),
        WatchlistWrite::TooManyLists => Err(Problem::TooManyWatchlists),
        WatchlistWrite::TooManyStocks => Err(too_long("add")),
    }
}

fn too_long(field: &'static str) -> Problem {
    invalid(
        field,
        format!("is not valid: expected at most {STOCKS_PER_WATCHLIST_MAX} stocks on a list"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::body::parse;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// JSON of any shape, with the names of fields.
    fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 30, 5, |inner| {
            let name = prop::sample::select(vec!["name", "symbols", "add", "remove", "owner", ""])
                .prop_map(str::to_owned);
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..4).prop_map(|fields| fields
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    fn is_list_of_texts(value: &Value) -> bool {
        value.as_array().is_some_and(|list| list.iter().all(Value::is_string))
    }

    proptest! {
        #[test]
        fn a_body_is_accepted_if_each_field_is_known_and_has_its_type(body in json_value()) {
            let text = body.to_string();
            let fits = body.as_object().is_some_and(|fields| {
                let fits = |(name, value): (&String, &Value)| match name.as_str() {
                    "name" => value.is_string(),
                    "symbols" => is_list_of_texts(value),
                    _ => false,
                };
                fields.contains_key("name") && fields.iter().all(fits)
            });
            prop_assert_eq!(parse::<WatchlistBody>(text.as_bytes()).is_ok(), fits, "{}", text);
            let fits = body.as_object().is_some_and(|fields| {
                fields.iter().all(|(name, value)| match name.as_str() {
                    "name" => value.is_string() || value.is_null(),
                    "symbols" | "add" | "remove" => is_list_of_texts(value) || value.is_null(),
                    _ => false,
                })
            });
            let is_parsed = parse::<WatchlistChangeBody>(text.as_bytes()).is_ok();
            prop_assert_eq!(is_parsed, fits, "{}", text);
        }

        #[test]
        fn any_bytes_are_parsed_or_rejected_without_a_panic(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "[ \t\r\n{\"]{0,3}".prop_map(String::into_bytes),
            ]
        ) {
            if let Err(problem) = parse::<WatchlistBody>(&bytes) {
                prop_assert!(matches!(&problem, Problem::InvalidBody(why) if !why.is_empty()));
            }
        }
    }

    #[test]
    fn deep_nesting_and_arrays_are_rejected() {
        let deep = format!("{{\"name\":{}", "[".repeat(10_000));
        assert!(parse::<WatchlistBody>(deep.as_bytes()).is_err());
        assert!(parse::<WatchlistBody>(json!([1]).to_string().as_bytes()).is_err());
    }
}
