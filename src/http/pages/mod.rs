//! The web pages: the price page (`GET /`), the interactive API reference (`GET /docs`), and their
//! scripts and styles (`GET /assets/{file}`).

mod file;

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::respond::error::{NOTHING_HERE, Problem};
use super::server::state::State;
pub use file::{BrowserCache, File};

// Defines `PAGE`, `REFERENCE` and `ASSETS`.
include!(concat!(env!("OUT_DIR"), "/site.rs"));

/// The content security policy of the page: it may only load files from and send requests to this
/// server.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// The policy of the reference, which also allows the inline styles of Swagger UI.
const REFERENCE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

/// The attribute that tells the page's script that the server accepts keys in URLs.
const KEY_IN_QUERY: &str = " data-key-in-query";

pub async fn page(request: HttpRequest) -> HttpResponse {
    static WITHOUT: LazyLock<File> = LazyLock::new(|| PAGE.without(KEY_IN_QUERY));
    let page = if State::of(&request).http.apikey_in_query { &PAGE } else { &*WITHOUT };
    document(page, &request, PAGE_POLICY)
}

pub async fn reference(request: HttpRequest) -> HttpResponse {
    document(&REFERENCE, &request, REFERENCE_POLICY)
}

pub async fn asset(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = request.match_info().query("file");
    let file = ASSETS.iter().find(|file| file.name == name).ok_or(NOTHING_HERE)?;
    Ok(file.respond(&request, BrowserCache::Immutable))
}

fn document(file: &File, request: &HttpRequest, policy: HeaderValue) -> HttpResponse {
    let mut response = file.respond(request, BrowserCache::Revalidate);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    // No other site may frame a page, keep a handle to its window, or embed it.
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let same_origin = HeaderValue::from_static("same-origin");
    headers.insert(header::CROSS_ORIGIN_OPENER_POLICY, same_origin.clone());
    headers.insert(header::CROSS_ORIGIN_RESOURCE_POLICY, same_origin);
    response
}
