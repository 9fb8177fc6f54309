//! `GET /openapi.json`: the reference of the API, made of the same types and tables that it is
//! served by.

mod answers;
mod operation;
mod operations;
mod parameters;
mod problems;
mod schema;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use utoipa::openapi::path::PathsBuilder;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Server,
};

use super::pages::{File, Keep};
use super::server::state::State;
use operations::operations;
pub use problems::all as problems;

/// What stands above all of it.
const ABOUT: &str = "End-of-day stock prices. Send your key as `X-API-Key: KEY` or `Authorization: Bearer KEY`, or, \
    from a spreadsheet, as `?apikey=KEY` where this server takes that; whoever runs this server issues keys. Every answer to a valid key says where its limit stands. Errors are problem documents \
    (RFC 9457), each with a code. Dates are `YYYY-MM-DD` in the exchange's time zone. Where GET is taken, so is HEAD. \
    Paths and field names stay once published; fields may be added.";

const TAGS: [(&str, &str); 6] = [
    ("Stocks", "Who the stocks are"),
    ("Prices", "Daily bars and what is made of them"),
    ("Market", "Events, days of trading, exchanges"),
    ("Watchlists", "Lists of stocks that are yours"),
    ("Your key", "What you used"),
    ("This server", "How it is, and what it says of itself; no key is needed"),
];

pub async fn document(request: HttpRequest) -> HttpResponse {
    static WITH_KEY_IN_QUERY: LazyLock<File> = LazyLock::new(|| packed(true));
    static WITHOUT: LazyLock<File> = LazyLock::new(|| packed(false));
    let document =
        if State::of(&request).http.apikey_in_query { &WITH_KEY_IN_QUERY } else { &WITHOUT };
    document.answer(&request, Keep::Asking)
}

fn packed(key_in_query: bool) -> File {
    let written =
        openapi(key_in_query).to_json().expect("a document has no maps with keys other than text");
    File::packed("openapi.json", "application/json", written.into_bytes())
}

/// The document of a server that takes keys in URLs, or does not.
fn openapi(key_in_query: bool) -> OpenApi {
    let operations = operations();
    let licence = LicenseBuilder::new()
        .name("MIT OR Apache-2.0")
        .identifier(Some("MIT OR Apache-2.0"))
        .build();
    let info = InfoBuilder::new()
        .title("tickerd")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(licence))
        .build();
    let mut schemas = vec![schema::of::<super::respond::error::Document<'static>>()];
    let mut paths = PathsBuilder::new().build();
    let ways: Vec<_> = security_schemes()
        .into_iter()
        .filter(|(name, _)| key_in_query || *name != operation::KEY_IN_QUERY)
        .collect();
    let names: Vec<_> = ways.iter().map(|(name, _)| *name).collect();
    for operation in &operations {
        schemas.extend(operation.schemas());
        paths.add_path_operation(
            operation.path,
            vec![operation.method.clone()],
            operation.written(&names),
        );
    }
    let schemas = schemas.into_iter().flat_map(schema::Collected::into_all);
    let components = ComponentsBuilder::new().schemas_from_iter(schemas);
    let components =
        answers::headers().fold(components, |made, (name, header)| made.header(name, header));
    let components =
        ways.into_iter().fold(components, |made, (name, it)| made.security_scheme(name, it));
    let tags =
        TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build());
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
        "Your key, for spreadsheets and others that can't send headers: URLs are logged",
    );
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("Your key")).build();
    [
        (operation::KEY_IN_HEADER, SecurityScheme::ApiKey(ApiKey::Header(header))),
        (operation::KEY_AS_BEARER, SecurityScheme::Http(bearer)),
        (operation::KEY_IN_QUERY, SecurityScheme::ApiKey(ApiKey::Query(query))),
    ]
}
