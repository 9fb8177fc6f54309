//! Lines that end as those of Windows do, made to end as all others: the reader of CSV counts those one line too low.

use std::io::{Read, Result};

/// Leaves out each `\r` before a `\n`. What is read at once has to have room for two bytes.
pub struct Newlines<R> {
    raw: R,
    /// The last byte was a `\r`, and what follows is not known yet.
    holds_return: bool,
}

impl<R> Newlines<R> {
    pub fn of(raw: R) -> Self {
        Self { raw, holds_return: false }
    }
}

impl<R: Read> Read for Newlines<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            let held = usize::from(self.holds_return);
            let read = self.raw.read(out.get_mut(held..).unwrap_or_default())?;
            if held == 1 {
                out[0] = b'\r';
            }
            let bytes = &mut out[..held + read];
            self.holds_return = read > 0 && bytes.ends_with(b"\r");
            let end = bytes.len() - usize::from(self.holds_return);
            let kept = if bytes[..end].contains(&b'\r') { without_returns(&mut bytes[..end]) } else { end };
            if kept > 0 || read == 0 {
                return Ok(kept);
            }
        }
    }
}

/// Moves what stays to the front, and returns how much that is.
fn without_returns(bytes: &mut [u8]) -> usize {
    let mut kept = 0;
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(b"\r\n") {
            continue;
        }
        bytes[kept] = bytes[at];
        kept += 1;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time, as a pipe may.
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
        fn only_returns_before_newlines_go_wherever_reads_break_off(text in "[a\r\n]{0,40}", size in 1usize..9) {
            let mut reader = Newlines::of(Pieces(text.clone().into_bytes(), size));
            let (mut read, mut out) = (Vec::new(), [0; 16]);
            while let count @ 1.. = reader.read(&mut out).unwrap() {
                read.extend_from_slice(&out[..count]);
            }
            let read = String::from_utf8(read).unwrap();
            prop_assert_eq!(read, text.replace("\r\n", "\n"));
        }
    }
}
