//! `GET /openapi.json`: the reference of the API. It is generated from the types and parameter
//! tables that the routes use.

mod operation;
mod operations;
mod parameters;
mod problems;
mod responses;
mod schema;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Server,
};

use super::pages::{BrowserCache, File};
use super::server::state::State;
use operations::operations;
pub use problems::all as problems;

/// The description at the top of the document.
const DESCRIPTION: &str = "End-of-day stock prices. Send your key as `X-API-Key: KEY` or \
    `Authorization: Bearer KEY`. Spreadsheets can send it as `?apikey=KEY` if this server allows \
    that. The operator of this server issues keys. Every response to a valid key has headers with \
    the state of its limit. Errors are problem documents (RFC 9457) with a code. Dates are \
    `YYYY-MM-DD` in the exchange's time zone. All GET routes also accept HEAD. Published paths \
    and field names do not change, but new fields may be added.";

const TAGS: [(&str, &str); 6] = [
    ("Stocks", "Search and list stocks"),
    ("Prices", "Bars, quotes and charts"),
    ("Market", "Splits and dividends, exchanges and trading days"),
    ("Watchlists", "Your lists of stocks"),
    ("Your key", "The usage of your key"),
    ("This server", "Health, web pages and this reference; no key is needed"),
];

pub async fn document(request: HttpRequest) -> HttpResponse {
    static WITH_KEY_IN_QUERY: LazyLock<File> = LazyLock::new(|| document_file(true));
    static WITHOUT: LazyLock<File> = LazyLock::new(|| document_file(false));
    let document =
        if State::of(&request).http.apikey_in_query { &WITH_KEY_IN_QUERY } else { &WITHOUT };
    document.respond(&request, BrowserCache::Revalidate)
}

fn document_file(key_in_query: bool) -> File {
    let json = openapi(key_in_query).to_json().expect("all keys of the document are strings");
    File::compress("openapi.json", "application/json", json.into_bytes())
}

/// The document. `key_in_query`: whether the server accepts keys in URLs.
fn openapi(key_in_query: bool) -> OpenApi {
    let operations = operations();
    let licence = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("tickerd")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(licence))
        .build();
    let mut schemas = vec![schema::of_response::<super::respond::document::Document<'static>>()];
    let mut paths = PathsBuilder::new().build();
    let security: Vec<_> = security_schemes()
        .into_iter()
        .filter(|(name, _)| key_in_query || *name != operation::KEY_IN_QUERY)
        .collect();
    let security_names: Vec<_> = security.iter().map(|(name, _)| *name).collect();
    for operation in &operations {
        schemas.extend(operation.schemas());
        paths.add_path_operation(
            operation.path,
            vec![operation.method.clone()],
            operation.to_openapi(&security_names),
        );
    }
    let schemas = schemas.into_iter().flat_map(schema::TypeSchema::into_all);
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas);
    for (name, header) in responses::headers() {
        components = components.header(name, header);
    }
    for (name, scheme) in security {
        components = components.security_scheme(name, scheme);
    }
    let tags = TAGS.map(|(name, description)| {
        TagBuilder::new().name(name).description(Some(description)).build()
    });
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
        .paths(paths)
        .components(Some(components.build()))
        .build()
}

/// The ways to send a key.
fn security_schemes() -> [(&'static str, SecurityScheme); 3] {
    let header = ApiKeyValue::with_description("X-API-Key", "Your key");
    let query = ApiKeyValue::with_description(
        "apikey",
        "Your key. Use it only if your client can't send headers, as URLs are often logged",
    );
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Your key")).build();
    [
        (operation::KEY_IN_HEADER, SecurityScheme::ApiKey(ApiKey::Header(header))),
        (operation::KEY_AS_BEARER, SecurityScheme::Http(bearer)),
        (operation::KEY_IN_QUERY, SecurityScheme::ApiKey(ApiKey::Query(query))),
    ]
}
