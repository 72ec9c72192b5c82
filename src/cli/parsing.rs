//! From words to arguments.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches};

use super::args::Cli;
use super::groups::grouped;

/// Parses a command line. A missing command is an error as any other, where clap would give help.
pub(super) fn parse(
    line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> clap::error::Result<Cli> {
    let plain = |command: clap::Command| command.arg_required_else_help(false);
    let command = grouped(plain(Cli::command())).mut_subcommand("data", plain);
    Cli::from_arg_matches(&command.try_get_matches_from(line)?)
}

/// As [`parse`], of the words of an earlier line with others behind them, of which the last count.
pub(super) fn parse_again(words: &[String]) -> clap::error::Result<Cli> {
    let last_counts = |command: clap::Command| command.args_override_self(true);
    let command = Cli::command().mut_subcommand("cluster", last_counts);
    let command = command.mut_subcommand("train", last_counts);
    let line = std::iter::once("consilience").chain(words.iter().map(String::as_str));
    Cli::from_arg_matches(&command.try_get_matches_from(line)?)
}

/// What is wrong with a command line, in one line: what the parser says up to its first empty line, and its tips.
pub(super) fn usage(error: &clap::Error) -> String {
    if is_k_range(error) {
        return "--k-range is part of -k now: write -k A..B, which finds the number of clusters in that range and shows what each would give"
            .into();
    }
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let problem = lines.iter().take_while(|line| !line.is_empty()).copied().collect::<Vec<_>>();
    let problem = problem.join(" ");
    // Clap takes a negative number for a flag; how to pass one as a file is no help.
    let is_help = |line: &&&str| line.starts_with("tip:") && !line.contains("to pass '-");
    let tips = lines.iter().filter(is_help);
    let tips: String = tips.map(|tip| format!("; {}", &tip["tip:".len()..].trim())).collect();
    let problem = problem.strip_prefix("error: ").unwrap_or(&problem);
    format!("{problem}{tips}; 'consilience help' lists the options")
}

/// Whether an option was typed that earlier versions had.
fn is_k_range(error: &clap::Error) -> bool {
    let typed = error.get(ContextKind::InvalidArg);
    error.kind() == ErrorKind::UnknownArgument
        && matches!(typed, Some(ContextValue::String(typed)) if typed.starts_with("--k-range"))
}
