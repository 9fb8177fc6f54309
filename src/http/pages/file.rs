//! Files embedded in the binary: compression, ETags and browser caching.

use std::borrow::Cow;
use std::io::{Read, Write};
use std::sync::OnceLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::http::request::negotiation::{accepts_gzip, names_tag};

/// A file that is the same for all clients. It is stored compressed, and decompressed on the first
/// request of a client without gzip support.
pub struct File {
    pub name: &'static str,
    media_type: &'static str,
    /// A hash of the content.
    tag: Cow<'static, str>,
    gzipped: Bytes,
    plain: OnceLock<Bytes>,
}

/// How browsers may cache a file.
#[derive(Clone, Copy)]
pub enum BrowserCache {
    /// Forever: the name contains a hash of the content.
    Immutable,
    /// They must revalidate the file on each use.
    Revalidate,
}

impl File {
    pub const fn new(
        name: &'static str,
        media_type: &'static str,
        tag: &'static str,
        gzipped: &'static [u8],
    ) -> Self {
        Self {
            name,
            media_type,
            tag: Cow::Borrowed(tag),
            gzipped: Bytes::from_static(gzipped),
            plain: OnceLock::new(),
        }
    }

    /// Compresses content that is generated at run time.
    pub fn compress(name: &'static str, media_type: &'static str, plain: Vec<u8>) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let gzipped = encoder
            .write_all(&plain)
            .and_then(|()| encoder.finish())
            .expect("writing to memory can't fail");
        let tag = Cow::Owned(blake3::hash(&plain).to_hex()[..16].to_owned());
        let plain = OnceLock::from(Bytes::from(plain));
        Self { name, media_type, tag, gzipped: gzipped.into(), plain }
    }

    /// The same file with all occurrences of `text` removed.
    pub fn without(&self, text: &str) -> Self {
        let plain = decompressed(&self.gzipped);
        let plain = std::str::from_utf8(&plain).expect("pages are UTF-8").replace(text, "");
        Self::compress(self.name, self.media_type, plain.into_bytes())
    }

    /// Responds with the file, or with 304 if the client has it.
    pub fn respond(&self, request: &HttpRequest, cache: BrowserCache) -> HttpResponse {
        let gzip = accepts_gzip(request.headers());
        let etag = format!("\"{}{}\"", self.tag, if gzip { "-gz" } else { "" });
        let mut response = if names_tag(request.headers(), etag.as_bytes()) {
            HttpResponse::NotModified().finish()
        } else if gzip {
            let encoding = (header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            HttpResponse::Ok().insert_header(encoding).body(self.gzipped.clone())
        } else {
            let plain = self.plain.get_or_init(|| decompressed(&self.gzipped));
            HttpResponse::Ok().body(plain.clone())
        };
        let cache_control = match cache {
            BrowserCache::Immutable => "public, max-age=31536000, immutable",
            BrowserCache::Revalidate => "no-cache",
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache_control));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

fn decompressed(gzipped: &[u8]) -> Bytes {
    let mut plain = Vec::new();
    GzDecoder::new(gzipped).read_to_end(&mut plain).expect("the build wrote valid gzip");
    plain.into()
}
