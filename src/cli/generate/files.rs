//! Writes the three data files, first under temporary names.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::feed::generate::{History, SyntheticStock};
use crate::market::ActionKind;

const STOCKS: &str = "stocks.csv";
const PRICES: &str = "prices.csv.gz";
const ACTIONS: &str = "corporate_actions.csv";

/// The gzip level, 1 to 9. Level 6 saves 3 % of the size for 50 % more time; level 1 makes files
/// 50 % larger.
const LEVEL: u32 = 3;

/// The names of the files that a run writes.
pub(super) const FILES: [&str; 3] = [STOCKS, PRICES, ACTIONS];

/// Temporary files in the target directory, so that renaming them is atomic. Dropping it deletes
/// unpublished files.
pub(super) struct Staging {
    dir: PathBuf,
}

impl Staging {
    /// # Errors
    /// If the directory `dir` can't be created.
    pub(super) fn create(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The name contains the process id, so two runs never write to the same file.
    fn temporary(&self, name: &str) -> PathBuf {
        self.dir.join(format!(".{name}.{}.partial", std::process::id()))
    }

    /// Gives the files their final names and replaces existing ones.
    ///
    /// # Errors
    /// If a file can't be renamed. Then it deletes those already renamed, so that files of two runs
    /// are never mixed.
    pub(super) fn publish(self) -> io::Result<()> {
        for (done, name) in FILES.iter().enumerate() {
            if let Err(error) = fs::rename(self.temporary(name), self.dir.join(name)) {
                for published in &FILES[..done] {
                    // The first error is the one to report.
                    let _ = fs::remove_file(self.dir.join(published));
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        for name in FILES {
            // Published files no longer exist under their temporary names.
            let _ = fs::remove_file(self.temporary(name));
        }
    }
}

/// Open writers of the three files, headers written.
pub(super) struct Tables {
    stocks: csv::Writer<File>,
    prices: csv::Writer<GzEncoder<File>>,
    actions: csv::Writer<File>,
}

impl Tables {
    /// # Errors
    /// If a file can't be created.
    pub(super) fn create(staging: &Staging) -> io::Result<Self> {
        let create = |name| File::create(staging.temporary(name));
        // Without time and name in the gzip header, the bytes depend only on the rows and on the
        // version of the compressor.
        let prices = GzEncoder::new(create(PRICES)?, Compression::new(LEVEL));
        let mut tables = Self {
            stocks: csv::Writer::from_writer(create(STOCKS)?),
            prices: csv::WriterBuilder::new().buffer_capacity(1 << 16).from_writer(prices),
            actions: csv::Writer::from_writer(create(ACTIONS)?),
        };
        tables
            .stocks
            .write_record(["symbol", "name", "exchange", "sector", "industry", "currency"])?;
        tables.prices.write_record([
            "symbol",
            "date",
            "open",
            "high",
            "low",
            "close",
            "volume",
            "adjusted_close",
        ])?;
        tables.actions.write_record(["symbol", "ex_date", "split_from", "split_to", "dividend"])?;
        Ok(tables)
    }

    /// Appends the rows of one stock.
    ///
    /// # Errors
    /// If a file can't be written.
    pub(super) fn write(&mut self, history: &History) -> io::Result<()> {
        let SyntheticStock { symbol, name, exchange, sector, industry, currency } = &history.stock;
        self.stocks.serialize((symbol, name, exchange, sector, industry, currency))?;
        for bar in &history.bars {
            let row = (
                symbol,
                bar.date,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                bar.adjusted_close,
            );
            self.prices.serialize(row)?;
        }
        for action in &history.actions {
            let (from, to, dividend) = match action.kind {
                ActionKind::Split { from, to } => {
                    (Some(from.to_string()), Some(to.to_string()), None)
                }
                ActionKind::Dividend(dividend) => (None, None, Some(dividend)),
            };
            self.actions.serialize((symbol, action.ex_date, from, to, dividend))?;
        }
        Ok(())
    }

    /// Completes the files and syncs them to disk, so that no published file is incomplete, even
    /// after a power failure.
    ///
    /// # Errors
    /// If a file can't be written.
    pub(super) fn finish(self) -> io::Result<()> {
        let prices = self.prices.into_inner().map_err(csv::IntoInnerError::into_error)?;
        prices.finish()?.sync_all()?;
        for writer in [self.stocks, self.actions] {
            writer.into_inner().map_err(csv::IntoInnerError::into_error)?.sync_all()?;
        }
        Ok(())
    }
}
