//! What progress looks like on standard error: a line that changes on a terminal, a few lines elsewhere, or nothing.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Where progress is told.
pub(super) enum Look {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Look {
    /// For a terminal, `template` as [`ProgressStyle`] has it.
    pub(super) fn new(template: &str, quiet: bool) -> Self {
        if quiet {
            Self::Nothing
        } else if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(template).expect("a fixed template");
            let bar = ProgressBar::new(0).with_style(style);
            bar.enable_steady_tick(Duration::from_millis(200));
            Self::Bar(bar)
        } else {
            Self::Lines
        }
    }

    /// Says something that stays on the screen.
    pub(super) fn say(&self, line: &str) {
        match self {
            Self::Bar(bar) => bar.println(line),
            // A run goes on if its progress can't be shown.
            Self::Lines => drop(writeln!(io::stderr(), "{line}")),
            Self::Nothing => {}
        }
    }

    /// Says something that a person has to know, whether or not progress is shown.
    pub(super) fn note(&self, line: &str) {
        match self {
            Self::Bar(bar) => bar.println(line),
            _ => drop(writeln!(io::stderr(), "{line}")),
        }
    }

    /// Says what is being done now.
    pub(super) fn show(&self, doing: &str) {
        match self {
            Self::Bar(bar) => bar.set_message(doing.to_owned()),
            _ => self.say(doing),
        }
    }

    /// Says what is being done now, where that costs no line.
    pub(super) fn mention(&self, doing: &str) {
        if let Self::Bar(bar) = self {
            bar.set_message(doing.to_owned());
        }
    }

    /// Leaves no trace but what was said.
    pub(super) fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
