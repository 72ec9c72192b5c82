//! What is in the way of clustering a table: all of it at once, with what to add to the command line.
//!
//! It is asked for when reading has met something, and reads the source once more, all columns as words.

use std::collections::BTreeSet;

use super::cells::{
    has_no_value, is_boolean, is_date, is_decimal_comma, is_dressed_number, may_be_thousands,
    number,
};
use super::{Column, Features, Kind, Place, Records, Roles, Wanted, some};
use crate::{DataError, ReadOptions};

/// Distinct words of a column that are counted, and that are told.
const COUNTED: usize = 1000;
const TOLD: usize = 4;
/// More than so many words don't make a feature each without being asked.
const CATEGORIES: usize = 50;

/// What is in a column, all rows seen.
#[derive(Debug, Default)]
struct Seen {
    missing: u64,
    numbers: u64,
    booleans: u64,
    dates: u64,
    decimal_commas: u64,
    /// Of these, those that may be thousands.
    thousands: u64,
    /// Numbers with units, or with their digits in groups.
    dressed: u64,
    others: u64,
    /// The first that is none of the others, and its place.
    first: Option<(u64, String)>,
    distinct: BTreeSet<String>,
}

impl Seen {
    fn add(&mut self, cell: Option<&str>, at: u64, options: &ReadOptions) {
        let cell = cell.unwrap_or_default().trim();
        if has_no_value(cell, options) {
            self.missing += 1;
            return;
        }
        if number(cell, options).is_some() {
            self.numbers += 1;
        } else if is_boolean(cell) {
            self.booleans += 1;
        } else {
            if is_date(cell) {
                self.dates += 1;
            } else if is_decimal_comma(cell) {
                self.decimal_commas += 1;
                self.thousands += u64::from(may_be_thousands(cell));
            } else if is_dressed_number(cell) {
                self.dressed += 1;
            } else {
                self.others += 1;
            }
            self.first.get_or_insert_with(|| (at, shown(cell)));
        }
        if self.distinct.len() <= COUNTED && !self.distinct.contains(cell) {
            self.distinct.insert(cell.into());
        }
    }
}

/// Everything that keeps columns of features from being numbers. `None` if nothing does.
///
/// # Errors
///
/// As reading the source.
pub(crate) fn in_the_way(
    mut records: Records,
    roles: &Roles,
    options: &ReadOptions,
) -> Result<Option<DataError>, DataError> {
    let Features::Columns(columns) = &roles.features else { return Ok(None) };
    let readable = |index: &usize| records.schema.columns[*index].kind.is_simple();
    let one_hot: Vec<usize> = roles.one_hot.iter().map(|one_hot| one_hot.column).collect();
    let (read, unreadable): (Vec<usize>, Vec<usize>) =
        columns.iter().chain(&one_hot).partition(|index| readable(index));
    let wanted = Wanted { words: read.clone(), ..Wanted::default() };
    let mut seen: Vec<Seen> = read.iter().map(|_| Seen::default()).collect();
    let mut n_rows = 0_u64;
    if !read.is_empty() {
        while let Some(batch) = records.rows.next(&records.schema, &wanted)? {
            for (seen, words) in seen.iter_mut().zip(&batch.words) {
                for (row, word) in words.iter().enumerate() {
                    seen.add(word.as_deref(), batch.places.at(row), options);
                }
            }
            n_rows += batch.n_rows as u64;
        }
    }
    let mut told = Told::new(n_rows, records.schema.place);
    for (&index, seen) in read.iter().zip(&seen) {
        told.add((index, &records.schema.columns[index]), seen, one_hot.contains(&index));
    }
    for index in unreadable {
        let Column { name, kind, .. } = &records.schema.columns[index];
        told.others.push(format!("{name} holds {}", kind.words()));
        told.ignore.push(as_typed(index, name));
        told.no_numbers.push(name.clone());
    }
    Ok(told.error(&records.schema.name, options))
}

/// Trouble by its kind: what is said of each column, and what helps.
struct Told {
    n_rows: u64,
    place: Place,
    words: Vec<String>,
    dates: Vec<String>,
    commas: Vec<String>,
    missing: Vec<String>,
    others: Vec<String>,
    one_hot: Vec<String>,
    ignore: Vec<String>,
    /// Columns with something else than numbers.
    no_numbers: Vec<String>,
}

impl Told {
    fn new(n_rows: u64, place: Place) -> Self {
        let [words, dates, commas, missing, others, one_hot, ignore, no_numbers] =
            Default::default();
        Self { n_rows, place, words, dates, commas, missing, others, one_hot, ignore, no_numbers }
    }

    fn add(&mut self, (index, column): (usize, &Column), seen: &Seen, is_one_hot: bool) {
        let name = &column.name;
        let typed = as_typed(index, name);
        let bad = seen.dates + seen.decimal_commas + seen.dressed + seen.others;
        let there = seen.numbers + seen.booleans + bad;
        let (at, first) = seen.first.as_ref().map_or((0, ""), |(at, cell)| (*at, cell.as_str()));
        let place = self.place.word();
        if there == 0 {
            self.others.push(format!("{name} has no value at all"));
            self.ignore.push(typed);
            self.no_numbers.push(name.clone());
            return;
        }
        if seen.missing > 0 {
            self.missing.push(format!("{name} ({})", seen.missing));
        }
        let is_mixed = seen.booleans > 0 && column.kind != Kind::Booleans;
        if is_one_hot {
            return;
        }
        if bad == 0 && column.kind == Kind::Words {
            // Formats with types have numbers as numbers.
            let first = seen.distinct.first().map_or("", String::as_str);
            self.others.push(format!(
                "{name} has numbers as text ({first:?}), or as categories: write them as numbers, without quotes"
            ));
            // Whole numbers that come again are categories rather than measurements.
            let n_distinct = seen.distinct.len();
            let are_whole = seen.distinct.iter().all(|cell| cell.parse::<i64>().is_ok());
            let come_again = (2..=CATEGORIES).contains(&n_distinct) && (n_distinct as u64) < there;
            match are_whole && come_again {
                true => self.one_hot.push(typed),
                false => self.ignore.push(typed),
            }
            self.no_numbers.push(name.clone());
            return;
        }
        if bad == 0 && !is_mixed {
            return;
        }
        self.no_numbers.push(name.clone());
        let are_dates = seen.dates == bad || (column.kind == Kind::Dates && seen.others == bad);
        if are_dates {
            self.dates.push(format!("{name} (such as {first:?})"));
            self.ignore.push(typed);
        } else if seen.thousands > 0 && seen.thousands == bad {
            self.others.push(format!(
                "{name} has numbers such as {first:?}, a thousand or one: write thousands without commas, or say --decimal ,"
            ));
            self.ignore.push(typed);
        } else if seen.dressed > 0 && seen.dressed + seen.decimal_commas == bad {
            self.others.push(format!(
                "{name} has numbers with units or digits in groups (such as {first:?}): write them without"
            ));
            self.ignore.push(typed);
        } else if seen.decimal_commas > 0 && seen.decimal_commas == bad {
            self.commas.push(format!("{name} (such as {first:?})"));
        } else if seen.numbers >= bad {
            self.others.push(format!(
                "{name} has {bad} that {} no number, first {first:?} in {place} {at}",
                if bad == 1 { "is" } else { "are" }
            ));
            self.ignore.push(typed);
        } else {
            let distinct = seen.distinct.len();
            let some: Vec<String> =
                seen.distinct.iter().take(TOLD).map(|word| shown(word)).collect();
            let more = if distinct > TOLD { ", ..." } else { "" };
            let count =
                if distinct > COUNTED { format!("over {COUNTED}") } else { distinct.to_string() };
            self.words.push(format!("{name} ({count} distinct: {}{more})", some.join(", ")));
            match distinct <= CATEGORIES && distinct > 1 {
                true => self.one_hot.push(typed),
                false => self.ignore.push(typed),
            }
        }
    }

    fn error(self, source_name: &str, options: &ReadOptions) -> Option<DataError> {
        let mut problems = Vec::new();
        for (what, columns) in [
            ("words in ", &self.words),
            ("dates or times in ", &self.dates),
            ("decimal commas in ", &self.commas),
            ("", &self.others),
        ] {
            if !columns.is_empty() {
                problems.push(format!("{what}{}", some(columns)));
            }
        }
        let refused = options.missing == crate::Missing::Refuse && !self.missing.is_empty();
        if refused {
            let rows = self.n_rows;
            problems.push(format!("missing values in {}, of {rows} rows", some(&self.missing)));
        }
        if problems.is_empty() {
            return None;
        }
        let mut flags = Vec::new();
        let list = |names: &[String]| quoted(&names.join(","));
        if !self.commas.is_empty() {
            flags.push("--decimal ,".into());
        }
        if !self.one_hot.is_empty() {
            flags.push(format!("--one-hot {}", list(&self.one_hot)));
        }
        if !self.ignore.is_empty() {
            flags.push(format!("--ignore-column {}", list(&self.ignore)));
        }
        if refused {
            flags.push("--missing drop (or mean)".into());
        }
        let ids = match self.words.is_empty() {
            true => "",
            false => {
                "; or say what holds ids, classes or texts: --id-column, --label-column, --text-column"
            }
        };
        Some(DataError::InTheWay {
            columns: self.no_numbers,
            source_name: source_name.into(),
            problems: problems.join("; "),
            advice: format!("{}{ids}", flags.join(" ")),
        })
    }
}

/// How an option names a column: by its number where its name has commas, which are between columns.
fn as_typed(index: usize, name: &str) -> String {
    if name.contains(',') { (index + 1).to_string() } else { name.into() }
}

/// As a shell takes it.
fn quoted(names: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-.,:/".contains(letter);
    if names.chars().all(plain) { names.into() } else { format!("'{names}'") }
}

/// The start of a cell, in one line.
fn shown(cell: &str) -> String {
    let start = cell.chars().take(40);
    start.map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
