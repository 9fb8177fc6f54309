//! Compresses a stream without holding a compressor while its client reads.

use std::io::Write;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

use crate::cache::Media;

/// Compresses a body in chunks into one gzip file (RFC 1952). Clients can decompress each chunk
/// when it arrives.
///
/// Each chunk is compressed by itself, as blocks that refer to no earlier chunk. So no state of the
/// compressor, some 300 KB, lives on while a client reads.
pub struct GzipChunks {
    level: Compression,
    has_begun: bool,
    /// Checksum and length of the body so far.
    crc: Crc,
}

impl GzipChunks {
    /// Deflate, no flags, no time, any system.
    const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    /// A last block without data.
    const LAST_BLOCK: [u8; 2] = [3, 0];

    pub fn of(media: Media) -> Self {
        Self { level: media.gzip_level(), has_begun: false, crc: Crc::new() }
    }

    /// What comes before the first chunk; nothing before the others.
    fn header(&mut self) -> &'static [u8] {
        if std::mem::replace(&mut self.has_begun, true) { &[] } else { &Self::HEADER }
    }

    pub fn compress(&mut self, chunk: &[u8]) -> Bytes {
        let mut compressed = Vec::with_capacity(chunk.len() / 2);
        compressed.extend_from_slice(self.header());
        let mut encoder = DeflateEncoder::new(compressed, self.level);
        // A flush ends at a whole byte, and leaves room for more blocks.
        encoder
            .write_all(chunk)
            .and_then(|()| encoder.flush())
            .expect("writing to memory can't fail");
        self.crc.update(chunk);
        // A boxed slice frees the unused capacity.
        std::mem::take(encoder.get_mut()).into_boxed_slice().into()
    }

    pub fn finish(&mut self) -> Bytes {
        let header = self.header();
        let (sum, length) = (self.crc.sum().to_le_bytes(), self.crc.amount().to_le_bytes());
        [header, &Self::LAST_BLOCK, &sum, &length].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_chunks_are_one_gzip_file_and_each_can_be_read_when_it_arrives(
            chunks in prop::collection::vec("[0-9,.\n-]{1,40}", 0..8),
            repeats in 1usize..600,
        ) {
            let chunks: Vec<_> = chunks.iter().map(|chunk| chunk.repeat(repeats)).collect();
            let mut gzip = GzipChunks::of(Media::Csv);
            let (mut sent, mut plain) = (Vec::new(), String::new());
            for chunk in &chunks {
                sent.extend(gzip.compress(chunk.as_bytes()));
                plain.push_str(chunk);
                let mut received = vec![0; plain.len()];
                GzDecoder::new(sent.as_slice()).read_exact(&mut received).unwrap();
                prop_assert_eq!(&received, plain.as_bytes());
            }
            sent.extend(gzip.finish());
            let mut whole = String::new();
            let mut decoder = GzDecoder::new(sent.as_slice());
            decoder.read_to_string(&mut whole).unwrap();
            prop_assert_eq!(&whole, &plain);
            prop_assert!(decoder.into_inner().is_empty(), "nothing follows the file");
        }
    }
}
