//! Given labels that the other samples contradict.

use consilience_data::{ClusterId, GivenLabels, SampleIdx};
use consilience_ensembles::Prepared;

/// Neighbours that are asked.
const NEIGHBOURS: usize = 10;
/// What they count for; the rest is what the models say of the sample itself.
const SHARE: f64 = 0.75;
/// What speaks for the given label, as a share of what speaks for another, where they contradict each other.
const CLEAR: f64 = 0.5;

/// A label that was given, and what others say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradiction {
    /// The sample.
    pub sample: SampleIdx,
    /// The cluster of its given class, which it keeps.
    pub given: ClusterId,
    /// The cluster that speaks against it.
    pub found: ClusterId,
    /// What speaks for the given class, 0..=1.
    pub for_given: f64,
    /// What speaks for the other, 0..=1.
    pub for_found: f64,
}

impl Contradiction {
    /// By how much the other class is ahead.
    #[must_use]
    pub fn margin(&self) -> f64 {
        self.for_found - self.for_given
    }
}

/// The given labels for which at most half as much speaks as for another class: the clearest first, then in the order of samples.
///
/// A model that learnt a label repeats it. So a sample's neighbours are asked, too, and count for more: their classes' mean
/// probability, their own given labels included.
///
/// # Arguments
///
/// * `probabilities`: what models say of a sample, length `n_clusters`.
/// * `clusters`: of each class.
pub(crate) fn contradictions(
    probabilities: impl Fn(usize) -> Vec<f32>,
    n_clusters: usize,
    (given, clusters): (&GivenLabels, &[ClusterId]),
    data: &Prepared,
) -> Vec<Contradiction> {
    let Some(graph) = data.neighbour_graph() else { return Vec::new() };
    let of = |(sample, class): (SampleIdx, ClusterId)| {
        let class = clusters[class.index()];
        let near = graph.of(sample.index());
        let near = &near[..NEIGHBOURS.min(near.len())];
        let mut evidence: Vec<f64> = vec![0.0; n_clusters];
        for &other in near {
            match given.classes()[other as usize] {
                Some(class) => evidence[clusters[class.index()].index()] += 1.0,
                None => {
                    let row = probabilities(other as usize);
                    evidence.iter_mut().zip(row).for_each(|(sum, p)| *sum += f64::from(p));
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a few neighbours")]
        let count = near.len().max(1) as f64;
        let own = probabilities(sample.index());
        for (evidence, own) in evidence.iter_mut().zip(own) {
            *evidence = SHARE * *evidence / count + (1.0 - SHARE) * f64::from(own);
        }
        let best = (0..n_clusters)
            .fold(0, |best, at| if evidence[at] > evidence[best] { at } else { best });
        let (for_given, for_found) = (evidence[class.index()], evidence[best]);
        let found = ClusterId::from_index(best);
        let is_clear = best != class.index() && for_given <= CLEAR * for_found;
        is_clear.then_some(Contradiction { sample, given: class, found, for_given, for_found })
    };
    let mut found: Vec<Contradiction> = given.labelled().filter_map(of).collect();
    found.sort_by(|a, b| b.margin().total_cmp(&a.margin()).then(a.sample.cmp(&b.sample)));
    found
}
