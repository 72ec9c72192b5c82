//! Two runs of the same samples, side by side: how far they agree, and what moved where.

use std::collections::{HashMap, HashSet};

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
    /// their order, if there are as many, or by the rows of the run that knows its own.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] if nothing says which sample is which, if ids of other data repeat, or if no sample is in both.
    ///
    /// # Complexity
    ///
    /// O(n), and a matching of the clusters.
    pub fn of(first: &RunFolder, second: &RunFolder) -> Result<(Self, Vec<Common>), RunError> {
        let (by, key) = pairing(first, second)?;
        let common = pairs(first, second, key)?;
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

/// What two runs have in common of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// What it is called.
    Id,
    /// The row of the data; of a run that doesn't know it, the place in the run.
    Row,
    /// The place in the run, whatever rows of the data it left out.
    Place,
}

/// How the samples of two runs are paired.
///
/// # Errors
///
/// Runs of other data, or of other numbers of samples, where not both have ids.
fn pairing(first: &RunFolder, second: &RunFolder) -> Result<(PairedBy, Key), RunError> {
    let have_ids = [first, second].map(|run| run.ids.is_some());
    let hashes = first.source.data_hash.as_ref().zip(second.source.data_hash.as_ref());
    let are_same = hashes.is_some_and(|(hash, other)| hash == other);
    let (n, other) = (first.n_samples(), second.n_samples());
    // Of equal data the places are the same, whichever of the runs left rows out while it read them.
    let of_same = (PairedBy::Rows, if n == other { Key::Place } else { Key::Row });
    if have_ids == [true, true] {
        // Ids that repeat tell samples apart no longer, but rows of the same data do.
        let repeat = || [first, second].into_iter().any(|run| repeated(run).is_some());
        return Ok(if are_same && repeat() { of_same } else { (PairedBy::Ids, Key::Id) });
    }
    if are_same {
        return Ok(of_same);
    }
    let name = first.path.display();
    let refuse = |problem: String| Err(RunError::folder(&second.path, &problem));
    if hashes.is_some() {
        return refuse(format!(
            "its data are others than those of {name}, and not both runs have ids, so nothing says which sample is which; cluster with an id column"
        ));
    }
    // Of votes of other tools there are no data: their order has to do. Where one run left rows out of its data, the other has these rows, too, or it was made without
    // them; then its places are those of the samples that are left.
    let fits = |run: &RunFolder, rows: &[usize], n: usize| {
        let end = rows.iter().max().map_or(0, |last| last + 1);
        // Votes may name a few of many samples; data end with their last row, as far as can be known.
        if run.source.data_hash.is_some() { end == n } else { end <= n }
    };
    let key = match (&first.rows, &second.rows) {
        (Some(_), Some(_)) => Key::Row,
        (Some(rows), None) if fits(first, rows, other) => Key::Row,
        (None, Some(rows)) if fits(second, rows, n) => Key::Row,
        _ if n == other => Key::Place,
        _ => {
            return refuse(format!(
                "it has {other} samples, {name} {n}, and not both have ids, so nothing says which sample is which; give votes with ids"
            ));
        }
    };
    let by = if have_ids == [false, false] { PairedBy::Order } else { PairedBy::OrderAndIdsOfOne };
    Ok((by, key))
}

/// The first id that is there a second time.
fn repeated(run: &RunFolder) -> Option<&str> {
    let mut seen = HashSet::with_capacity(run.n_samples());
    run.ids.iter().flatten().map(String::as_str).find(|&id| !seen.insert(id))
}

/// The samples that both runs have, in the order of the first.
fn pairs(first: &RunFolder, second: &RunFolder, by: Key) -> Result<Vec<Common>, RunError> {
    let key = |run: &RunFolder, sample: usize| match (&run.ids, &run.rows) {
        (Some(ids), _) if by == Key::Id => ids[sample].clone(),
        (_, Some(rows)) if by == Key::Row => rows[sample].to_string(),
        _ => sample.to_string(),
    };
    for run in [first, second] {
        // Rows and places don't repeat.
        if let Some(id) = (by == Key::Id).then(|| repeated(run)).flatten() {
            let problem = format!(
                "'{id}' is there twice, so nothing says which sample is which; make ids unique, or run again with --id-column of another column"
            );
            return Err(RunError::folder(&run.path, &problem));
        }
    }
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
