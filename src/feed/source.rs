//! The bytes of a file, decompressed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::error::FeedError;
use super::zstd::{self, ZstdReader};

/// The size of one read, in bytes.
const READ_BYTES: usize = 128 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The bytes of a file of rows.
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// The length of the file as stored; `None` for a stream.
    pub length_bytes: Option<u64>,
    pub raw: Box<dyn Read + Send>,
}

impl Source {
    /// # Errors
    /// If the file can't be opened.
    pub fn file(path: &Path) -> Result<Self, FeedError> {
        let name = path.display().to_string();
        let error = |e: std::io::Error| FeedError::Io { name: name.clone(), reason: e.to_string() };
        let file = File::open(path).map_err(error)?;
        let metadata = file.metadata().map_err(error)?;
        let length_bytes = metadata.is_file().then_some(metadata.len());
        Ok(Self { raw: Box::new(file), length_bytes, name })
    }

    pub fn stdin() -> Self {
        Self { name: "stdin".to_owned(), length_bytes: None, raw: Box::new(std::io::stdin()) }
    }

    pub fn bytes(name: &str, bytes: &'static [u8]) -> Self {
        Self { name: name.to_owned(), length_bytes: Some(bytes.len() as u64), raw: Box::new(bytes) }
    }
}

/// Decompresses gzip and zstd, which the first bytes tell.
///
/// # Errors
/// If the bytes can't be read.
pub(super) fn decompressed(raw: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
    let mut raw = BufReader::with_capacity(READ_BYTES, raw);
    let first = raw.fill_buf()?;
    let (is_gzip, is_zstd) = (first.starts_with(&GZIP), first.starts_with(&zstd::MAGIC));
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(raw)),
        (_, true) => Box::new(ZstdReader::of(raw)),
        _ => Box::new(raw),
    })
}
