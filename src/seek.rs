//! A run whose number of clusters is found first.

use std::ops::RangeInclusive;
use std::time::Instant;

use consilience_data::Features;
use consilience_ensembles::{Compute, Prepared};

use crate::algorithm::{prepared, run_prepared};
use crate::config::Config;
use crate::error::RunError;
use crate::granularity::{DEFAULT, Granularity};
use crate::knowledge::Knowledge;
use crate::outcome::Outcome;
use crate::progress::{Observer, Step};

/// A number of clusters, and the data as they were prepared to find it.
pub struct Sought {
    /// The data as models see them, for [`run_prepared`].
    pub data: Prepared,
    /// What was found.
    pub found: Granularity,
}

/// Finds how many clusters there are, within `ks`. The same for any number of threads.
///
/// # Arguments
///
/// * `config`: of the run, but for K.
///
/// # Errors
///
/// [`RunError::Setting`] if `ks` is empty or goes beyond the number of samples, [`RunError::TooFewDistinct`]; as [`run`](crate::run()).
///
/// # Complexity
///
/// That of the neighbour graph, which the run needs, too, and O(n) for the voters.
pub fn seek(
    features: &Features,
    config: &Config,
    ks: &RangeInclusive<usize>,
    compute: impl Into<Compute>,
    observer: &dyn Observer,
) -> Result<Sought, RunError> {
    let n_threads = compute.into().threads.max(1);
    let ks = within(features, ks)?;
    let data = prepared(features, config, n_threads, observer)?;
    observer.step(&Step::Granularity);
    let start = Instant::now();
    let mut found = Granularity::of_data(&data, ks, n_threads, observer)?;
    found.seconds = start.elapsed().as_secs_f64();
    Ok(Sought { data, found })
}

/// Clusters `features` into as many clusters as there are, within `ks`: [`seek`], and then [`run`](crate::run()) for what was found.
///
/// # Arguments
///
/// * `config`: settings for a number of clusters.
///
/// # Errors
///
/// As [`seek`], [`Config::check`] and [`run`](crate::run()).
pub fn run_within(
    features: &Features,
    config: impl Fn(usize) -> Config,
    ks: &RangeInclusive<usize>,
    compute: Compute,
    observer: &dyn Observer,
) -> Result<(Granularity, Outcome), RunError> {
    let Sought { data, found } = seek(features, &config(*ks.start()), ks, compute, observer)?;
    let config = Config { n_clusters: found.k, ..config(found.k) }.check(features, compute)?;
    let (seen, known) = ((data, Vec::new()), Knowledge::default());
    let outcome = run_prepared(seen, &config, &known, Vec::new(), observer)?;
    Ok((found, outcome))
}

/// `ks`, as far as there are so many distinct samples.
///
/// # Errors
///
/// [`RunError::Setting`] if it is empty, starts below 2 or ends beyond the number of samples; [`RunError::TooFewDistinct`].
pub fn within(
    features: &Features,
    ks: &RangeInclusive<usize>,
) -> Result<RangeInclusive<usize>, RunError> {
    let n = features.n_samples();
    let (from, to) = (*ks.start(), *ks.end());
    let to = if *ks == DEFAULT { to.min(n) } else { to };
    if from < 2 || to < from || to > n.min(65_535) {
        let limit = n.min(65_535);
        let need = if n < 2 {
            "at least 2 samples".into()
        } else {
            format!("2 <= A <= B <= {limit} (the number of samples)")
        };
        let (name, got) = ("n_clusters (-k A..B)", format!("{from}..{}", *ks.end()));
        return Err(RunError::Setting { name, need, got });
    }
    let distinct = features.distinct_rows_up_to(to);
    if distinct < from {
        return Err(RunError::TooFewDistinct { k: from, distinct });
    }
    Ok(from..=to.min(distinct))
}
