//! The command line: arguments and output. It is a user of the library like any other, and uses nothing that isn't public.
//!
//! Results go to standard output, progress and errors to standard error. Exit codes: 0 done; 1 done, but fewer
//! mini-clusters than K; 2 error, told in one line; 128 + the number of a signal, such as 130 for Ctrl-C.

mod args;
mod cluster;
mod compare;
mod completions;
mod counts;
mod curve;
mod cut;
mod doubts;
mod embed;
mod embed_settings;
mod evaluate;
mod examples;
mod export;
mod found_k;
mod graph;
mod groups;
mod info;
mod interrupt;
mod k_range;
mod knowledge;
mod left;
mod look;
mod meta_test;
mod meta_train;
mod output;
mod parsing;
mod predict;
mod predictions;
mod pseudo_label;
mod reading;
mod report;
mod resume;
mod samples;
mod settings;
mod similar;
mod starting;
mod style;
mod suggest;
mod summary;
mod tasks;
mod teaching;
mod values;
mod views;
mod watcher;
mod writing;

use std::ffi::OsString;
use std::process::ExitCode;

use self::args::{
    AgreementArgs, Cli, ClusterArgs, Command, CompletionsArgs, CutArgs, DataCommand, EvaluateArgs,
    InfoArgs, ManArgs, PredictArgs, PseudoLabelArgs, ReportArgs, TeachingArgs, TrainArgs,
};
use self::output::{answer, answer_bytes, tell};
use self::parsing::{parse, usage};

/// Does what the command line says. `words`: all of it, the program's name first.
///
/// It owns the process: it takes over signals and the hook of panics, and after a signal it ends the program.
#[must_use]
pub fn main(words: Vec<OsString>) -> ExitCode {
    // Libraries that read damaged files may panic, which is told as an error.
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !consilience_data::panics_are_caught() {
            before(info);
        }
    }));
    let cli = match parse(words.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => return refuse(&usage(&error)),
        // Help, or the version, was asked for.
        Err(told) => told.exit(),
    };
    let done = match cli.command {
        Command::Cluster(args) => {
            let args = ClusterArgs::from(*args);
            resume::resolve(args, words.into_iter().skip(1).collect()).and_then(cluster::run)
        }
        Command::Train(args) => teaching::of(*args)
            .and_then(|args| resume::resolve(args, words.into_iter().skip(1).collect()))
            .and_then(cluster::run),
        Command::PseudoLabel(args) => interrupt::watched(move || match &args.counts {
            Some(counts) => counts::run(&args, counts),
            None => pseudo_label::run(&args),
        }),
        Command::Cut(args) => interrupt::watched(move || cut::run(&args)),
        Command::Predict(args) => interrupt::watched(move || predict::run(&args)),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Report(args) => interrupt::watched(move || report::run(&args)),
        Command::Data(DataCommand::Info(args)) => info::run(&args),
        Command::Suggest(args) => interrupt::watched(move || suggest::run(&args)),
        Command::MetaTrain(args) => interrupt::watched(move || meta_train::run(&args)),
        Command::MetaTest(args) => interrupt::watched(move || meta_test::run(&args)),
        Command::Similar(args) => interrupt::watched(move || similar::run(&args)),
        Command::Embed(args) => interrupt::watched(move || embed::run(&args)),
        Command::Export(args) => interrupt::watched(move || export::run(&args)),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => completions::man(&args),
    };
    done.unwrap_or_else(|error| refuse(&one_line(&error)))
}

fn refuse(problem: &str) -> ExitCode {
    tell(&format!("{} {problem}", style::error("error:")));
    ExitCode::from(2)
}

/// An error and its causes in one line, none of them told twice.
fn one_line(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !told.iter().any(|before| before.contains(&cause)) {
            told.push(cause);
        }
    }
    let lines = told.join(": ");
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_are_command_lines() {
        let mut command = Cli::command();
        command.build();
        let mut texts = Vec::new();
        collect_examples(&command, &mut texts);
        let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        let ours = lines.iter().filter_map(|line| line.trim().strip_prefix("consilience "));
        let ours: Vec<&str> = ours.collect();
        assert!(ours.len() > 15, "{ours:?}");
        for line in ours {
            // Up to what the shell does with the rest.
            let typed = line.split_whitespace().take_while(|word| !["|", ">"].contains(word));
            let words = std::iter::once("consilience").chain(typed);
            let parsed = parse(words);
            assert!(parsed.is_ok(), "{line}: {}", usage(&parsed.unwrap_err()));
        }
    }

    fn collect_examples(command: &clap::Command, texts: &mut Vec<String>) {
        texts.extend(command.get_after_help().map(ToString::to_string));
        command.get_subcommands().for_each(|command| collect_examples(command, texts));
    }

    #[test]
    fn wrong_command_lines_are_told_in_one_line() {
        for (line, part) in [
            ("pseudo-label v.npy --min-agree 150%", "invalid value '150%' for '--min-agree <A>'"),
            ("cluster x.npy -k ten", "invalid value 'ten'"),
            ("cluster", "<DATA>..."),
            ("data", "'consilience data' requires a subcommand but one was not provided"),
            ("clutser x.npy", "unrecognized subcommand 'clutser'; "),
            (
                "pseudo-label v.npy -k 2 --k-range 2..5",
                "--k-range is part of -k now: write -k A..B",
            ),
            ("cluster x.npy --k-range=2..5", "--k-range is part of -k now: write -k A..B"),
        ] {
            let words = std::iter::once("consilience").chain(line.split(' '));
            let told = usage(&parse(words).unwrap_err());
            assert!(told.contains(part) && told.lines().count() == 1, "{told}");
        }
    }

    #[test]
    fn causes_are_told_once_and_in_one_line() {
        let error = anyhow::anyhow!("disk full").context("x: disk full").context("can't\n  write");
        assert_eq!(one_line(&error), "can't write: x: disk full");
    }
}
