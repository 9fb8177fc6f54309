//! Files that the binary carries, and how browsers keep them.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::sync::OnceLock;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::http::middleware::accepts_gzip;

/// A file that is the same for everybody. It is carried packed, and unpacked for the first who
/// can't take that.
pub struct File {
    pub name: &'static str,
    media: &'static str,
    /// Of its content.
    tag: Cow<'static, str>,
    packed: Bytes,
    plain: OnceLock<Bytes>,
}

/// How long a browser may believe what it has.
#[derive(Clone, Copy)]
pub enum Keep {
    /// For good: another content has another name.
    ForGood,
    /// It asks each time whether it is still so.
    Asking,
}

impl File {
    pub const fn new(
        name: &'static str,
        media: &'static str,
        tag: &'static str,
        packed: &'static [u8],
    ) -> Self {
        Self {
            name,
            media,
            tag: Cow::Borrowed(tag),
            packed: Bytes::from_static(packed),
            plain: OnceLock::new(),
        }
    }

    /// One that is made while the server runs.
    pub fn packed(name: &'static str, media: &'static str, plain: Vec<u8>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let packed = encoder
            .write_all(&plain)
            .and_then(|()| encoder.finish())
            .expect("memory takes what is written");
        let tag = Cow::Owned(blake3::hash(&plain).to_hex()[..16].to_owned());
        Self { name, media, tag, packed: packed.into(), plain: OnceLock::from(Bytes::from(plain)) }
    }

    /// The same without a text that it holds.
    pub fn without(&self, text: &str) -> Self {
        let plain = unpacked(&self.packed);
        let plain = std::str::from_utf8(&plain).expect("what is ours is text").replace(text, "");
        Self::packed(self.name, self.media, plain.into_bytes())
    }

    /// The file, or 304 for who has it.
    pub fn answer(&self, request: &HttpRequest, keep: Keep) -> HttpResponse {
        let gzip = accepts_gzip(request.headers());
        let etag = format!("\"{}{}\"", self.tag, if gzip { "-gz" } else { "" });
        let mut answer = if holds(request.headers(), &etag) {
            HttpResponse::NotModified().finish()
        } else if gzip {
            let encoded = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            HttpResponse::Ok().insert_header(encoded).body(self.packed.clone())
        } else {
            HttpResponse::Ok().body(self.plain.get_or_init(|| unpacked(&self.packed)).clone())
        };
        let kept = match keep {
            Keep::ForGood => "public, max-age=31536000, immutable",
            Keep::Asking => "no-cache",
        };
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        answer
    }
}

/// Whether the client has what has this tag (RFC 9110, 13.1.2: compared weakly).
fn holds(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(header::IF_NONE_MATCH).filter_map(|tags| tags.to_str().ok());
    lines.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.trim_start_matches("W/") == etag
    })
}

fn unpacked(packed: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    GzDecoder::new(packed).read_to_end(&mut plain).expect("the build packed it");
    plain.into()
}
