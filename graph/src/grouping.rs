//! Groups samples by their votes, chunk by chunk and in parallel.

use consilience_data::{SampleIdx, Votes};
use ndarray::{ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::{
    GraphError, Signatures, Threads, ValidAgreement,
    packing::Layout,
    shards::{SHARDS, deal, shard_of},
    word_table::{WordTable, hash},
};

/// Samples that are packed at once; what grouping needs beyond its result is proportional to it.
const CHUNK: usize = 1 << 20;

/// Samples that a thread packs at a time.
const BLOCK: usize = 1 << 12;

impl Signatures {
    /// Groups the samples of `votes`.
    ///
    /// A sample passes the gate if it has a vote and every model that voted on it is more confident than
    /// `agreement.min_confidence()`. Signatures can be shared by all settings that have this in common.
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] if the settings are for another number of models.
    ///
    /// # Complexity
    ///
    /// O(n_samples * n_models) time, in parallel. Beyond the result, memory for a fixed number of samples.
    pub fn group(
        votes: &Votes,
        agreement: &ValidAgreement,
        threads: &Threads<'_>,
    ) -> Result<Self, GraphError> {
        let mut builder = SignaturesBuilder::new(agreement);
        builder.push(votes.clusters(), Some(votes.confidences()), threads)?;
        Ok(builder.finish())
    }
}

/// Groups votes that come in chunks, so that they never have to be in memory as a whole.
///
/// # Example
///
/// ```
/// use consilience_graph::{AgreementParams, SignaturesBuilder, Threads};
/// use ndarray::array;
///
/// let agreement = AgreementParams::default().check(2)?;
/// let threads = Threads::new(1)?;
/// let mut builder = SignaturesBuilder::new(&agreement);
/// builder.push(array![[0, 0], [3, 3]].view(), None, &threads)?;
/// builder.push(array![[1, 0], [2, 3]].view(), None, &threads)?;
/// let signatures = builder.finish();
/// assert_eq!((signatures.n_samples(), signatures.len()), (4, 2));
/// # Ok::<(), consilience_graph::GraphError>(())
/// ```
#[derive(Debug)]
pub struct SignaturesBuilder {
    grouped: Signatures,
    shards: Vec<Shard>,
}

#[derive(Debug)]
struct Shard {
    table: WordTable,
    /// By number in the table: the signature's number among all.
    numbers: Vec<u32>,
    /// By number in the table: how many samples.
    counts: Vec<u32>,
}

/// A chunk's samples, packed.
struct Packed {
    /// Shape (n_samples of the chunk, n_words).
    words: Vec<u64>,
    lowest_confidences: Vec<f32>,
    hashes: Vec<u64>,
}

impl SignaturesBuilder {
    /// Starts without samples. The number of models and the gate's bound are those of `agreement`.
    #[must_use]
    pub fn new(agreement: &ValidAgreement) -> Self {
        let layout = Layout::new(&vec![0; agreement.n_models()]);
        let shards = empty_shards(layout.n_words());
        let grouped = Signatures {
            layout,
            words: Vec::new(),
            multiplicities: Vec::new(),
            first_samples: Vec::new(),
            of_sample: Vec::new(),
            lowest_confidences: Vec::new(),
            min_confidence: agreement.min_confidence(),
            is_complete: true,
        };
        Self { grouped, shards }
    }

    /// Adds the samples that follow.
    ///
    /// # Arguments
    ///
    /// * `clusters`: shape (n_models, n_samples of the chunk), [`Votes::MISSING`] where a vote is missing.
    /// * `confidences`: the same shape; `None` stands for 1.
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] or [`GraphError::SampleCount`] if shapes don't fit,
    /// [`GraphError::TooManySamples`] over 4,294,967,295 in all, [`GraphError::Cancelled`] if whoever watches the threads says so.
    pub fn push(
        &mut self,
        clusters: ArrayView2<'_, u16>,
        confidences: Option<ArrayView2<'_, f32>>,
        threads: &Threads<'_>,
    ) -> Result<(), GraphError> {
        self.check(clusters, confidences)?;
        threads.run(|| {
            for start in (0..clusters.ncols()).step_by(CHUNK) {
                threads.go_on()?;
                let end = clusters.ncols().min(start + CHUNK);
                let clusters = clusters.slice(s![.., start..end]);
                self.widen(clusters);
                let packed =
                    self.pack(clusters, confidences.map(|c| c.slice_move(s![.., start..end])));
                self.add(packed);
            }
            Ok(())
        })
    }

    /// All that was pushed.
    #[must_use]
    pub fn finish(mut self) -> Signatures {
        let mut multiplicities = vec![0; self.grouped.first_samples.len()];
        for shard in &self.shards {
            for (&number, &count) in shard.numbers.iter().zip(&shard.counts) {
                multiplicities[number as usize] = count;
            }
        }
        self.grouped.multiplicities = multiplicities;
        self.grouped.is_complete = self.grouped.has_all_votes();
        self.grouped
    }

    fn check(
        &self,
        clusters: ArrayView2<'_, u16>,
        confidences: Option<ArrayView2<'_, f32>>,
    ) -> Result<(), GraphError> {
        let (n_models, n_samples) = clusters.dim();
        let settings = self.grouped.n_models();
        let confidences = confidences.map_or((n_models, n_samples), |c| c.dim());
        for votes in [n_models, confidences.0] {
            if votes != settings {
                return Err(GraphError::OtherModelCount { settings, votes });
            }
        }
        if confidences.1 != n_samples {
            let (found, expected) = (confidences.1, n_samples);
            return Err(GraphError::SampleCount { what: "confidences", found, expected });
        }
        let n_samples = self.grouped.n_samples() + n_samples;
        if u32::try_from(n_samples).is_err() {
            return Err(GraphError::TooManySamples { n_samples });
        }
        Ok(())
    }

    /// Makes room for the ids of a chunk, if there is none yet: packs all signatures anew.
    fn widen(&mut self, clusters: ArrayView2<'_, u16>) {
        let n_clusters: Vec<usize> = (0..clusters.nrows())
            .into_par_iter()
            .map(|model| {
                let voted = clusters.row(model);
                let largest = voted.iter().filter(|&&cluster| cluster != Votes::MISSING).max();
                let found = largest.map_or(0, |&largest| usize::from(largest) + 1);
                found.max(self.grouped.layout.capacity(model))
            })
            .collect();
        let layout = Layout::new(&n_clusters);
        if layout == self.grouped.layout {
            return;
        }
        let old = std::mem::replace(&mut self.grouped.layout, layout);
        let layout = &self.grouped.layout;
        let mut words = vec![0; self.grouped.first_samples.len() * layout.n_words()];
        for (from, to) in self
            .grouped
            .words
            .chunks_exact(old.n_words())
            .zip(words.chunks_exact_mut(layout.n_words()))
        {
            for model in 0..layout.n_models() {
                layout.set(to, model, old.get(from, model));
            }
            if Layout::passes_gate(from) {
                Layout::set_gate(to);
            }
        }
        self.rebuild(&words);
        self.grouped.words = words;
    }

    /// Deals all signatures to new tables.
    fn rebuild(&mut self, words: &[u64]) {
        let n_words = self.grouped.layout.n_words();
        let mut counts = vec![0; self.grouped.first_samples.len()];
        for shard in &self.shards {
            for (&number, &count) in shard.numbers.iter().zip(&shard.counts) {
                counts[number as usize] = count;
            }
        }
        self.shards = empty_shards(n_words);
        for ((key, number), count) in words.chunks_exact(n_words).zip(0..).zip(counts) {
            let hash = hash(key);
            let shard = &mut self.shards[shard_of(hash)];
            shard.table.intern(key, hash);
            shard.numbers.push(number);
            shard.counts.push(count);
        }
    }

    fn pack(
        &self,
        clusters: ArrayView2<'_, u16>,
        confidences: Option<ArrayView2<'_, f32>>,
    ) -> Packed {
        let (layout, n_samples) = (&self.grouped.layout, clusters.ncols());
        let n_words = layout.n_words();
        let mut words = vec![0; n_samples * n_words];
        let mut lowest_confidences = vec![f32::INFINITY; n_samples];
        let mut hashes = vec![0; n_samples];
        (words.par_chunks_mut(BLOCK * n_words))
            .zip(lowest_confidences.par_chunks_mut(BLOCK))
            .zip(hashes.par_chunks_mut(BLOCK))
            .enumerate()
            .for_each(|(block, ((words, lowest), hashes))| {
                let samples = s![.., block * BLOCK..block * BLOCK + lowest.len()];
                let clusters = clusters.slice(samples);
                pack_votes(layout, clusters, words);
                lowest_of(clusters, confidences.map(|c| c.slice_move(samples)), lowest);
                for ((words, lowest), hash_of) in
                    words.chunks_exact_mut(n_words).zip(lowest.iter_mut()).zip(hashes)
                {
                    if *lowest == f32::INFINITY {
                        *lowest = 0.0;
                    } else if *lowest > self.grouped.min_confidence {
                        Layout::set_gate(words);
                    }
                    *hash_of = hash(words);
                }
            });
        Packed { words, lowest_confidences, hashes }
    }

    /// Numbers a packed chunk's signatures.
    fn add(&mut self, packed: Packed) {
        let n_words = self.grouped.layout.n_words();
        let (order, ends) = deal(&packed.hashes);
        let mut locals = vec![0; order.len()];
        let new: Vec<(u32, usize, usize)> = self
            .shards
            .par_iter_mut()
            .zip(split_at_ends(&mut locals, &ends))
            .enumerate()
            .flat_map_iter(|(number, (shard, locals))| {
                let samples = &order[ends[number] - locals.len()..ends[number]];
                let firsts = shard.add(&packed, n_words, samples, locals);
                firsts.into_iter().map(move |(first, local)| (first, number, local))
            })
            .collect();
        self.number(&packed, new);
        let start = self.grouped.of_sample.len();
        self.grouped.of_sample.resize(start + order.len(), 0);
        let of_sample = &mut self.grouped.of_sample[start..];
        for (number, shard) in self.shards.iter().enumerate() {
            let begin = if number == 0 { 0 } else { ends[number - 1] };
            for at in begin..ends[number] {
                of_sample[order[at] as usize] = shard.numbers[locals[at] as usize];
            }
        }
        self.grouped.lowest_confidences.extend(packed.lowest_confidences);
    }

    /// Numbers new signatures (first sample in the chunk, shard, number in its table) by their first samples.
    fn number(&mut self, packed: &Packed, mut new: Vec<(u32, usize, usize)>) {
        let n_words = self.grouped.layout.n_words();
        let start = self.grouped.of_sample.len();
        new.par_sort_unstable_by_key(|&(first, ..)| first);
        for (first, shard, local) in new {
            let first = first as usize;
            let number = SampleIdx::from_index(self.grouped.first_samples.len()).0;
            self.shards[shard].numbers[local] = number;
            self.grouped.first_samples.push(SampleIdx::from_index(start + first));
            self.grouped.words.extend_from_slice(&packed.words[first * n_words..][..n_words]);
        }
    }
}

impl Shard {
    /// Numbers the keys of `samples` in the shard's own table, into `locals`, and returns the first sample of
    /// each new key with its number. [`Shard::numbers`] gets a place for each.
    fn add(
        &mut self,
        packed: &Packed,
        n_words: usize,
        samples: &[u32],
        locals: &mut [u32],
    ) -> Vec<(u32, usize)> {
        let mut firsts = Vec::new();
        for (&sample, local) in samples.iter().zip(locals) {
            let at = sample as usize;
            let key = &packed.words[at * n_words..][..n_words];
            *local = self.table.intern(key, packed.hashes[at]);
            let number = *local as usize;
            if number == self.counts.len() {
                self.counts.push(0);
                self.numbers.push(0);
                firsts.push((sample, number));
            }
            self.counts[number] += 1;
        }
        firsts
    }
}

fn empty_shards(n_words: usize) -> Vec<Shard> {
    let shard =
        || Shard { table: WordTable::new(n_words), numbers: Vec::new(), counts: Vec::new() };
    (0..SHARDS).map(|_| shard()).collect()
}

/// The part of `values` up to each of `ends`, from the one before.
fn split_at_ends<'a>(mut values: &'a mut [u32], ends: &[usize]) -> Vec<&'a mut [u32]> {
    let mut start = 0;
    ends.iter()
        .map(|&end| {
            let (part, rest) = std::mem::take(&mut values).split_at_mut(end - start);
            values = rest;
            start = end;
            part
        })
        .collect()
}

fn pack_votes(layout: &Layout, clusters: ArrayView2<'_, u16>, words: &mut [u64]) {
    for (model, row) in clusters.axis_iter(Axis(0)).enumerate() {
        for (words, &cluster) in words.chunks_exact_mut(layout.n_words()).zip(row) {
            layout.set(words, model, (cluster != Votes::MISSING).then_some(cluster));
        }
    }
}

/// Lowers `lowest` to the lowest confidence of the models that voted. One that is no number counts as 0: it
/// can't be said to exceed any bound.
fn lowest_of(
    clusters: ArrayView2<'_, u16>,
    confidences: Option<ArrayView2<'_, f32>>,
    lowest: &mut [f32],
) {
    for model in 0..clusters.nrows() {
        let votes = clusters.row(model);
        let confidence_of = |sample: usize| {
            let confidence = confidences.map_or(1.0, |c| c[(model, sample)]);
            if confidence.is_nan() { 0.0 } else { confidence.min(1.0) }
        };
        for (sample, (lowest, &cluster)) in lowest.iter_mut().zip(votes).enumerate() {
            if cluster != Votes::MISSING {
                *lowest = lowest.min(confidence_of(sample));
            }
        }
    }
}
