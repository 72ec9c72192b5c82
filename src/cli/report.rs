//! `consilience report`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use consilience::report::{self, Data};
use consilience::run_folder::RunFolder;
use consilience_data::{DataError, Features, read_dataset_as};

use super::{ReportArgs, answer};

/// Writes a run's report anew.
pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let run = RunFolder::open(&args.run)?;
    let features = features(&run, &args.data)?;
    let path = match &features {
        Ok(features) => report::write(&run, Data::Features(features))?,
        Err(why) => report::write(&run, Data::Missing(why))?,
    };
    let without = features.err().map_or(String::new(), |why| format!("\n{why}"));
    answer(&format!("{}{without}\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The data that were named, else those of the run if they are where they were; else a sentence that says how to have them.
fn features(run: &RunFolder, named: &[PathBuf]) -> Result<Result<Features, String>, DataError> {
    let read = |paths: &[PathBuf]| read_dataset_as(paths, &[], &run.recipe);
    if !named.is_empty() {
        return Ok(Ok(read(named)?.features));
    }
    let why = |problem: &str| {
        format!(
            "{problem}, so there is no look into the clusters and no map. To have them: consilience report RUN DATA..."
        )
    };
    if run.metrics["n_features"].is_null() {
        return Ok(Err(why("The run was made of votes, without data")));
    }
    let recorded: Vec<PathBuf> = run.source.data.iter().map(PathBuf::from).collect();
    let read = read(&recorded).map(|data| data.features);
    Ok(read.map_err(|error| why(&format!("The data can't be read ({error})"))))
}
