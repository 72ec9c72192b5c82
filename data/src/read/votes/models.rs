//! Any integers as cluster ids: numbered 0, 1, 2 ... in the order in which they appear.

use std::collections::HashMap;

use crate::{DataError, Votes};

/// Ids below this are looked up in a table, others in a hash map.
const SMALL: usize = 1 << 16;

/// One model's clusters: any integers, numbered 0, 1, 2 ... in the order in which they appear.
#[derive(Debug, Clone, Default)]
pub struct Numbering {
    /// The original id of each cluster.
    ids: Vec<i64>,
    /// The cluster of each small id, [`Votes::MISSING`] for those not seen.
    small: Vec<u16>,
    large: HashMap<i64, u16>,
}

impl Numbering {
    /// The cluster of an id, [`Votes::MISSING`] if it is negative; `None` if there are too many.
    #[inline]
    pub fn cluster(&mut self, id: i64) -> Option<u16> {
        let Ok(index) = usize::try_from(id) else {
            return Some(Votes::MISSING);
        };
        match self.small.get(index) {
            Some(&cluster) if cluster != Votes::MISSING => Some(cluster),
            _ => self.large_or_new(id, index),
        }
    }

    /// The original id of each cluster.
    #[must_use]
    pub fn into_ids(self) -> Vec<i64> {
        self.ids
    }

    #[inline(never)]
    fn large_or_new(&mut self, id: i64, index: usize) -> Option<u16> {
        if let Some(&cluster) = self.large.get(&id) {
            return Some(cluster);
        }
        let new = u16::try_from(self.ids.len()).ok().filter(|&new| new != Votes::MISSING)?;
        self.ids.push(id);
        if index >= SMALL {
            self.large.insert(id, new);
            return Some(new);
        }
        if index >= self.small.len() {
            self.small.resize((index + 1).next_power_of_two(), Votes::MISSING);
        }
        self.small[index] = new;
        Some(new)
    }
}

/// The models of one file: their names, and their clusters as far as they have been seen.
#[derive(Debug, Clone)]
pub(super) struct Models {
    source_name: String,
    names: Vec<String>,
    numberings: Vec<Numbering>,
}

impl Models {
    pub(super) fn new(source_name: &str, names: Vec<String>) -> Self {
        let numberings = vec![Numbering::default(); names.len()];
        Self { source_name: source_name.into(), names, numberings }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The cluster that `id` is to a model; a negative one is a missing vote.
    #[inline]
    pub(super) fn cluster(&mut self, model: usize, id: i64) -> Result<u16, DataError> {
        match self.numberings[model].cluster(id) {
            Some(cluster) => Ok(cluster),
            None => Err(self.too_many(model)),
        }
    }

    #[cold]
    fn too_many(&self, model: usize) -> DataError {
        let (source_name, model) = (self.source_name.clone(), self.names[model].clone());
        DataError::TooManyClusters { source_name, model }
    }

    /// Number of clusters of a model, as far as it has been read.
    pub(super) fn n_clusters(&self, model: usize) -> usize {
        self.numberings[model].ids.len()
    }

    /// Whether no model has a vote, as far as they have been read.
    pub(super) fn are_empty(&self) -> bool {
        self.numberings.iter().all(|numbering| numbering.ids.is_empty())
    }

    /// The original id of each cluster of each model.
    pub(super) fn into_ids(self) -> impl Iterator<Item = Vec<i64>> {
        self.numberings.into_iter().map(Numbering::into_ids)
    }
}
