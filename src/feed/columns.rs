//! The columns of each kind of file, under the names that common vendors use.

use crate::store::Table;

/// A column that a kind of file has.
pub struct FeedColumn {
    /// Its name here and in messages.
    pub name: &'static str,
    /// Its names in files of other vendors, as [`normalized`].
    aliases: &'static [&'static str],
    /// Names that mean this column only if the file has none of the others. The first one that the
    /// file has counts.
    fallbacks: &'static [&'static str],
    pub(super) is_required: bool,
    /// The command-line option that replaces the column.
    pub(super) option: Option<&'static str>,
}

const fn required(name: &'static str, aliases: &'static [&'static str]) -> FeedColumn {
    FeedColumn { name, aliases, fallbacks: &[], is_required: true, option: None }
}

const fn optional(name: &'static str, aliases: &'static [&'static str]) -> FeedColumn {
    FeedColumn { is_required: false, ..required(name, aliases) }
}

const fn with_fallbacks(column: FeedColumn, fallbacks: &'static [&'static str]) -> FeedColumn {
    FeedColumn { fallbacks, ..column }
}

const SYMBOL: FeedColumn = required("symbol", &["ticker", "code"]);
const SYMBOL_OR_OPTION: FeedColumn = FeedColumn { option: Some("--symbol"), ..SYMBOL };

/// The answers of this API call the symbol `id`.
const STOCKS: &[FeedColumn] = &[
    with_fallbacks(SYMBOL, &["id"]),
    required("name", &["company", "companyname", "securityname"]),
    required("exchange", &["exchangecode", "primaryexchange", "exchangeshortname"]),
    required("currency", &["currencycode", "currencyname", "currencysymbol"]),
    optional("sector", &["gicssector"]),
    optional("industry", &["gicsindustry"]),
    optional("market_cap", &["marketcapitalization"]),
    optional("type", &["instrumenttype", "securitytype", "assettype"]),
    optional("country", &["countrycode", "countryiso"]),
    optional("isin", &[]),
    optional("cusip", &[]),
    optional("figi", &["compositefigi", "openfigi", "figicode"]),
    optional("cik", &["cikcode"]),
];

/// `closeadj` is not an alias of `adjusted_close`: files with that column have no raw close under
/// `close`.
///
/// The single letters are those of Massive and Alpaca. The first column of files that pandas or R
/// writes has no name or that of an index. In Kaggle's files of the S&P 500 the column of symbols
/// is called Name.
const PRICES: &[FeedColumn] = &[
    with_fallbacks(SYMBOL_OR_OPTION, &["T", "S", "name"]),
    with_fallbacks(
        required("date", &["tradedate", "windowstart", "datetime"]),
        &["timestamp", "t", "time", "index", "", "unnamed0", "indexlevel0"],
    ),
    with_fallbacks(required("open", &[]), &["o"]),
    with_fallbacks(required("high", &[]), &["h"]),
    with_fallbacks(required("low", &[]), &["l"]),
    with_fallbacks(required("close", &["closelast"]), &["c"]),
    with_fallbacks(required("volume", &["vol"]), &["v"]),
    optional("adjusted_close", &["adjclose", "adjusted"]),
    with_fallbacks(optional("vwap", &["volumeweightedaverageprice"]), &["vw"]),
    with_fallbacks(optional("trades", &["transactions", "tradecount", "numberoftrades"]), &["n"]),
    // They are not loaded, but tell whether the other values are what they seem to be.
    optional("currency", &["currencycode", "pricecurrency"]),
    with_fallbacks(optional("period", &["per"]), &["interval", "timeframe", "timespan"]),
    optional("time", &[]),
    optional("unfinished", &[]),
    optional("adjust", &[]),
    optional("splits", &["stocksplits", "split", "splitfactor", "splitcoefficient", "splitratio"]),
    optional("dividends", &["dividend", "divcash", "dividendamount", "exdividend"]),
];

/// The columns `from_factor`, `to_factor` and `ratio` are read so that they can be refused.
const ACTIONS: &[FeedColumn] = &[
    SYMBOL_OR_OPTION,
    with_fallbacks(
        required(
            "ex_date",
            &[
                "exdividenddate",
                "executiondate",
                "effectivedate",
                "exeffdate",
                "exoreffdate",
                "date",
            ],
        ),
        &["timestamp", "datetime", "index", "", "unnamed0"],
    ),
    optional("split_from", &["denominator", "oldrate"]),
    optional("split_to", &["numerator", "newrate"]),
    optional(
        "split",
        &["splits", "stocksplit", "stocksplits", "splitfactor", "splitratio", "splitcoefficient"],
    ),
    optional("from_factor", &[]),
    optional("to_factor", &[]),
    optional("ratio", &[]),
    optional(
        "dividend",
        &[
            "dividends",
            "dividendamount",
            "cashamount",
            "cashdividend",
            "divcash",
            "exdividend",
            "unadjustedvalue",
            "amount",
        ],
    ),
    optional("capital_gains", &["capitalgain"]),
    optional("kind", &[]),
    optional("type", &["dividendtype", "distributiontype", "adjustmenttype", "actiontype"]),
    optional("currency", &["currencycode", "dividendcurrency"]),
    optional("declaration_date", &["declareddate", "announcementdate"]),
    optional("record_date", &[]),
    optional("pay_date", &["paymentdate", "payabledate"]),
    optional("frequency", &["dividendfrequency"]),
];

/// The columns of a file of this kind.
pub fn columns(table: Table) -> &'static [FeedColumn] {
    match table {
        Table::Stocks => STOCKS,
        Table::Prices => PRICES,
        Table::Actions => ACTIONS,
    }
}

impl FeedColumn {
    /// Whether a column of this name is it, unless only as a fallback.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let name = normalized(name);
        name == normalized(self.name) || self.aliases.contains(&name.as_str())
    }

    /// The index of the column among `names` under the first of its fallback names.
    pub(super) fn find_fallback<'n>(
        &self,
        names: impl Iterator<Item = (usize, &'n str)> + Clone,
    ) -> Option<usize> {
        self.fallbacks.iter().find_map(|fallback| {
            names.clone().find(|(_, name)| normalized(name) == *fallback).map(|(at, _)| at)
        })
    }
}

/// Whether a column holds closes or volumes as traded beside adjusted ones: Sharadar's
/// `closeunadj`, and the `unadjustedVolume` of Financial Modeling Prep.
pub(super) fn is_unadjusted(name: &str) -> bool {
    let name = normalized(name);
    (name.contains("unadj") || name.starts_with("raw"))
        && ["close", "price", "volume"].iter().any(|value| name.contains(value))
}

/// A column's name without the differences between vendors: case, spaces, underscores, brackets, a
/// byte order mark. A single letter keeps its case: Massive's `T` is a ticker, and `t` a time.
pub(super) fn normalized(name: &str) -> String {
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if kept.len() == 1 { kept } else { kept.to_ascii_lowercase() }
}
