//! `votes.npz`: the votes of a run, as every build writes and reads them.
//!
//! | member | what |
//! | --- | --- |
//! | `format_version` | 1 |
//! | `votes` | `uint16`, shape (n_models, n_samples): each model's cluster, in its own numbering; 65535: no vote |
//! | `confidences` | `float32`, of the same shape, if there are any |
//! | `vote_ids` | `int64`, shape (n_models, most clusters of a model): what each cluster was called, if votes were given; -1 where a model has fewer |

use std::path::Path;

use consilience_data::write::{Member, npz_stored};
use consilience_data::{ClusterId, DataError, ModelIdx, SampleIdx, Votes, VotesReader};
use ndarray::{Array2, ArrayView1, s};

use super::manifest;
use super::read::RunFolder;
use super::source::GivenVotes;
use crate::RunError;

/// The name of the file.
pub(super) const VOTES: &str = "votes.npz";
const VERSION: (&str, [u8; 1]) = ("format_version", [1]);

/// Writes the votes of the last round.
pub(super) fn write(path: &Path, votes: &Votes) -> Result<(), DataError> {
    let (version, number) = VERSION;
    let members = [
        (version, ArrayView1::from(&number).into()),
        ("votes", votes.clusters().into()),
        ("confidences", votes.confidences().into()),
    ];
    npz_stored(path, &members)
}

/// All votes of a run, shape (n_models, n_samples), each model's clusters numbered as they appear; `None` of a run without the file. Samples that were
/// added later, and others than the file has, have no vote.
///
/// # Errors
///
/// [`RunError::Folder`] for a file that is damaged.
pub(super) fn read(run: &RunFolder) -> Result<Option<Array2<u16>>, RunError> {
    let path = run.path.join(VOTES);
    if !path.is_file() {
        return Ok(None);
    }
    manifest::verify(&run.path, &[VOTES])?;
    let mut reader = VotesReader::open(&[path])?;
    let mut all = Array2::from_elem((reader.n_models(), run.n_samples()), Votes::MISSING);
    let mut n_read = 0;
    while let Some(chunk) = reader.next_chunk()? {
        let end = (n_read + chunk.clusters.ncols()).min(run.n_samples());
        all.slice_mut(s![.., n_read..end]).assign(&chunk.clusters.slice(s![.., ..end - n_read]));
        n_read = end;
    }
    Ok(Some(all))
}

/// Writes votes that were given.
pub(super) fn write_given(path: &Path, votes: &GivenVotes<'_>) -> Result<(), DataError> {
    let signatures = votes.signatures;
    let shape = (signatures.n_models(), signatures.n_samples());
    let row = |model: usize| -> Vec<u16> {
        let votes = signatures.votes_of(ModelIdx::from_index(model)).into_iter();
        votes.map(|vote| vote.map_or(Votes::MISSING, |ClusterId(id)| id)).collect()
    };
    let lowest = votes.lowest_confidences();
    let confidences = |_: usize| lowest.clone().unwrap_or_default();
    let ids = votes.ids_of_clusters();
    let (version, number) = VERSION;
    let mut members = vec![
        (version, ArrayView1::from(&number).into()),
        ("votes", Member::U16Rows(shape, &row)),
        ("vote_ids", ids.view().into()),
    ];
    if lowest.is_some() {
        members.push(("confidences", Member::F32Rows(shape, &confidences)));
    }
    npz_stored(path, &members)
}

impl GivenVotes<'_> {
    /// The lowest of the models' confidences in each sample, the same for all models, as no others were kept; `None` if all models
    /// are sure of all they say.
    pub(super) fn lowest_confidences(&self) -> Option<Vec<f32>> {
        let signatures = self.signatures;
        let samples = (0..signatures.n_samples()).map(SampleIdx::from_index);
        let lowest: Vec<f32> = samples.map(|sample| signatures.lowest_confidence(sample)).collect();
        let is_unsure = |&confidence: &f32| confidence < 1.0 && confidence > 0.0;
        lowest.iter().any(is_unsure).then_some(lowest)
    }

    /// What each of the models' clusters was called in its file, shape (n_models, most clusters of a model); -1 where a model has
    /// fewer.
    pub(super) fn ids_of_clusters(&self) -> Array2<i64> {
        let most = self.ids.iter().map(Vec::len).max().unwrap_or(0);
        let id = |(model, cluster): (usize, usize)| self.ids[model].get(cluster).copied();
        Array2::from_shape_fn((self.signatures.n_models(), most), |at| id(at).unwrap_or(-1))
    }
}
