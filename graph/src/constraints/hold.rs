//! Votes and clusters that don't contradict what is known.

use consilience_data::{ClusterId, ModelIdx, SampleIdx, Votes};
use ndarray::{Array1, Array2, s};

use super::Constraints;
use crate::{GraphError, Signatures, SignaturesBuilder, Threads, ValidAgreement};

/// Samples whose votes are unpacked at once.
const CHUNK: usize = 1 << 16;

/// The clusters of blocks in a clustering that doesn't contradict what is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The cluster of each block, length n_blocks; `None` where none of its samples has a vote or a cluster.
    pub clusters: Vec<Option<ClusterId>>,
    /// The mean co-association of each block's samples with those of its cluster, 0..=1, length n_blocks.
    pub similarity: Vec<f32>,
}

/// What a model says of the blocks together.
struct Joint {
    /// The one cluster of each block, length n_blocks; [`Votes::MISSING`] if the model voted on none of its samples.
    clusters: Vec<u16>,
    /// The sum of confidences in it, as a share of the votes.
    sure: Vec<f32>,
}

impl Constraints {
    /// `votes` of which none contradicts what is known: each model puts the samples of a block together, and blocks that are apart into
    /// different clusters. So strong positive edges join what is linked, and strong negative ones separate what is apart.
    ///
    /// A block goes where most of a model's confidence in its samples is. Where two that have to be apart would go to the same, one goes to
    /// another, as little against the model's confidence as possible; if the model has too few clusters, to one that it doesn't have. It is then
    /// as sure of that as it was of it: not at all, as a rule. A sample that no model voted on stays without votes; one that some
    /// did has those of its block.
    ///
    /// # Complexity
    ///
    /// O(n_samples x n_models), and the matching of blocks and clusters for each model.
    #[must_use]
    pub fn hold(&self, votes: &Votes) -> Votes {
        let (mut clusters, mut sure) =
            (votes.clusters().to_owned(), votes.confidences().to_owned());
        let has_votes = self.samples_where(|sample| {
            votes.clusters().column(sample.index()).iter().any(|&vote| vote != Votes::MISSING)
        });
        for model in 0..votes.n_models() {
            let vote = |sample: SampleIdx| {
                let at = (model, sample.index());
                (votes.clusters()[at], votes.confidences()[at])
            };
            let joint = self.joint(vote, votes.n_clusters(ModelIdx::from_index(model)));
            for &(sample, block) in &has_votes {
                clusters[(model, sample.index())] = joint.clusters[block];
                sure[(model, sample.index())] = joint.sure[block];
            }
        }
        Votes::new(clusters, sure).expect("of the same shape as the votes")
    }

    /// As [`Constraints::hold`], of votes that are grouped already. Their confidence is the lowest of a sample's models, for all of them.
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] if `agreement` is for another number of models, [`GraphError::Cancelled`].
    pub fn hold_signatures(
        &self,
        signatures: &Signatures,
        agreement: &ValidAgreement,
        threads: &Threads<'_>,
    ) -> Result<Signatures, GraphError> {
        let (n, n_models) = (signatures.n_samples(), signatures.n_models());
        let unpacked = |sample: SampleIdx| signatures.votes(signatures.of_sample(sample));
        let has_votes = self.samples_where(|sample| unpacked(sample).iter().any(Option::is_some));
        let starts = signatures.cluster_starts();
        let joint: Vec<Joint> = (0..n_models)
            .map(|model| {
                let vote = |sample: SampleIdx| {
                    let vote = unpacked(sample)[model].map_or(Votes::MISSING, |id| id.0);
                    (vote, signatures.lowest_confidence(sample))
                };
                self.joint(vote, starts[model + 1] - starts[model])
            })
            .collect();
        let mut builder = SignaturesBuilder::new(agreement);
        let mut known = has_votes.iter().peekable();
        for start in (0..n).step_by(CHUNK) {
            let end = n.min(start + CHUNK);
            let mut clusters = Array2::zeros((n_models, end - start));
            let mut sure = Array2::zeros((n_models, end - start));
            for at in start..end {
                let sample = SampleIdx::from_index(at);
                let own = unpacked(sample);
                let column = s![.., at - start];
                let votes = own.iter().map(|vote| vote.map_or(Votes::MISSING, |id| id.0));
                clusters.slice_mut(column).assign(&votes.collect::<Array1<u16>>());
                sure.slice_mut(column).fill(signatures.lowest_confidence(sample));
                if let Some(&(_, block)) = known.next_if(|&&(known, _)| known == sample) {
                    for (model, joint) in joint.iter().enumerate() {
                        clusters[(model, at - start)] = joint.clusters[block];
                        sure[(model, at - start)] = joint.sure[block];
                    }
                }
            }
            builder.push(clusters.view(), Some(sure.view()), threads)?;
        }
        Ok(builder.finish())
    }

    /// The clusters of blocks, where `clusters` are those of all samples: as few samples as possible change theirs, and those that do go where
    /// models put most of the others with them.
    ///
    /// # Arguments
    ///
    /// * `clusters`: length n_samples, of `k` clusters; `None` without votes.
    /// * `votes_of`: a model's votes, length n_samples.
    ///
    /// # Errors
    ///
    /// [`GraphError::NotApart`] if `k` clusters are too few.
    ///
    /// # Complexity
    ///
    /// O(n_samples x n_models).
    pub fn settle(
        &self,
        clusters: &[Option<ClusterId>],
        n_models: usize,
        votes_of: impl Fn(ModelIdx) -> Vec<Option<ClusterId>>,
        k: usize,
    ) -> Result<Settled, GraphError> {
        self.check(k)?;
        let mut similarity = Array2::<f64>::zeros((self.blocks.len(), k));
        let mut n_votes = vec![0_u64; self.blocks.len()];
        for model in (0..n_models).map(ModelIdx::from_index) {
            let votes = votes_of(model);
            let n_own = votes.iter().flatten().map(|id| id.index() + 1).max().unwrap_or(0);
            let mut shared = Array2::<f64>::zeros((n_own, k));
            let mut sizes = vec![0.0_f64; k];
            for (vote, cluster) in votes.iter().zip(clusters) {
                if let (Some(vote), Some(cluster)) = (vote, cluster) {
                    shared[(vote.index(), cluster.index())] += 1.0;
                    sizes[cluster.index()] += 1.0;
                }
            }
            for (block, samples) in self.blocks.iter().enumerate() {
                for vote in samples.iter().filter_map(|sample| votes[sample.index()]) {
                    n_votes[block] += 1;
                    for (cluster, size) in sizes.iter().enumerate().filter(|(_, size)| **size > 0.0)
                    {
                        similarity[(block, cluster)] += shared[(vote.index(), cluster)] / size;
                    }
                }
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a mean over votes")]
        for (mut row, &n_votes) in similarity.rows_mut().into_iter().zip(&n_votes) {
            row /= n_votes.max(1) as f64;
        }
        let mut scores = similarity.clone();
        let mut is_anywhere: Vec<bool> = n_votes.iter().map(|&n_votes| n_votes > 0).collect();
        for (block, samples) in self.blocks.iter().enumerate() {
            for cluster in samples.iter().filter_map(|sample| clusters[sample.index()]) {
                scores[(block, cluster.index())] += 1.0;
                is_anywhere[block] = true;
            }
        }
        let found = self.apart.best(scores.view());
        let cluster = |(&cluster, is): (&usize, bool)| is.then(|| ClusterId::from_index(cluster));
        let clusters = found.iter().zip(is_anywhere).map(cluster).collect();
        #[expect(clippy::cast_possible_truncation, reason = "f32 is how confidences are kept")]
        let of = |(block, &cluster): (usize, &usize)| similarity[(block, cluster)] as f32;
        Ok(Settled { clusters, similarity: found.iter().enumerate().map(of).collect() })
    }

    /// The samples that something is known of and for which `is_it` holds, ascending, each with its block.
    fn samples_where(&self, is_it: impl Fn(SampleIdx) -> bool) -> Vec<(SampleIdx, usize)> {
        let known = self.block_of.iter().map(|(&sample, &block)| (sample, block));
        known.filter(|&(sample, _)| is_it(sample)).collect()
    }

    /// What a model with `n_clusters` says of each block. `vote`: its cluster and confidence for a sample.
    fn joint(&self, vote: impl Fn(SampleIdx) -> (u16, f32), n_clusters: usize) -> Joint {
        let k = n_clusters.max(self.least_clusters());
        let mut scores = Array2::<f64>::zeros((self.blocks.len(), k));
        let mut n_votes = vec![0_u32; self.blocks.len()];
        for (&sample, &block) in &self.block_of {
            let (cluster, sure) = vote(sample);
            if cluster != Votes::MISSING {
                // A vote without confidence is one all the same.
                scores[(block, usize::from(cluster))] += f64::from(sure).max(1e-6);
                n_votes[block] += 1;
            }
        }
        let found = self.apart.best(scores.view());
        #[expect(clippy::cast_possible_truncation, reason = "f32 is how confidences are kept")]
        let sure = |block: usize| {
            (scores[(block, found[block])] / f64::from(n_votes[block].max(1))) as f32
        };
        let sure: Vec<f32> = (0..self.blocks.len()).map(sure).collect();
        let cluster = |(&cluster, &n_votes): (&usize, &u32)| match n_votes {
            0 => Votes::MISSING,
            _ => ClusterId::from_index(cluster).0,
        };
        Joint { clusters: found.iter().zip(&n_votes).map(cluster).collect(), sure }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use crate::common::{Dense, votes};
    use crate::{AgreementParams, Strictness};

    use super::*;

    fn pairs(pairs: &[(u32, u32)]) -> Vec<[SampleIdx; 2]> {
        pairs.iter().map(|&(a, b)| [SampleIdx(a), SampleIdx(b)]).collect()
    }

    const NONE: u16 = Votes::MISSING;

    #[test]
    fn a_block_goes_where_models_are_sure_and_another_gives_way() {
        // Two of 0, 1, 2 are in the first cluster; 3 has to be apart, and is less sure; nobody voted on 4.
        let clusters = array![[0, 0, 1, 0, NONE, 1], [0, 1, 0, 0, NONE, NONE]];
        let sure = array![[0.9, 0.6, 0.5, 0.7, 0.0, 0.5], [0.5, 0.9, 0.5, 0.9, 0.0, 0.0]];
        let votes = Votes::new(clusters, sure).unwrap();
        let must = pairs(&[(0, 1), (1, 2), (4, 3), (5, 5)]);
        let constraints = Constraints::new(&must, &pairs(&[(2, 3)])).unwrap();
        let held = constraints.hold(&votes);
        assert_eq!(held.clusters(), array![[0, 0, 0, 1, NONE, 1], [1, 1, 1, 0, NONE, NONE]]);
        let first = held.confidences().row(0).to_vec();
        assert!((first[0] - 0.5).abs() < 1e-6 && first[3] == 0.0, "{first:?}");
    }

    #[test]
    fn a_model_with_too_few_clusters_gets_one_more() {
        let votes = Votes::new(array![[0, 0, 0]], array![[0.9, 0.8, 0.7]]).unwrap();
        let three = Constraints::new(&[], &pairs(&[(0, 1), (1, 2), (0, 2)])).unwrap();
        assert_eq!(three.hold(&votes).clusters(), array![[0, 1, 2]]);
    }

    #[test]
    fn as_few_samples_as_possible_change_their_cluster() {
        // 0 to 3 in one cluster, 4 to 7 in another, and 8 alone; 3 is rather like the latter.
        let clusters = [0, 0, 0, 0, 1, 1, 1, 1, 2].map(|id| Some(ClusterId(id)));
        let votes = [[0, 0, 0, 0, 1, 1, 1, 1, 2], [0, 0, 0, 2, 1, 1, 1, 1, 2]];
        let of = |model: ModelIdx| votes[model.index()].map(|id| Some(ClusterId(id))).to_vec();
        let settled = |must: &[(u32, u32)], cannot: &[(u32, u32)]| {
            let constraints = Constraints::new(&pairs(must), &pairs(cannot)).unwrap();
            let settled = constraints.settle(&clusters, 2, of, 3).unwrap();
            settled.clusters.into_iter().map(|id| id.unwrap().0).collect::<Vec<_>>()
        };
        assert_eq!(settled(&[(0, 5), (0, 1)], &[]), [0]);
        assert_eq!(settled(&[], &[(0, 3)]), [0, 2], "3 gives way, to where a model puts it");
        assert_eq!(settled(&[], &[(0, 4)]), [0, 1], "nothing has to change");
        let four = Constraints::new(&[], &pairs(&[(0, 1), (0, 2), (1, 2), (3, 0), (3, 1), (3, 2)]));
        let error = four.unwrap().settle(&clusters, 2, of, 3).unwrap_err();
        assert!(error.to_string().contains("3 clusters can't keep apart"), "{error}");
    }

    proptest! {
        /// On dense matrices of agreement: what is linked agrees in every vote, what is apart in none.
        #[test]
        fn the_graph_knows_what_is_known(
            votes in votes(),
            must in prop::collection::vec((0u32..27, 0u32..27), 0..6),
            cannot in prop::collection::vec((0u32..27, 0u32..27), 0..6),
        ) {
            let n = u32::try_from(votes.n_samples()).unwrap();
            let within = |pairs: Vec<(u32, u32)>| {
                pairs.into_iter().map(|(a, b)| (a % n, b % n)).collect::<Vec<_>>()
            };
            let (must, cannot) = (within(must), within(cannot));
            let Ok(constraints) = Constraints::new(&pairs(&must), &pairs(&cannot)) else {
                return Ok(());
            };
            let held = constraints.hold(&votes);
            let (now, then) = (held.clusters(), votes.clusters());
            let params = AgreementParams {
                min_agree: Strictness::Share(1_000_000),
                max_agree: Strictness::Count(0),
                min_common: Strictness::Count(1),
                min_confidence: 0.0,
                ..AgreementParams::default()
            };
            let dense = Dense::new(&held, &params);
            let has = |sample: u32| {
                held.clusters().column(sample as usize).iter().any(|&vote| vote != NONE)
            };
            for &(a, b) in must.iter().filter(|&&(a, b)| has(a) && has(b)) {
                let (a, b) = (a as usize, b as usize);
                prop_assert_eq!(now.column(a), now.column(b));
            }
            for &(a, b) in &cannot {
                prop_assert_eq!(dense.agree[(a as usize, b as usize)], 0);
            }
            for sample in (0..n).filter(|&sample| constraints.block_of(SampleIdx(sample)).is_none()) {
                let at = sample as usize;
                prop_assert_eq!(now.column(at), then.column(at));
            }
            // The same of signatures, whose confidence is the lowest for all models.
            let Ok(agreement) = params.check(votes.n_models()) else { return Ok(()) };
            let threads = Threads::new(1).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let held = constraints.hold_signatures(&signatures, &agreement, &threads).unwrap();
            let vote = |sample: u32| held.votes(held.of_sample(SampleIdx(sample)));
            let has = |sample: u32| vote(sample).iter().any(Option::is_some);
            for &(a, b) in must.iter().filter(|&&(a, b)| has(a) && has(b)) {
                prop_assert_eq!(vote(a), vote(b));
            }
            for &(a, b) in &cannot {
                prop_assert!(vote(a).into_iter().zip(vote(b)).all(|(a, b)| a.is_none() || a != b));
            }
            // Whatever clustering there is, what is known is kept in the end.
            let clusters: Vec<_> = signatures.votes_of(ModelIdx(0));
            let k = constraints.least_clusters().max(4);
            let of = |model| signatures.votes_of(model);
            let settled = constraints.settle(&clusters, votes.n_models(), of, k).unwrap();
            for &(a, b) in &cannot {
                let of = |at| settled.clusters[constraints.block_of(SampleIdx(at)).unwrap()];
                prop_assert!(of(a).is_none() || of(a) != of(b));
            }
            prop_assert!(settled.similarity.iter().all(|&s| (0.0..=1.0 + 1e-6).contains(&s)));
        }
    }
}
