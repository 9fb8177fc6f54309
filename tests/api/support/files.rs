//! Files that a test loads.

use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;

/// A directory of files that is removed when the test ends.
pub struct Files(tempfile::TempDir);

impl Files {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The path of the directory.
    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// The text of a file, unpacked if it is gzipped.
pub fn read_text(path: &str) -> String {
    let (mut file, mut text) = (File::open(path).unwrap(), String::new());
    let read = if path.ends_with(".gz") {
        GzDecoder::new(file).read_to_string(&mut text)
    } else {
        file.read_to_string(&mut text)
    };
    read.unwrap();
    text
}
