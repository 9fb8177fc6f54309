//! The files of the case: the same rows for tickerd and for COPY, and a correction of all.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use tickerd::feed::generate::Plan;
use tickerd::market::parse_date;

use crate::LoadtestError;

/// With ten years of days they have some 950,000 bars.
const STOCKS: u32 = 420;
const FROM: &str = "2016-01-01";
const TO: &str = "2025-12-31";
const SEED: u64 = 1;

pub struct LoadFiles {
    dir: PathBuf,
    pub stocks: String,
    pub prices: String,
    /// The same bars with other volumes.
    pub corrected: String,
    /// The rows of `prices` for COPY, with ids in place of symbols.
    pub plain: String,
    pub stock_count: u64,
    pub rows: u64,
}

impl LoadFiles {
    /// Writes the files into a directory.
    ///
    /// # Errors
    /// If they can't be written.
    pub fn write(dir: &Path) -> Result<Self, LoadtestError> {
        fs::create_dir_all(dir)?;
        let path = |name: &str| {
            let path = dir.join(name).into_os_string().into_string();
            path.map_err(|_| "expected a directory whose name is UTF-8: choose another --dir")
        };
        let mut files = Self {
            dir: dir.to_owned(),
            stocks: path("stocks.csv")?,
            prices: path("prices.csv")?,
            corrected: path("corrected.csv")?,
            plain: path("plain.csv")?,
            stock_count: 0,
            rows: 0,
        };
        let mut stocks = BufWriter::new(File::create(&files.stocks)?);
        let mut prices = BufWriter::new(File::create(&files.prices)?);
        let mut corrected = BufWriter::new(File::create(&files.corrected)?);
        let mut plain = BufWriter::new(File::create(&files.plain)?);
        writeln!(stocks, "symbol,name,exchange,currency")?;
        let header = "symbol,date,open,high,low,close,adjusted_close,volume";
        writeln!(prices, "{header}")?;
        writeln!(corrected, "{header}")?;
        let day = |text| parse_date(text).ok_or("expected a day");
        let plan = Plan { stocks: STOCKS, from: day(FROM)?, to: day(TO)?, seed: SEED };
        for history in plan.histories()? {
            let stock = history.stock;
            let symbol = stock.symbol;
            files.stock_count += 1;
            // A new database numbers stocks in the order of their symbols.
            let id = files.stock_count;
            writeln!(stocks, "{symbol},{},{},{}", stock.name, stock.exchange, stock.currency)?;
            for bar in history.bars {
                let (date, volume) = (bar.date, bar.volume);
                let prices_of_bar = format!(
                    "{},{},{},{},{}",
                    bar.open, bar.high, bar.low, bar.close, bar.adjusted_close
                );
                writeln!(prices, "{symbol},{date},{prices_of_bar},{volume}")?;
                writeln!(corrected, "{symbol},{date},{prices_of_bar},{}", volume + 1)?;
                writeln!(plain, "{id},{date},{prices_of_bar},{volume}")?;
                files.rows += 1;
            }
        }
        for mut file in [stocks, prices, corrected, plain] {
            file.flush()?;
        }
        Ok(files)
    }

    pub fn remove(&self) -> Result<(), LoadtestError> {
        Ok(fs::remove_dir_all(&self.dir)?)
    }
}
