//! What the models of an ensemble answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use consilience_data::{Features, ModelAnswers};

use crate::ensemble::Ensemble;
use crate::error::EnsembleError;
use crate::member::Member;
use crate::members::neighbour_vote::NeighbourVote;
use crate::preparation::prepared::Prepared;
use crate::progress::Progress;
use crate::side_by_side::side_by_side;
use crate::threads::pool;

impl Ensemble {
    /// Every model's answers to the samples that they were trained on, in the order of models: by the CPU, as those to any
    /// other samples, so that a run's own data get the run's own answers. Models that vote once are asked once; `data` has to stay
    /// the same. Answers that were kept after the phase of `round` are taken, and the others given to be kept.
    ///
    /// # Errors
    ///
    /// As [`Ensemble::predict_new`], and [`EnsembleError::Cancelled`].
    pub fn vote(
        &mut self,
        data: &Prepared,
        round: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<ModelAnswers>, EnsembleError> {
        let features = data.features();
        let together = self.neighbour_votes(|member| !member.has_said(), features, progress)?;
        for (member, answers) in self.members.iter_mut().zip(together) {
            answers.into_iter().for_each(|answers| member.says(answers));
        }
        let predicting = &self.predicting;
        let done = side_by_side(self.members.iter_mut().collect(), self.threads, |member| {
            // A model that is left over at the end may have several threads: its time is that of one.
            timed((predicting, 1), || member.vote(features, round, progress))
        });
        complete(done?, features)
    }

    /// As [`Ensemble::vote`], of models that nobody keeps and nobody watches.
    ///
    /// # Errors
    ///
    /// As [`Ensemble::predict_new`].
    pub fn predict(&mut self, data: &Prepared) -> Result<Vec<ModelAnswers>, EnsembleError> {
        self.vote(data, 0, &())
    }

    /// Every model's answers to samples, in the order of models, by the CPU. `features` are as
    /// [`Transform::apply`](crate::Transform::apply) gives them.
    ///
    /// # Errors
    ///
    /// The first model's error, in the order of models; [`EnsembleError::Rows`] if it doesn't answer for every sample.
    pub fn predict_new(&self, features: &Features) -> Result<Vec<ModelAnswers>, EnsembleError> {
        let together = self.neighbour_votes(|_| true, features, &())?;
        let alone = self.members.iter().zip(&together).filter(|(_, answers)| answers.is_none());
        let alone = alone.map(|(member, _)| member.clusterer()).collect();
        let done = side_by_side(alone, self.threads, |model| {
            timed((&self.predicting, 1), || model.predict(features))
        });
        let mut done = done?.into_iter();
        let answers = together.into_iter().filter_map(|said| said.map(Ok).or_else(|| done.next()));
        complete(answers.collect(), features)
    }

    /// The answers of those of the `wanted` members that ask nearest neighbours, by member: who keep the same samples look for these once.
    fn neighbour_votes(
        &self,
        wanted: impl Fn(&Member) -> bool,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Vec<Option<ModelAnswers>>, EnsembleError> {
        let mut groups: Vec<Vec<(usize, &NeighbourVote)>> = Vec::new();
        for (index, member) in self.members.iter().enumerate().filter(|(_, it)| wanted(it)) {
            let Some(vote) = member.neighbour_vote() else { continue };
            match groups.iter_mut().find(|group| group[0].1.keeps_the_same(vote)) {
                Some(group) => group.push((index, vote)),
                None => groups.push(vec![(index, vote)]),
            }
        }
        let mut answers = vec![None; self.members.len()];
        for group in groups {
            let votes: Vec<&NeighbourVote> = group.iter().map(|&(_, vote)| vote).collect();
            let answer = || NeighbourVote::answers_of_all(&votes, features, progress);
            let found =
                timed((&self.predicting, self.threads), || pool(self.threads)?.install(answer))?;
            for ((index, _), found) in group.iter().zip(found) {
                answers[*index] = Some(found);
            }
        }
        Ok(answers)
    }
}

/// The answers of all models, if each has one for every sample.
fn complete(
    answers: Vec<Result<ModelAnswers, EnsembleError>>,
    features: &Features,
) -> Result<Vec<ModelAnswers>, EnsembleError> {
    let expected = features.n_samples();
    let of = |(model, answers): (usize, Result<ModelAnswers, EnsembleError>)| {
        let answers = answers?;
        match answers.n_samples() {
            found if found == expected => Ok(answers),
            found => Err(EnsembleError::Rows { model, found, expected }),
        }
    };
    answers.into_iter().enumerate().map(of).collect()
}

/// Adds the time that `predict` takes to `spent`, in nanoseconds of all `threads` that work on it.
fn timed<R>((spent, threads): (&AtomicU64, usize), predict: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = predict();
    let nanoseconds = start.elapsed().as_nanos().saturating_mul(threads as u128);
    spent.fetch_add(u64::try_from(nanoseconds).unwrap_or(u64::MAX), Ordering::Relaxed);
    result
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use consilience_data::{PseudoLabels, Seed, SoftAssignments};
    use ndarray::Array2;

    use super::*;
    use crate::members::clusterer::{Clusterer, Phase};
    use crate::preparation::transform::Scaling;

    /// Answers for one sample, whatever it is asked.
    struct Short;

    impl Clusterer for Short {
        fn kind(&self) -> &'static str {
            "short"
        }

        fn train(
            &mut self,
            _: &Prepared,
            _: &Phase,
            _: &PseudoLabels,
            _: &dyn Progress,
        ) -> Result<(), EnsembleError> {
            Ok(())
        }

        fn predict(&self, _: &Features) -> Result<ModelAnswers, EnsembleError> {
            Ok(SoftAssignments::new(Array2::from_elem((1, 2), 0.5)).into())
        }

        fn save(&self, _: &Path) -> Result<(), EnsembleError> {
            Ok(())
        }
    }

    #[test]
    fn a_model_has_to_answer_for_every_sample() {
        let features = Features::new(Array2::zeros((3, 2)), "x").unwrap();
        let data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        let mut ensemble = Ensemble::new(vec![Box::new(Short)], 1).unwrap();
        let error = ensemble.predict(&data).unwrap_err().to_string();
        assert!(error.contains("model 0: 1 rows of probabilities for 3 samples"), "{error}");
    }
}
