//! Normalizes line ends, because the CSV reader counts lines by `\n` alone.

use std::io::{Read, Result};

/// Turns each `\r\n`, and each `\r` by itself, into `\n`.
pub struct NewlineNormalizer<R> {
    raw: R,
    /// Whether the last byte was a `\r`, so that a `\n` after it belongs to it.
    after_return: bool,
}

impl<R> NewlineNormalizer<R> {
    pub fn of(raw: R) -> Self {
        Self { raw, after_return: false }
    }

    /// Translates in place, and returns the number of bytes that stay.
    fn translate(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            let belongs_to_return = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            if !belongs_to_return {
                bytes[kept] = if self.after_return { b'\n' } else { byte };
                kept += 1;
            }
        }
        kept
    }
}

impl<R: Read> Read for NewlineNormalizer<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let read = self.raw.read(out)?;
            let bytes = &mut out[..read];
            let kept = if self.after_return || bytes.contains(&b'\r') {
                self.translate(bytes)
            } else {
                read
            };
            // Returning 0 means the end, so read on if the only byte was dropped.
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns a few bytes at a time, as a pipe may.
    struct Pieces(Vec<u8>, usize);

    impl Read for Pieces {
        fn read(&mut self, out: &mut [u8]) -> Result<usize> {
            let count = self.0.len().min(self.1).min(out.len());
            out[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
    }

    proptest! {
        #[test]
        fn every_line_end_becomes_one_newline_for_any_size_of_reads(
            text in "[a\r\n]{0,40}", size in 1usize..9
        ) {
            let mut reader = NewlineNormalizer::of(Pieces(text.clone().into_bytes(), size));
            let mut read = Vec::new();
            let mut out = [0; 16];
            while let count @ 1.. = reader.read(&mut out).unwrap() {
                read.extend_from_slice(&out[..count]);
            }
            let read = String::from_utf8(read).unwrap();
            prop_assert_eq!(read, text.replace("\r\n", "\n").replace('\r', "\n"));
        }
    }
}
