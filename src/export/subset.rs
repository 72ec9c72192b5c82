//! Which pseudo-labels are exported.

use std::cmp::Reverse;
use std::num::NonZero;

use consilience_data::{PseudoLabel, PseudoLabels};
use consilience_graph::Strictness;

use crate::RunError;
use crate::run_folder::RunFolder;

/// Which pseudo-labels to take. The default: all of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subset {
    /// Models that have to put a sample with its label's anchor: a number, or a share of all.
    pub min_agree: Option<Strictness>,
    /// What the lowest of the models' confidences has to exceed, 0 to 1.
    pub min_confidence: Option<f32>,
    /// The surest of each label, so many at most: by agreement, then margin, then confidence, then the order of samples.
    pub per_class: Option<NonZero<usize>>,
    /// Labels of fewer samples, after the bounds above, are left out.
    pub min_size: usize,
    /// As many of each label as of the smallest that is left.
    pub balance: bool,
}

impl Subset {
    /// The labels of `run` that are taken, in the order of samples. O(n log n).
    ///
    /// # Errors
    ///
    /// [`RunError::Setting`] for a number that can't be, [`RunError::Folder`] if nothing is left.
    pub fn choose(&self, run: &RunFolder) -> Result<PseudoLabels, RunError> {
        let labels = &run.pseudo_labels;
        if labels.is_empty() {
            let advice = "the models agree on no sample, so there is nothing to export; \
                          run again with a lower --min-agree or --min-confidence";
            return Err(RunError::folder(&run.path, &advice));
        }
        let min_agree = self.min_agree.map_or(Ok(0), |asked| n_agreeing(asked, run))?;
        let min_confidence = self.min_confidence.unwrap_or(f32::NEG_INFINITY);
        if self.min_confidence.is_some_and(|asked| !(0.0..1.0).contains(&asked)) {
            let (need, got) = ("0 <= min_confidence < 1".into(), min_confidence.to_string());
            return Err(RunError::Setting { name: "min_confidence", need, got });
        }
        let is_sure = |entry: &&PseudoLabel| {
            entry.agreement >= min_agree && entry.confidence > min_confidence
        };
        let sure: Vec<PseudoLabel> = labels.entries().iter().filter(is_sure).copied().collect();
        let mut sure = PseudoLabels::new(sure, labels.n_clusters(), labels.n_samples());
        let sizes = sure.sizes();
        if sizes.iter().any(|&size| (1..self.min_size).contains(&size)) {
            let is_large = |entry: &&PseudoLabel| sizes[entry.label.index()] >= self.min_size;
            let large = sure.entries().iter().filter(is_large).copied().collect();
            sure = PseudoLabels::new(large, labels.n_clusters(), labels.n_samples());
        }
        if sure.is_empty() {
            let n = labels.len();
            let advice = format!(
                "none of {n} pseudo-labels is left; lower --min-agree, --min-confidence or --min-size"
            );
            return Err(RunError::folder(&run.path, &advice));
        }
        let smallest = sure.sizes().into_iter().filter(|&size| size > 0).min();
        let limits = [self.per_class.map(NonZero::get), smallest.filter(|_| self.balance)];
        Ok(match limits.into_iter().flatten().min() {
            Some(limit) => surest(&sure, limit),
            None => sure,
        })
    }
}

/// The surest `limit` of each label.
fn surest(labels: &PseudoLabels, limit: usize) -> PseudoLabels {
    let mut entries = labels.entries().to_vec();
    entries.sort_by(|a, b| {
        let by_votes = |entry: &PseudoLabel| Reverse((entry.agreement, entry.margin));
        by_votes(a)
            .cmp(&by_votes(b))
            .then(b.confidence.total_cmp(&a.confidence))
            .then(a.sample.cmp(&b.sample))
    });
    let mut taken = vec![0; labels.n_clusters()];
    entries.retain(|entry| {
        taken[entry.label.index()] += 1;
        taken[entry.label.index()] <= limit
    });
    PseudoLabels::new(entries, labels.n_clusters(), labels.n_samples())
}

/// A number of models of the run.
fn n_agreeing(asked: Strictness, run: &RunFolder) -> Result<u16, RunError> {
    let models = run.metrics["rounds"].as_array().and_then(|rounds| rounds.last());
    let models = models.and_then(|round| round["models"].as_array()).map(Vec::len);
    let models = models.and_then(|models| u16::try_from(models).ok());
    let models = models.ok_or_else(|| {
        RunError::folder(
            &run.path.join("metrics.json"),
            &"doesn't list the models; leave out --min-agree",
        )
    })?;
    let count = asked.at_least(models);
    if (1..=models).contains(&count) {
        return Ok(count);
    }
    let (need, got) = (format!("1 <= min_agree <= {models} models"), asked.to_string());
    Err(RunError::Setting { name: "min_agree", need, got })
}

#[cfg(test)]
mod tests {
    use consilience_data::{ClusterId, SampleIdx};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Of each label, nobody that was left out is surer than anybody taken, and none is left out without need.
        #[test]
        fn the_surest_of_each_label_are_taken(
            raw in prop::collection::vec((0..3_u16, 0..4_u16, -2..3_i32, 0..4_u8), 0..40),
            limit in 1..12_usize,
        ) {
            let entry = |(row, &(label, agreement, margin, confidence)): (usize, &_)| PseudoLabel {
                sample: SampleIdx::from_index(row * 2),
                label: ClusterId(label),
                agreement,
                margin,
                confidence: f32::from(confidence),
            };
            let all: Vec<PseudoLabel> = raw.iter().enumerate().map(entry).collect();
            let labels = PseudoLabels::new(all.clone(), 3, 80);
            let taken = surest(&labels, limit);
            let is_surer = |a: &PseudoLabel, b: &PseudoLabel| {
                if a.agreement != b.agreement {
                    a.agreement > b.agreement
                } else if a.margin != b.margin {
                    a.margin > b.margin
                } else if a.confidence != b.confidence {
                    a.confidence > b.confidence
                } else {
                    a.sample < b.sample
                }
            };
            for entry in &all {
                let rivals = all.iter().filter(|other| other.label == entry.label);
                let n_surer = rivals.filter(|other| is_surer(other, entry)).count();
                prop_assert_eq!(taken.entries().contains(entry), n_surer < limit);
            }
        }
    }
}
