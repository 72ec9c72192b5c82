//! Two runs of the same samples, side by side: how far they agree, and what moved where.

use std::collections::HashMap;

use consilience_data::{Contingency, SampleIdx};
use consilience_graph::maximum_matching;
use serde::Serialize;

use crate::RunError;
use crate::run_folder::RunFolder;

/// How two runs differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Samples that both have, with a cluster in both.
    pub n_common: usize,
    /// Samples that the first or the second alone has, or has a cluster for.
    pub n_alone: [usize; 2],
    /// Adjusted Rand index of the common samples.
    pub ari: f64,
    /// For each cluster of the first run the one of the second that has most of its samples, one-to-one.
    pub partner: Vec<Option<usize>>,
    /// Common samples that are in the partner of their cluster.
    pub n_stayed: u64,
    /// Where the others went, the most first.
    pub moves: Vec<Move>,
}

/// Samples that went from a cluster to one that isn't its partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The cluster in the first run.
    pub from: usize,
    /// The cluster in the second run.
    pub to: usize,
    /// How many samples.
    pub n_samples: u64,
}

/// A sample of both runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Common {
    /// In the first run.
    pub first: SampleIdx,
    /// In the second run.
    pub second: SampleIdx,
}

impl Comparison {
    /// Compares the clusters of two runs on the samples that both have.
    ///
    /// Samples are paired by ids, if both runs have them; else by their rows, if both are of the same data.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if nothing says which sample is which, or no sample is in both.
    ///
    /// # Complexity
    ///
    /// O(n), and a matching of the clusters.
    pub fn of(first: &RunFolder, second: &RunFolder) -> Result<(Self, Vec<Common>), RunError> {
        let common = pairs(first, second)?;
        let cluster = |run: &RunFolder, sample: SampleIdx| run.clusters[sample.index()];
        let clusters = common.iter().filter_map(|pair| {
            let clusters = cluster(first, pair.first).zip(cluster(second, pair.second))?;
            Some((clusters.0.index(), clusters.1.index()))
        });
        let overlap = Contingency::count(clusters, first.n_clusters(), second.n_clusters());
        let partner = maximum_matching(&overlap);
        let is_partner = |from: usize, to: usize| partner[from] == Some(to);
        let cells = overlap.cells().iter().map(|cell| (cell.first, cell.second, cell.n_samples));
        let (stayed, moved): (Vec<_>, Vec<_>) =
            cells.partition(|&(from, to, _)| is_partner(from, to));
        let mut moves: Vec<Move> =
            moved.into_iter().map(|(from, to, n_samples)| Move { from, to, n_samples }).collect();
        moves.sort_by_key(|step| (std::cmp::Reverse(step.n_samples), step.from, step.to));
        let n_common = usize::try_from(overlap.n_samples()).unwrap_or(usize::MAX);
        let with_cluster = |run: &RunFolder| run.clusters.iter().flatten().count();
        let compared = Self {
            n_common,
            n_alone: [first, second].map(|run| with_cluster(run).saturating_sub(n_common)),
            ari: overlap.adjusted_rand_index(),
            n_stayed: stayed.iter().map(|&(_, _, n_samples)| n_samples).sum(),
            partner,
            moves,
        };
        Ok((compared, common))
    }

    /// Whether a sample's cluster in the second run isn't the partner of that in the first; not, if it has none in one of them.
    #[must_use]
    pub fn has_moved(&self, [from, to]: [Option<usize>; 2]) -> bool {
        from.zip(to).is_some_and(|(from, to)| self.partner[from] != Some(to))
    }
}

/// The samples that both runs have, in the order of the first.
fn pairs(first: &RunFolder, second: &RunFolder) -> Result<Vec<Common>, RunError> {
    let hash = |run: &RunFolder| run.source.data_hash.clone();
    let by_ids = first.ids.is_some() && second.ids.is_some();
    if !by_ids && (hash(first).is_none() || hash(first) != hash(second)) {
        let problem = format!(
            "its data are others than those of {}, and not both runs have ids, so nothing says which sample is which; cluster with an id column",
            first.path.display()
        );
        return Err(RunError::folder(&second.path, &problem));
    }
    let key = |run: &RunFolder, sample: usize| match (&run.ids, &run.rows) {
        (Some(ids), _) if by_ids => ids[sample].clone(),
        (_, Some(rows)) => rows[sample].to_string(),
        _ => sample.to_string(),
    };
    let places: HashMap<String, usize> =
        (0..second.n_samples()).map(|sample| (key(second, sample), sample)).collect();
    let partner = |sample: usize| {
        let other = *places.get(&key(first, sample))?;
        let [first, second] = [sample, other].map(SampleIdx::from_index);
        Some(Common { first, second })
    };
    let common: Vec<Common> = (0..first.n_samples()).filter_map(partner).collect();
    if common.is_empty() {
        let problem = format!("it has no sample in common with {}", first.path.display());
        return Err(RunError::folder(&second.path, &problem));
    }
    Ok(common)
}
