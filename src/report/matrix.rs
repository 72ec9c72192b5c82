//! Tables whose cells are shaded by what they hold.

use askama::Template;
use askama::filters::HtmlSafe;

use super::figures::{Figure, Matrix};
use super::numerals::cell;

/// Larger matrices have shades without numbers.
const MOST_NUMBERS: usize = 30;
/// Of a row's name in a matrix without numbers.
const MOST_LETTERS: usize = 20;
/// From this shade on, letters are light.
const DARK: f64 = 0.55;
/// Under this, they are pale.
const FAINT: f64 = 0.005;

/// A shaded table.
#[derive(Template)]
#[template(path = "matrix.html")]
pub(super) struct Shaded {
    /// What it shows, for readers who don't see it.
    pub(super) caption: String,
    /// What rows and columns are.
    pub(super) corner: &'static str,
    pub(super) heads: Vec<String>,
    pub(super) rows: Vec<Row>,
    /// Whether cells have no room for numbers.
    pub(super) is_dense: bool,
}

impl HtmlSafe for Shaded {}

/// A row of cells.
pub(super) struct Row {
    pub(super) head: String,
    pub(super) cells: Vec<Cell>,
}

/// A cell.
pub(super) struct Cell {
    /// 0..=1, as CSS.
    pub(super) shade: String,
    pub(super) is_dark: bool,
    /// Whether it is as good as nothing.
    pub(super) is_faint: bool,
    /// What it says; `None` where it says nothing.
    pub(super) figure: Option<Figure>,
    pub(super) title: String,
    /// Whether it is pointed out.
    pub(super) is_marked: bool,
}

impl Cell {
    pub(super) fn new(share: f64, figure: Option<Figure>, title: String, is_marked: bool) -> Self {
        let share = share.clamp(0.0, 1.0);
        let shade = cell(share);
        Self { shade, is_dark: share > DARK, is_faint: share < FAINT, figure, title, is_marked }
    }
}

impl Shaded {
    /// A matrix of `metrics.json` with shares, at the JSON pointer `pointer`. `noun`: what a row is.
    pub(super) fn of_shares(
        matrix: &Matrix,
        pointer: &str,
        noun: &'static str,
        caption: String,
    ) -> Self {
        let is_dense = matrix.len() > MOST_NUMBERS;
        let rows = matrix.iter().enumerate().map(|(row, shares)| {
            let cells = shares.iter().enumerate().map(|(column, &share)| {
                let of = |share: f64| {
                    let place = format!("{pointer}/{row}/{column}");
                    Figure::new(place, share, cell(share))
                };
                let title = share.map_or("–".into(), cell);
                let title = format!("{noun} {row} and {column}: {title}");
                Cell::new(share.unwrap_or(0.0), share.map(of).filter(|_| !is_dense), title, false)
            });
            Row { head: row.to_string(), cells: cells.collect() }
        });
        let heads = (0..matrix.len()).map(|column| column.to_string()).collect();
        Self { caption, corner: noun, heads, rows: rows.collect(), is_dense }
    }

    /// Letters of the longest name of a row that are shown.
    pub(super) fn letters(&self) -> usize {
        let letters = self.rows.iter().map(|row| row.head.chars().count());
        letters.max().unwrap_or(0).min(MOST_LETTERS)
    }

    /// Whether so many rows and columns leave no room for numbers.
    pub(super) fn is_dense(rows: usize, columns: usize) -> bool {
        rows.max(columns) > MOST_NUMBERS
    }
}
