//! Decompresses zstd, and compares the checksum of each frame.

use std::io::{BufRead, Error, Read, Result};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// The first bytes of a frame.
pub const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// All frames of a file, one after the other.
pub struct ZstdReader<R> {
    raw: R,
    frame: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> ZstdReader<R> {
    pub fn of(raw: R) -> Self {
        Self { raw, frame: FrameDecoder::new(), is_in_frame: false }
    }

    /// Begins the next frame, after frames that hold no data. Returns whether there is one.
    fn next_frame(&mut self) -> Result<bool> {
        while !self.raw.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.raw) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.raw).take(length.into());
                    std::io::copy(&mut skipped, &mut std::io::sink())?;
                }
                Err(error) => return Err(Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Reads from the frame; 0 at its end.
    fn read_frame(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.frame.can_collect() < out.len() && !self.frame.is_finished() {
            let missing = out.len() - self.frame.can_collect();
            let strategy = BlockDecodingStrategy::UptoBytes(missing);
            self.frame.decode_blocks(&mut self.raw, strategy).map_err(Error::other)?;
        }
        self.frame.read(out)
    }

    fn compare_checksum(&self) -> Result<()> {
        let stored = self.frame.get_checksum_from_data();
        match stored {
            Some(_) if stored != self.frame.get_calculated_checksum() => {
                Err(Error::other("the checksum of a zstd frame is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdReader<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_in_frame {
                self.is_in_frame = self.next_frame()?;
                if !self.is_in_frame {
                    return Ok(0);
                }
            }
            match self.read_frame(out)? {
                0 => {
                    self.compare_checksum()?;
                    self.is_in_frame = false;
                }
                read => return Ok(read),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<String> {
        let mut text = String::new();
        ZstdReader::of(bytes).read_to_string(&mut text).map(|_| text)
    }

    fn frame(text: &str) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(
            text.as_bytes(),
            ruzstd::encoding::CompressionLevel::Fastest,
        )
    }

    #[test]
    fn all_frames_are_read_and_those_without_data_are_skipped() {
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let text = "2024-01-02,10.5\n".repeat(9000);
        let bytes = [skippable.clone(), frame(&text), skippable, frame("the end")].concat();
        assert_eq!(read(&bytes).unwrap(), format!("{text}the end"));
        assert_eq!(read(&[]).unwrap(), "");
    }

    #[test]
    fn a_file_that_is_cut_or_changed_is_an_error() {
        let bytes = frame(&"2024-01-02,10.5\n".repeat(9000));
        for length in [bytes.len() - 1, bytes.len() - 4, bytes.len() / 2, 5] {
            assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(read(&changed).unwrap_err().to_string().contains("checksum"));
    }
}
