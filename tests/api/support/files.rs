//! Files that a test loads.

use std::fs::File;
use std::io::Read;

use flate2::read::GzDecoder;

/// Files of a test's own, gone when it ends.
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

    /// The directory that they are in.
    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// The text of a file of the sample.
pub fn text_of(path: &str) -> String {
    let (mut file, mut text) = (File::open(path).unwrap(), String::new());
    let read = if path.ends_with(".gz") {
        GzDecoder::new(file).read_to_string(&mut text)
    } else {
        file.read_to_string(&mut text)
    };
    read.unwrap();
    text
}
