//! `consilience report`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use consilience::report::{self, Data, REPORT};
use consilience::run_folder::RunFolder;
use consilience_data::Dataset;

use super::{ReportArgs, answer, reading};

/// Writes a run's report anew.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let run = RunFolder::open(&args.run)?;
    let data = match data(&run, &args.data)? {
        Ok(data) => Ok(run.own(data, Some(args.data_changed))?),
        Err(why) => Err(why),
    };
    let path = match &data {
        Ok(data) => report::write(&run, Data::Read(data))?,
        Err(why) => report::write(&run, Data::Missing(why))?,
    };
    let without = data.err().map_or(String::new(), |why| format!("\n{why}"));
    answer(&format!("{}{without}\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The data that were named, else those of the run if they are where they were; else a sentence that says how to have them.
///
/// A report that is there is not replaced by one without what data tell.
fn data(run: &RunFolder, named: &[PathBuf]) -> Result<Result<Dataset, String>> {
    let is_of_votes = run.metrics["n_features"].is_null();
    if !named.is_empty() {
        return Ok(Ok(reading::again(run, named)?));
    }
    let why = |problem: &str| {
        format!(
            "{problem}, so the report shows neither what is in the clusters nor a map. For these, name the data: consilience report RUN DATA..."
        )
    };
    if is_of_votes {
        return Ok(Err(why("The run was made of votes, without data")));
    }
    let recorded: Vec<PathBuf> = run.source.data.iter().map(PathBuf::from).collect();
    match reading::again(run, &recorded) {
        Ok(data) => Ok(Ok(data)),
        Err(error) if run.path.join(REPORT).exists() => bail!(
            "{}: kept as it is, because the data can't be read ({error}); name the data: consilience report RUN \
             DATA...",
            run.path.join(REPORT).display()
        ),
        Err(error) => Ok(Err(why(&format!("The data can't be read ({error})")))),
    }
}
