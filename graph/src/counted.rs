//! Signatures that were counted elsewhere, by an engine that has all samples.

use consilience_data::{SampleIdx, Votes};
use ndarray::{ArrayView2, Axis};

use crate::{
    GraphError, Signatures, ValidAgreement,
    packing::Layout,
    word_table::{WordTable, hash},
};

/// A table of signatures with how many samples have each, its rows in the order of the first samples.
///
/// Rows may have the same signature, as where it was counted in parts: they are added up. A row of no samples is none.
///
/// # Example
///
/// ```
/// use consilience_graph::{AgreementGraph, AgreementParams, Counted, Signatures, Threads};
/// use ndarray::array;
///
/// // Two models, and three billion samples.
/// let votes = array![[0, 1, 0], [1, 0, 2]];
/// let counted = Counted {
///     votes: votes.view(),
///     gates: &[true; 3],
///     counts: &[2_000_000_000, 900_000_000, 100_000_000],
/// };
/// let agreement = AgreementParams::default().check(2)?;
/// let signatures = Signatures::of_counts(&counted, &agreement)?;
/// let graph = AgreementGraph::new(&signatures, &agreement)?;
/// let found = graph.extract_signatures(2, &Threads::new(1)?)?;
/// let labels: Vec<_> = found.labels.iter().map(|label| label.map(|label| label.label.0)).collect();
/// assert_eq!(labels, [Some(0), Some(1), None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Cluster ids, [`Votes::MISSING`] where a vote is missing, shape (n_models, n_rows).
    pub votes: ArrayView2<'a, u16>,
    /// Whether samples pass the gate, length n_rows. Those without votes never do.
    pub gates: &'a [bool],
    /// Number of samples, length n_rows.
    pub counts: &'a [u64],
}

impl Signatures {
    /// The signatures of a table, as they would be if its samples had been grouped here: in the same order, with the same
    /// multiplicities.
    ///
    /// The samples themselves aren't there: [`Signatures::n_samples`] is 0, and what is said of samples is said of none. What is
    /// said of signatures ([`AgreementGraph::extract_signatures`](crate::AgreementGraph::extract_signatures),
    /// [`Partition::placements`](crate::Partition::placements)) is the same. [`Signatures::first_sample`] is the first row of the table
    /// that has a signature.
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] if the settings are for another number of models, [`GraphError::SampleCount`] if lengths
    /// differ, [`GraphError::TooManyAlike`] over 4,294,967,295 samples of one signature.
    ///
    /// # Complexity
    ///
    /// O(n_rows * n_models).
    pub fn of_counts(
        counted: &Counted<'_>,
        agreement: &ValidAgreement,
    ) -> Result<Self, GraphError> {
        let Counted { votes, gates, counts } = *counted;
        check(counted, agreement)?;
        let room: Vec<usize> = votes.axis_iter(Axis(0)).map(|model| n_clusters(&model)).collect();
        let layout = Layout::new(&room);
        let mut table = WordTable::new(layout.n_words());
        let (mut totals, mut first_samples) = (Vec::<u64>::new(), Vec::new());
        let mut key = vec![0; layout.n_words()];
        let rows = votes.axis_iter(Axis(1)).zip(gates).zip(counts).enumerate();
        for (row, ((votes, &gate), &count)) in rows.filter(|(_, (_, count))| **count > 0) {
            key.fill(0);
            for (model, &vote) in votes.iter().enumerate() {
                layout.set(&mut key, model, (vote != Votes::MISSING).then_some(vote));
            }
            if gate && key.iter().any(|&word| word != 0) {
                Layout::set_gate(&mut key);
            }
            let number = table.intern(&key, hash(&key)) as usize;
            if number == totals.len() {
                totals.push(0);
                first_samples.push(SampleIdx::from_index(row));
            }
            totals[number] = totals[number].saturating_add(count);
        }
        let narrow = |n_samples: u64| {
            u32::try_from(n_samples).map_err(|_| GraphError::TooManyAlike { n_samples })
        };
        let mut signatures = Self {
            layout,
            words: table.into_keys(),
            multiplicities: totals.into_iter().map(narrow).collect::<Result<_, _>>()?,
            first_samples,
            of_sample: Vec::new(),
            lowest_confidences: Vec::new(),
            min_confidence: agreement.min_confidence(),
            is_complete: true,
        };
        signatures.is_complete = signatures.has_all_votes();
        Ok(signatures)
    }
}

fn check(counted: &Counted<'_>, agreement: &ValidAgreement) -> Result<(), GraphError> {
    let (votes, expected) = counted.votes.dim();
    let settings = agreement.n_models();
    if settings != votes {
        return Err(GraphError::OtherModelCount { settings, votes });
    }
    for (what, found) in [("gates", counted.gates.len()), ("counts", counted.counts.len())] {
        if found != expected {
            return Err(GraphError::SampleCount { what, found, expected });
        }
    }
    match u32::try_from(expected) {
        Ok(_) => Ok(()),
        Err(_) => Err(GraphError::TooManySamples { n_samples: expected }),
    }
}

/// One more than the largest id.
fn n_clusters(votes: &ndarray::ArrayView1<'_, u16>) -> usize {
    let voted = votes.iter().filter(|&&vote| vote != Votes::MISSING);
    voted.max().map_or(0, |&largest| usize::from(largest) + 1)
}
