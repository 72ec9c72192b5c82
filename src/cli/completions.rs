//! `consilience completions` and `consilience man`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_mangen::Man;

use super::style::{plural, word};
use super::{Cli, CompletionsArgs, ManArgs, answer, answer_bytes};

/// Prints a script for a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "consilience", &mut script);
    answer_bytes(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the program's page, or writes all pages.
pub(super) fn man(args: &ManArgs) -> Result<ExitCode> {
    let Some(folder) = &args.out else {
        let mut page = Vec::new();
        Man::new(Cli::command()).render(&mut page)?;
        answer_bytes(&page)?;
        return Ok(ExitCode::SUCCESS);
    };
    let n_pages = write_pages(folder).with_context(|| {
        format!("{}: man pages can't be written there; name another folder", folder.display())
    })?;
    let (pages, folder) = (plural(n_pages, "page"), word(folder));
    answer(&format!("{pages} in {folder}: read one by man -l {folder}/consilience.1\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all pages aside, then moves them over older ones; how many there are.
fn write_pages(folder: &Path) -> Result<usize> {
    fs::create_dir_all(folder)?;
    let aside = tempfile::Builder::new().prefix(".man-").tempdir_in(folder)?;
    clap_mangen::generate_to(Cli::command(), aside.path())?;
    let mut n_pages = 0;
    for page in fs::read_dir(aside.path())? {
        let page = page?;
        fs::rename(page.path(), folder.join(page.file_name()))?;
        n_pages += 1;
    }
    Ok(n_pages)
}
