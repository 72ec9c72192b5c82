//! Texts as cells of a CSV file.

use std::borrow::Cow;

/// How texts of the data, ids and names, are written as cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cells {
    /// As they are, so that they can be joined with the data.
    #[default]
    AsTheyAre,
    /// With an apostrophe before what a spreadsheet would take for a formula, and run: `=`, `+`, `-`, `@`, a tab or an end of a line at the start
    /// (OWASP, *CSV Injection*).
    Safe,
}

impl Cells {
    pub(super) fn write<'a>(self, text: &'a str) -> Cow<'a, str> {
        let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        if self == Self::Safe && is_formula { format!("'{text}").into() } else { text.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_where_it_is_asked_for() {
        assert_eq!(Cells::Safe.write("=cmd|' /C calc'!A0"), "'=cmd|' /C calc'!A0");
        assert_eq!(Cells::Safe.write("a=1"), "a=1");
        assert_eq!(Cells::AsTheyAre.write("=1"), "=1");
    }
}
