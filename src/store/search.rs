//! Lists of stocks and searches for stocks: the tables `stocks` and `former_symbols`.

use tokio_postgres::Row;

use super::typed::Param;
use super::{Params, Snapshot, StoreError};
use crate::market::{Identifier, InstrumentType, Symbol};

/// Which stocks to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StockFilter {
    pub exchange: Option<String>,
    pub sector: Option<String>,
    pub instrument_type: Option<InstrumentType>,
    /// ISO 3166-1, two letters.
    pub country: Option<String>,
    pub currency: Option<String>,
    pub identifiers: StockIdentifiers,
    /// `true` for listed stocks only, `false` for delisted stocks only.
    pub active: Option<bool>,
}

/// Identifiers that a stock must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StockIdentifiers {
    pub isin: Option<Identifier>,
    pub cusip: Option<Identifier>,
    pub figi: Option<Identifier>,
    pub cik: Option<Identifier>,
}

/// Which page of a list to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListPage {
    pub limit: u32,
    pub offset: u32,
}

/// The stocks of one page, and the number of stocks on all pages.
#[derive(Debug, PartialEq, Eq)]
pub struct StockMatches {
    pub total: i64,
    pub ids: Vec<i32>,
}

/// A text to search stocks for: a symbol, words of a name, or a similar text. Case and the number
/// of spaces do not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockSearch(String);

impl StockSearch {
    /// `None` for a text of spaces alone.
    pub fn of(text: &str) -> Option<Self> {
        let words: Vec<_> = text.split_whitespace().collect();
        (!words.is_empty()).then(|| Self(words.join(" ").to_lowercase()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn symbol(&self) -> String {
        self.0.to_ascii_uppercase()
    }

    /// Other spellings of the symbol that this text may be, such as `BRK.B` for `brk/b`.
    fn spellings(&self) -> Vec<String> {
        let symbol = self.0.replace(' ', "/").parse::<Symbol>().ok();
        let spellings =
            symbol.into_iter().flat_map(|symbol| symbol.other_spellings().chain([symbol]));
        spellings.map(|symbol| symbol.to_string()).collect()
    }

    /// The regular expression for a name in which a word begins with this text. Escapes all ASCII
    /// punctuation.
    fn word_prefix_pattern(&self) -> String {
        let mut pattern = "(^|[^[:alnum:]])".to_owned();
        for c in self.0.chars() {
            if c.is_ascii() && !c.is_ascii_alphanumeric() {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern
    }
}

/// The condition that a row `s` of `stocks` passes a filter, whose values are `$1` to `$10`.
macro_rules! passes_filter {
    () => {
        "($1::text IS NULL OR s.exchange = $1) AND ($2::text IS NULL OR s.sector = $2)
         AND ($3::bool IS NULL OR (s.delisted_on IS NULL) = $3)
         AND ($4::text IS NULL OR s.type = $4) AND ($5::text IS NULL OR s.country = $5)
         AND ($6::text IS NULL OR s.currency = $6) AND ($7::text IS NULL OR s.isin = $7)
         AND ($8::text IS NULL OR s.cusip = $8) AND ($9::text IS NULL OR s.figi = $9)
         AND ($10::text IS NULL OR s.cik = $10)"
    };
}

/// The values of a filter as parameters of a statement.
struct FilterValues<'a> {
    exchange: Option<&'a str>,
    sector: Option<&'a str>,
    active: Option<bool>,
    instrument_type: Option<&'static str>,
    country: Option<&'a str>,
    currency: Option<&'a str>,
    /// ISIN, CUSIP, FIGI and CIK.
    identifiers: [Option<&'a str>; 4],
}

impl StockFilter {
    fn values(&self) -> FilterValues<'_> {
        let StockIdentifiers { isin, cusip, figi, cik } = &self.identifiers;
        FilterValues {
            exchange: self.exchange.as_deref(),
            sector: self.sector.as_deref(),
            active: self.active,
            instrument_type: self.instrument_type.map(InstrumentType::as_str),
            country: self.country.as_deref(),
            currency: self.currency.as_deref(),
            identifiers: [isin, cusip, figi, cik].map(|of| of.as_ref().map(Identifier::as_str)),
        }
    }
}

impl FilterValues<'_> {
    /// In the order of [`passes_filter!`].
    fn params(&self) -> [&dyn Param; 10] {
        let [isin, cusip, figi, cik] = &self.identifiers;
        [
            &self.exchange,
            &self.sector,
            &self.active,
            &self.instrument_type,
            &self.country,
            &self.currency,
            isin,
            cusip,
            figi,
            cik,
        ]
    }
}

impl Snapshot<'_> {
    /// Lists stocks by symbol, as of `version` or later.
    pub async fn list_stocks(
        &self,
        filter: &StockFilter,
        page: ListPage,
        version: i64,
    ) -> Result<StockMatches, StoreError> {
        // The C collation orders symbols by their bytes on every server.
        let sql = concat!(
            "WITH matching AS NOT MATERIALIZED (SELECT id, symbol FROM stocks s WHERE ",
            passes_filter!(),
            ")
             SELECT (SELECT count(*) FROM matching) AS total,
                    ARRAY(SELECT id FROM matching ORDER BY symbol COLLATE \"C\"
                          LIMIT $11 OFFSET $12) AS ids"
        );
        let limit = i64::from(page.limit);
        let offset = i64::from(page.offset);
        let values = filter.values();
        let params = [values.params().as_slice(), &[&limit, &offset]].concat();
        matches(&self.scan(version, sql, &params).await?)
    }

    /// The first `limit` sectors of stocks in alphabetical order, as of `version` or later.
    pub async fn sectors(&self, limit: u32, version: i64) -> Result<Vec<String>, StoreError> {
        let sql = "
            SELECT DISTINCT sector FROM stocks WHERE sector IS NOT NULL ORDER BY sector LIMIT $1";
        let rows = self.scan(version, sql, &[&i64::from(limit)]).await?;
        rows.iter().map(|row| Ok(row.try_get("sector")?)).collect()
    }

    /// Searches stocks, best match first: exact symbol, its other spellings, former symbol, symbol
    /// prefix, former symbol prefix, word prefix in the name, then similar texts by similarity.
    /// Equal matches are ordered by symbol.
    pub async fn search_stocks(
        &self,
        search: &StockSearch,
        filter: &StockFilter,
        page: ListPage,
        version: i64,
    ) -> Result<StockMatches, StoreError> {
        // All characters of symbols sort before '~'. Similar (<<%) means that half of the trigrams
        // occur in a sequence of whole words, or another part if the server sets
        // pg_trgm.strict_word_similarity_threshold.
        let sql = concat!(
            "WITH hits AS (
                 SELECT id, CASE WHEN symbol = $11 THEN 0 ELSE 2 END::float8 AS rank FROM stocks
                 WHERE symbol COLLATE \"C\" >= $11 AND symbol COLLATE \"C\" < $11 || '~'
                 UNION ALL
                 SELECT id, 0.5 FROM stocks WHERE symbol = ANY ($16)
                 UNION ALL
                 SELECT stock_id, CASE WHEN symbol = $11 THEN 1 ELSE 3 END FROM former_symbols
                 WHERE symbol COLLATE \"C\" >= $11 AND symbol COLLATE \"C\" < $11 || '~'
                 UNION ALL
                 SELECT id, 4 FROM stocks WHERE name ~* $12
                 UNION ALL
                 SELECT id, 5 + least($13 <<<-> name, $13 <<<-> symbol) FROM stocks
                 WHERE ($13 <<% name OR $13 <<% symbol) AND name !~* $12
             ), found AS (
                 SELECT s.id, s.symbol, min(h.rank) AS rank FROM hits h JOIN stocks s ON s.id = h.id
                 WHERE ",
            passes_filter!(),
            " GROUP BY s.id, s.symbol
             )
             SELECT count(*) AS total, coalesce(
                 (array_agg(id ORDER BY rank, symbol COLLATE \"C\"))
                     [$14::bigint + 1:$14 + $15::bigint],
                 '{}'
             ) AS ids FROM found"
        );
        let limit = i64::from(page.limit);
        let offset = i64::from(page.offset);
        let symbol = search.symbol();
        let pattern = search.word_prefix_pattern();
        let spellings = search.spellings();
        let values = filter.values();
        let of_search: Params<'_> = &[&symbol, &pattern, &search.0, &offset, &limit, &spellings];
        let params = [values.params().as_slice(), of_search].concat();
        matches(&self.scan(version, sql, &params).await?)
    }
}

fn matches(rows: &[Row]) -> Result<StockMatches, StoreError> {
    let row = rows.first().ok_or_else(|| StoreError::Corrupt("a count has no row".to_owned()))?;
    Ok(StockMatches { total: row.try_get("total")?, ids: row.try_get("ids")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ignores_case_and_spacing() {
        assert_eq!(StockSearch::of("  Bank \t of AMERICA "), StockSearch::of("bank of america"));
        for nothing in ["", " ", "\t\n"] {
            assert_eq!(StockSearch::of(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_search_is_escaped_in_the_pattern() {
        let search = StockSearch::of("AT&T (a.*) [z] \\ é").unwrap();
        let pattern = r"(^|[^[:alnum:]])at\&t\ \(a\.\*\)\ \[z\]\ \\\ é";
        assert_eq!(search.word_prefix_pattern(), pattern);
    }
}
