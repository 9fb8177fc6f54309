use std::fs::{self, File};
use std::sync::atomic::{AtomicU32, Ordering};

use clap::Parser;
use flate2::read::GzDecoder;

use super::*;

#[derive(Parser)]
struct TestCli {
    #[command(flatten)]
    args: GenerateArgs,
}

/// A new directory for each test, deleted at the end.
struct TempDir(PathBuf);

impl TempDir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "generate-test-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a temporary directory");
        Self(path)
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).expect("the directory");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn contents(&self) -> [Vec<u8>; 3] {
        FILES.map(|name| fs::read(self.0.join(name)).expect("a generated file"))
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn plan(seed: u64) -> Plan {
    let date = |text: &str| text.parse().expect("a date in the test");
    Plan { stocks: 12, from: date("2000-01-01"), to: date("2009-12-31"), seed }
}

fn rows(reader: impl io::Read) -> (Vec<String>, Vec<csv::StringRecord>) {
    let mut reader = csv::Reader::from_reader(reader);
    let header = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    (header, reader.records().map(|row| row.expect("a row")).collect())
}

#[test]
fn equal_seeds_write_equal_bytes_and_different_seeds_do_not() {
    let [first, again, other] = [1, 1, 2].map(|seed| {
        let dir = TempDir::new();
        write_files(plan(seed), &dir.0, false).expect("files");
        dir.contents()
    });
    assert!(first == again, "seed 1 wrote different bytes");
    assert!(first != other, "seeds 1 and 2 wrote the same bytes");
}

#[test]
fn files_have_the_counted_rows_and_the_headers_of_the_sample_data() {
    let dir = TempDir::new();
    let counts = write_files(plan(1), &dir.0, false).expect("files");
    let open = |name| File::open(dir.0.join(name)).expect("a generated file");

    let seed = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/seed/prices.csv.gz"))
        .expect("seed prices");
    let (real_header, _) = rows(GzDecoder::new(seed));
    let (header, prices) = rows(GzDecoder::new(open("prices.csv.gz")));
    assert_eq!(header, real_header);
    let (header, stocks) = rows(open("stocks.csv"));
    assert_eq!(header.join(","), "symbol,name,exchange,sector,industry,currency");
    let (header, actions) = rows(open("corporate_actions.csv"));
    assert_eq!(header.join(","), "symbol,ex_date,split_from,split_to,dividend");

    let written = [stocks.len(), prices.len(), actions.len()].map(|rows| rows as u64);
    assert_eq!(written, [counts.stocks, counts.prices, counts.actions]);
    assert!(actions.iter().all(
        |row| row[2].is_empty() != row[4].is_empty() && row[2].is_empty() == row[3].is_empty()
    ));
}

#[test]
fn written_numbers_equal_the_generated_ones() {
    let dir = TempDir::new();
    write_files(plan(1), &dir.0, false).expect("files");
    let (_, written) =
        rows(GzDecoder::new(File::open(dir.0.join("prices.csv.gz")).expect("prices")));
    let generated = plan(1).histories().expect("a plan").flat_map(|history| {
        let symbol = history.stock.symbol;
        history.bars.into_iter().map(move |bar| (symbol.clone(), bar))
    });
    for (row, (symbol, bar)) in written.iter().zip(generated) {
        let number = |column: usize| row[column].parse::<f64>().expect("a number");
        assert_eq!((&row[0], &row[1]), (symbol.as_str(), bar.date.to_string().as_str()));
        assert_eq!(
            [2, 3, 4, 5, 7].map(number),
            [bar.open, bar.high, bar.low, bar.close, bar.adjusted_close]
        );
        assert_eq!(row[6].parse(), Ok(bar.volume));
    }
}

#[test]
fn existing_files_are_replaced_only_with_yes() {
    let dir = TempDir::new();
    fs::write(dir.0.join("stocks.csv"), "mine").expect("a file");
    let refused = write_files(plan(1), &dir.0, false);
    assert!(matches!(refused, Err(GenerateError::Exists(path)) if path.ends_with("stocks.csv")));
    assert_eq!(dir.names(), ["stocks.csv"]);
    assert_eq!(fs::read(dir.0.join("stocks.csv")).expect("the file"), b"mine");

    write_files(plan(1), &dir.0, true).expect("files");
    assert_ne!(dir.contents()[0], b"mine");
}

#[test]
fn a_failure_leaves_no_file_of_the_run() {
    let dir = TempDir::new();
    // A file can't replace a directory, so the last rename fails.
    fs::create_dir_all(dir.0.join("corporate_actions.csv")).expect("a directory");
    let failed = write_files(plan(1), &dir.0, true);
    assert!(matches!(failed, Err(GenerateError::Write { .. })));
    assert_eq!(dir.names(), ["corporate_actions.csv"]);
}

#[test]
fn success_leaves_only_the_three_files() {
    let dir = TempDir::new();
    write_files(plan(1), &dir.0.join("new/deep"), false).expect("files");
    assert_eq!(
        TempDir(dir.0.join("new/deep")).names(),
        ["corporate_actions.csv", "prices.csv.gz", "stocks.csv"]
    );
}

#[test]
fn the_error_of_an_unwritable_directory_suggests_another_one() {
    let dir = TempDir::new();
    let file = dir.0.join("file");
    fs::write(&file, "").expect("a file");
    let message = write_files(plan(1), &file, false).expect_err("an error").to_string();
    assert!(message.starts_with(&format!("can't write in {}: ", file.display())), "{message}");
    assert!(message.ends_with("choose another --out"), "{message}");
}

#[test]
fn an_invalid_plan_creates_no_directory() {
    let dir = TempDir::new();
    let out = dir.0.join("out");
    let bad = Plan { stocks: 0, ..plan(1) };
    assert!(matches!(write_files(bad, &out, false), Err(GenerateError::Plan(PlanError::NoStocks))));
    assert!(!out.exists());
}

#[test]
fn arguments_have_the_documented_defaults_and_reject_invalid_dates() {
    let parse = |from| {
        TestCli::try_parse_from(["test", "--stocks", "5", "--from", from, "--to", "2024-12-31"])
    };
    let args = parse("2024-01-01").map_err(|error| error.to_string()).expect("arguments").args;
    assert_eq!(
        (args.seed, args.out, args.json, args.yes),
        (1, PathBuf::from("generated"), false, false)
    );
    let message = parse("2024-02-30").err().expect("an error").to_string();
    assert!(message.contains("such as 2024-05-31"), "{message}");
}
