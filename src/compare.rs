//! Two runs of the same samples, side by side: how far they agree, and what moved where.

use std::collections::HashMap;

use consilience_data::{Contingency, PairedBy, SampleIdx};
use consilience_graph::maximum_matching;
use serde::Serialize;

use crate::RunError;
use crate::run_folder::RunFolder;

/// How two runs differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// How samples of the two were paired.
    pub paired_by: PairedBy,
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
    /// Samples are paired by ids, if both runs have them; else by their rows, if both are of the same data; else, where the votes of other tools are all there is, in
    /// their order, if there are as many.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if nothing says which sample is which, or no sample is in both.
    ///
    /// # Complexity
    ///
    /// O(n), and a matching of the clusters.
    pub fn of(first: &RunFolder, second: &RunFolder) -> Result<(Self, Vec<Common>), RunError> {
        let by = pairing(first, second)?;
        let common = pairs(first, second, by)?;
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
            paired_by: by,
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

/// How the samples of two runs are paired.
///
/// # Errors
///
/// Runs of other data, or of other numbers of samples, where not both have ids.
fn pairing(first: &RunFolder, second: &RunFolder) -> Result<PairedBy, RunError> {
    let have_ids = [first, second].map(|run| run.ids.is_some());
    if have_ids == [true, true] {
        return Ok(PairedBy::Ids);
    }
    let name = first.path.display();
    let refuse = |problem: String| Err(RunError::folder(&second.path, &problem));
    if let (Some(hash), Some(other)) = (&first.source.data_hash, &second.source.data_hash) {
        return match hash == other {
            true => Ok(PairedBy::Rows),
            false => refuse(format!(
                "its data are others than those of {name}, and not both runs have ids, so nothing says which sample is which; cluster with an id column"
            )),
        };
    }
    // Of votes of other tools there are no data: their order has to do.
    let (n, other) = (first.n_samples(), second.n_samples());
    if n != other && first.rows.is_none() && second.rows.is_none() {
        return refuse(format!(
            "it has {other} samples, {name} {n}, and not both have ids, so nothing says which sample is which; give votes with ids"
        ));
    }
    Ok(if have_ids == [false, false] { PairedBy::Order } else { PairedBy::OrderAndIdsOfOne })
}

/// The samples that both runs have, in the order of the first.
fn pairs(first: &RunFolder, second: &RunFolder, by: PairedBy) -> Result<Vec<Common>, RunError> {
    let key = |run: &RunFolder, sample: usize| match (&run.ids, &run.rows) {
        (Some(ids), _) if by == PairedBy::Ids => ids[sample].clone(),
        (_, Some(rows)) => rows[sample].to_string(),
        _ => sample.to_string(),
    };
    let places = |run: &RunFolder| {
        let mut places = HashMap::with_capacity(run.n_samples());
        for sample in 0..run.n_samples() {
            if let Some(before) = places.insert(key(run, sample), sample) {
                let problem = format!("'{}' is there twice", key(run, before));
                return Err(RunError::folder(&run.path, &problem));
            }
        }
        Ok(places)
    };
    places(first)?;
    let places = places(second)?;
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
