//! What a person sees: colours where they are understood, nothing where nobody asked, help that can be pasted.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr, stdout, write_run};

const ESCAPE: char = '\u{1b}';

#[test]
fn colours_are_for_terminals_alone() {
    let sandbox = Sandbox::new();
    write_run(&sandbox, "run");
    let told = |out: &str, setting: &[(&str, &str)]| {
        let mut command = sandbox.command(&format!("export run --out {out}.csv"));
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
            command.env_remove(name);
        }
        stdout(&command.envs(setting.iter().copied()).output().unwrap())
    };
    // Standard output is a pipe here; a terminal is forced.
    let piped = told("a", &[]);
    assert!(!piped.contains(ESCAPE), "{piped}");
    let coloured = told("b", &[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains(ESCAPE), "{coloured}");
    let plain = told("c", &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]);
    assert!(!plain.contains(ESCAPE), "{plain}");
    assert_eq!(
        anstream::adapter::strip_str(&coloured).to_string(),
        piped.replace("a.csv", "b.csv")
    );
}

#[test]
fn quiet_is_quiet_and_json_is_json() {
    let sandbox = Sandbox::new();
    write_run(&sandbox, "run");
    for line in [
        "export run points.npy --out x.npz --quiet --json",
        "pseudo-label run.csv -k 2 --quiet --json",
        "data info points.npy --json",
        "evaluate run.csv run.csv --json",
    ] {
        sandbox.file("run.csv", "0\n0\n1\n1\n");
        let output = sandbox.run(line);
        assert_eq!((output.status.code(), stderr(&output)), (Some(0), String::new()), "{line}");
        let told: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert!(told.is_object(), "{line}: {told}");
    }
}

#[test]
fn shells_complete_every_command_and_flag() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = sandbox.done(&format!("completions {shell}"));
        for part in ["pseudo-label", "per-class", "min-agree", "completions"] {
            assert!(script.contains(part), "{shell}: no {part}");
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    let sandbox = Sandbox::new();
    let page = sandbox.done("man");
    assert!(
        page.contains(".TH consilience") && page.contains("consilience cluster digits"),
        "{page}"
    );
    let told = sandbox.done("man --out pages");
    let pages = sandbox.files("pages");
    assert!(told.contains(&format!("{} pages", pages.len())), "{told}");
    for name in ["consilience.1", "consilience-cluster.1", "consilience-data-info.1"] {
        assert!(pages.contains(&name.to_owned()), "{pages:?}");
    }
    assert!(sandbox.text("pages/consilience-export.1").contains("per\\-class"));
    // Again, over the old ones.
    sandbox.done("man --out pages");
    assert_eq!(sandbox.files("pages"), pages);
}
