//! What a person knows of some samples: `--must-link`, `--cannot-link`, and labels of some.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use consilience::Knowledge;
use consilience::few_labels::Taught;
use consilience::knowledge::{Conflict, Held, Words};
use consilience::run_folder::{RunFolder, Source, read_pairs as read_pairs_of};
use consilience_data::{GivenLabels, SampleIdx, SampleKeys, SamplePair, read_pairs};

use super::k_range::Clusters;
use super::style::plural;

/// Samples that a message names, at most.
const TOLD: usize = 6;

/// What `cluster` takes beside what it shares with `train`.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct KnownArgs {
    /// Labels of some samples, which name clusters and stay as they are: a file in any format of labels, whose rows are paired with the
    /// data by ids or else by order; or column:NAME, a column of the data. Nothing, NA or -1: not labelled
    #[arg(long, value_name = "FILE|column:NAME")]
    pub(super) labels_partial: Option<String>,
    #[command(flatten)]
    pub(super) links: LinkArgs,
}

/// Flags for pairs of samples.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LinkArgs {
    /// Pairs of samples that are in one cluster: a line each, of two ids, or of two rows of the data, counted from 0, where it has no ids
    #[arg(long, value_name = "FILE")]
    pub(super) must_link: Option<PathBuf>,
    /// Pairs of samples that are in two clusters, in the same way
    #[arg(long, value_name = "FILE")]
    pub(super) cannot_link: Option<PathBuf>,
    /// A run whose pairs they are, in place of files.
    #[arg(skip)]
    pub(super) of_run: Option<PathBuf>,
}

/// What is known, and the files of pairs that it is of, if there are any: their names and hashes.
#[derive(Default)]
pub(super) struct Links {
    pub(super) known: Knowledge,
    names: [Option<String>; 2],
    hash: Option<[String; 2]>,
}

/// A file of pairs, and what messages call it.
struct Pairs<'a> {
    path: Option<&'a Path>,
    word: &'static str,
    pairs: Vec<SamplePair>,
}

impl LinkArgs {
    /// Whether any were given.
    pub(super) fn is_empty(&self) -> bool {
        self.must_link.is_none() && self.cannot_link.is_none()
    }

    /// What is known by them and by labels of the samples `keys` of the data `name`. What contradicts itself is refused.
    pub(super) fn knowledge(
        &self,
        name: &str,
        keys: &SampleKeys<'_>,
        given: Option<GivenLabels>,
    ) -> Result<Links> {
        if let Some(run) = &self.of_run {
            let run = RunFolder::open(run)?;
            let known = read_pairs_of(&run)?;
            let Source { must_link, cannot_link, links_hash, .. } = run.source;
            return Ok(Links { known, names: [must_link, cannot_link], hash: links_hash });
        }
        let must = Pairs::read(self.must_link.as_deref(), name, keys)?;
        let cannot = Pairs::read(self.cannot_link.as_deref(), name, keys)?;
        let classes = given.clone();
        let known = Knowledge::new(given, &must.samples(), &cannot.samples())
            .map_err(|conflict| refused(&conflict, (&must, &cannot), keys, classes.as_ref()))?;
        let hash = || [&must, &cannot].map(|pairs| SamplePair::hash(&pairs.samples()));
        let name = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let names = [name(&self.must_link), name(&self.cannot_link)];
        Ok(Links { known, names, hash: (!self.is_empty()).then(hash) })
    }
}

impl Links {
    /// Enters them into what a run was made of.
    pub(super) fn enter(&self, source: &mut Source) {
        [source.must_link, source.cannot_link] = self.names.clone();
        source.links_hash.clone_from(&self.hash);
    }
}

impl<'a> Pairs<'a> {
    fn read(path: Option<&'a Path>, name: &str, keys: &SampleKeys<'_>) -> Result<Self> {
        let (pairs, word) = match path {
            Some(path) => read_pairs(path, name, keys)?,
            None => (Vec::new(), "line"),
        };
        Ok(Self { path, word, pairs })
    }

    fn samples(&self) -> Vec<[SampleIdx; 2]> {
        self.pairs.iter().map(|pair| pair.samples).collect()
    }

    /// Where one is.
    fn place(&self, at: usize) -> String {
        let path = self.path.expect("there are pairs").display();
        format!("{path}: {} {}", self.word, self.pairs[at].at)
    }
}

/// What a sample is called.
fn called(keys: &SampleKeys<'_>, sample: SampleIdx) -> String {
    match (&keys.ids, &keys.rows) {
        (Some(ids), _) => ids[sample.index()].clone(),
        (None, Some(rows)) => rows[sample.index()].to_string(),
        (None, None) => sample.to_string(),
    }
}

fn refused(
    conflict: &Conflict,
    (must, cannot): (&Pairs<'_>, &Pairs<'_>),
    keys: &SampleKeys<'_>,
    given: Option<&GivenLabels>,
) -> anyhow::Error {
    let called = |sample| format!("'{}'", called(keys, sample));
    let (must_at, cannot_at) = (|at| must.place(at), |at| cannot.place(at));
    let cannot = cannot.samples();
    let words =
        Words { cannot: &cannot, must_at: &must_at, cannot_at: &cannot_at, called: &called, given };
    anyhow!(conflict.told(&words))
}

/// Numbers of clusters that are enough for what has to be apart.
pub(super) fn enough(
    clusters: Clusters,
    known: &Knowledge,
    keys: &SampleKeys<'_>,
) -> Result<Clusters> {
    if known.is_empty() {
        return Ok(clusters);
    }
    Ok(match clusters {
        Clusters::Number(k) => {
            check(known, keys, k)?;
            Clusters::Number(k)
        }
        Clusters::Within(ks) => {
            let enough = known.enough(ks.clone(), keys.n_samples);
            check(known, keys, if enough.is_empty() { *ks.end() } else { *enough.end() })?;
            match enough.start() == enough.end() && enough != ks {
                true => Clusters::Number(*enough.end()),
                false => Clusters::Within(enough),
            }
        }
    })
}

/// Refuses a number of clusters that is too small for what has to be apart.
pub(super) fn check(known: &Knowledge, keys: &SampleKeys<'_>, k: usize) -> Result<()> {
    let (constraints, least) = (known.constraints(), known.constraints().least_clusters());
    if k >= least {
        return Ok(());
    }
    if let Some(given) = known.given().filter(|given| given.n_classes() >= least) {
        let classes = given.n_classes();
        bail!("-k {k}: there are labels of {classes} classes; give at least so many, or none");
    }
    let apart = constraints.mutually_apart();
    if apart.len() <= k {
        bail!("-k {k}: what has to be apart can't be in so few clusters; give at least -k {least}");
    }
    let some = apart.iter().take(TOLD).map(|&block| called(keys, constraints.blocks()[block][0]));
    let mut some: Vec<String> = some.map(|sample| format!("'{sample}'")).collect();
    if apart.len() > TOLD {
        some.push("...".into());
    }
    bail!(
        "-k {k}: {} have to be apart from one another ({}); give at least -k {least}",
        plural(apart.len(), "sample"),
        some.join(", "),
    )
}

/// What became of samples of which something is known, in words.
pub(super) fn text(held: &Held) -> String {
    let moved = match held.moved {
        0 => "none had to be moved for it".into(),
        moved => format!("{} would be in another cluster without it", plural(moved, "sample")),
    };
    let (samples, groups) = (plural(held.samples, "sample"), plural(held.groups, "group"));
    format!("{samples}, in {groups}; {moved}")
}

/// Which classes clusters don't show, and what to do.
pub(super) fn not_shown(taught: &Taught) -> Option<String> {
    let classes = consilience::knowledge::not_shown(taught)?;
    Some(format!("{classes}; train learns classes, and a larger -k may show them"))
}
