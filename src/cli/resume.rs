//! `cluster --resume RUN`, and `train`: the command that a run was started with, again.

use std::env;
use std::ffi::OsString;
use std::path::{Path, absolute};

use anyhow::{Context, Result, anyhow, bail};
use consilience::run_folder;

use super::args::{ClusterArgs, Command};
use super::parsing::{parse_again, usage};
use super::teaching;

/// What is to be done: what was typed or, with `--resume RUN`, what was typed when the run was started, and the flags beside it.
/// `words`: the command line, the program's name left out.
pub(super) fn resolve(mut args: ClusterArgs, words: Vec<OsString>) -> Result<ClusterArgs> {
    let run = match &args.resume {
        Some(Some(run)) => run.clone(),
        Some(None) if args.data.is_empty() => {
            bail!("--resume: name the run, or give its command again")
        }
        _ => {
            args.words = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
            return Ok(args);
        }
    };
    if !args.data.is_empty() || args.out.is_some() {
        bail!(
            "--resume {}: a run that is named is resumed with its own data and place; leave these out, or put --resume last",
            run.display()
        );
    }
    let (out, origin) = run_folder::command_of(&run)?;
    let mut line = origin.command.clone();
    line.extend(beside(&words, &run));
    let out = absolute(&out)?;
    line.extend(["--out".into(), out.to_string_lossy().into_owned(), "--resume".into()]);
    env::set_current_dir(&origin.folder)
        .with_context(|| format!("{}: the run was started there", origin.folder.display()))?;
    match parse_again(&line).map_err(|error| anyhow!(usage(&error)))?.command {
        Command::Cluster(args) => {
            let mut args = ClusterArgs::from(*args);
            args.words = line;
            Ok(args)
        }
        Command::Train(args) => {
            let mut args = teaching::of(*args)?;
            args.words = line;
            Ok(args)
        }
        _ => bail!("{}: its checkpoint is of another command", run.display()),
    }
}

/// The flags that were typed beside `--resume RUN`.
fn beside(words: &[OsString], run: &Path) -> Vec<String> {
    let words = words.iter().map(|word| word.to_string_lossy().into_owned());
    let joined = format!("--resume={}", run.display());
    let named = run.display().to_string();
    words.skip(1).filter(|word| *word != joined && *word != "--resume" && *word != named).collect()
}
