//! The program's help: its commands in groups, by what users are at.

use clap::Command;

use super::style::bold;

const GROUPS: &[(&str, &[&str])] = &[
    ("Cluster", &["cluster", "train", "pseudo-label"]),
    ("Use a run", &["report", "predict", "cut", "export", "suggest"]),
    ("Score and compare", &["evaluate", "compare", "similar"]),
    ("Prepare", &["data", "embed", "meta-train", "meta-test"]),
    ("About the program", &["completions", "man", "help"]),
];

/// Where names end and what they do begins.
const COLUMN: usize = 14;

/// `program` with a help that shows its commands in [`GROUPS`], each in a line.
pub(super) fn grouped(program: Command) -> Command {
    let about = |name: &str| match program.find_subcommand(name) {
        Some(command) => command.get_about().map_or_else(String::new, ToString::to_string),
        None => "Print this help, or that of a command".into(),
    };
    let line = |name: &&str| format!("  {name:COLUMN$}{}\n", about(name));
    let group = |(title, names): &(&str, &[&str])| {
        format!("{}\n{}\n", bold(&format!("{title}:")), names.iter().map(line).collect::<String>())
    };
    let groups: String = GROUPS.iter().map(group).collect();
    let options = bold("Options:");
    program.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{options}\n{{options}}{{after-help}}"
    ))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::Cli;
    use super::*;

    #[test]
    fn every_command_is_in_one_group_and_takes_a_line() {
        let program = Cli::command();
        let mut names: Vec<&str> = program.get_subcommands().map(Command::get_name).collect();
        names.push("help");
        let mut grouped_names: Vec<&str> =
            GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        names.sort_unstable();
        grouped_names.sort_unstable();
        assert_eq!(grouped_names, names);
        let help = grouped(program).render_help().to_string();
        let too_long: Vec<&str> = help.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(too_long.is_empty(), "{too_long:?}");
        assert!(help.contains("\nUse a run:\n"), "{help}");
    }
}
