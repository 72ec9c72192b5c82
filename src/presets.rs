//! Settings to start from: for each kind of data and number of samples, and the paper's.

use consilience_data::{Features, Recipe, Seed};
use consilience_ensembles::{
    Consistency, DataKind, EngineChoice, Image, Look, MemberKind, NetworkParams, Preparation,
    Scaling,
};
use consilience_graph::{AgreementParams, Gate, Strictness};

use crate::config::Config;
use crate::effort::in_proportion;
use crate::error::RunError;
use crate::labelling::Labelling;
use crate::schedule::Schedule;

/// With at most so many samples, batches are smaller, so that an epoch has more steps, and time allows for more candidates.
const SMALL: usize = 10_000;

/// A batch has so many samples a cluster at least, on average.
const BATCH_PER_CLUSTER: usize = 5;

/// Images of fewer rows or columns are too coarse to be moved a little.
const FINE: usize = 8;

/// An array of fewer rows or columns a sample is no image.
const FEW: usize = 4;

/// Names of the presets, for messages.
const PRESETS: &[&str] = &["auto", "image", "text", "embedding", "tabular", "paper"];

/// Settings for images of which there are many.
impl Default for Config {
    fn default() -> Self {
        Self::of_kind(DataKind::Image, usize::MAX, None, 0)
    }
}

impl Config {
    /// The settings of a preset for `k` clusters of these features: `auto` looks what kind of data they are; `image`, `text`,
    /// `embedding` and `tabular` say it; `paper` has the authors' own.
    ///
    /// # Errors
    ///
    /// [`RunError::Preset`] if there is none of that name.
    pub fn preset(name: &str, features: &Features, k: usize) -> Result<Self, RunError> {
        Self::preset_for(name, features, &Recipe::default(), k)
    }

    /// As [`Config::preset`], where it is known how files became features: image files are images, and texts are text.
    ///
    /// # Errors
    ///
    /// As [`Config::preset`].
    pub fn preset_for(
        name: &str,
        features: &Features,
        recipe: &Recipe,
        k: usize,
    ) -> Result<Self, RunError> {
        let look = Look::at(features);
        let kind = match name {
            "auto" if recipe.inverse_document_frequencies.is_some() => DataKind::Text,
            "auto" if recipe.image.is_some() && recipe.options.image_size.is_some() => {
                DataKind::Image
            }
            // Columns with names have units; pixels lie in no table, but rows of words may.
            "auto" if recipe.is_named_table() && look.kind() != DataKind::Text => DataKind::Tabular,
            "auto" => look.kind(),
            "image" => DataKind::Image,
            "text" => DataKind::Text,
            "embedding" => DataKind::Embedding,
            "tabular" => DataKind::Tabular,
            "paper" => return Ok(Self { n_clusters: k, ..Self::paper() }),
            _ => return Err(RunError::Preset { name: name.into(), known: PRESETS.join(", ") }),
        };
        let known = match recipe.image {
            Some([rows, columns, channels @ (1 | 3)]) if rows.min(columns) >= FEW => {
                Some(Image { rows, columns, channels })
            }
            _ => None,
        };
        let image = known.or_else(|| look.image()).filter(|_| kind == DataKind::Image);
        Ok(Self::of_kind(kind, features.n_samples(), image, k))
    }

    /// The settings for `k` clusters of the kind of data that the features look like, and for as many samples.
    #[must_use]
    pub fn auto(features: &Features, k: usize) -> Self {
        let look = Look::at(features);
        let kind = look.kind();
        let image = if kind == DataKind::Image { look.image() } else { None };
        Self::of_kind(kind, features.n_samples(), image, k)
    }

    /// The settings for `k` clusters of `n_samples` of a kind, which may be images with rows and columns.
    fn of_kind(kind: DataKind, n_samples: usize, image: Option<Image>, k: usize) -> Self {
        let small = n_samples <= SMALL;
        // On text and embeddings, networks that learn from pseudo-labels become surer, not better: so there is one round, of
        // more models.
        let votes_once = matches!(kind, DataKind::Text | DataKind::Embedding);
        let of_few = |least, most| in_proportion(n_samples, least, most);
        let (members, spare) =
            if votes_once { (8, 2) } else { (5, if small { of_few(1, 5) } else { 1 }) };
        let (scaling, components) = match kind {
            DataKind::Image => (Scaling::Range, 0),
            DataKind::Text => (Scaling::Rows, 200),
            DataKind::Embedding => (Scaling::CentredRows, 100),
            DataKind::Tabular => (Scaling::Standardise, 0),
        };
        let fine = image.is_some_and(|image| image.shorter_side() >= FINE);
        // From the first step on, far probes lead networks that see many images all into one wrong optimum, where
        // moves alone lead them to a right one in a few passes. Later, probes tell what moves don't.
        // Labels weigh little there, so that those that are wrong don't keep networks from learning it.
        let in_turn = fine && !small;
        let (first_epochs, consistency_from_round) = if in_turn { (5, 1) } else { (9, 0) };
        let (im_weight, neighbour_weight) = match kind {
            DataKind::Image | DataKind::Tabular => (0.1, if small { 0.1 } else { 0.0 }),
            DataKind::Text => (1.0, 1.0),
            DataKind::Embedding => (1.0, 2.0),
        };
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            cut: None,
            strays: None,
            few_labels: None,
            views: Vec::new(),
            preset: kind.name().into(),
            n_clusters: k,
            seed: Seed(0),
            rounds: if votes_once {
                1
            } else if small || in_turn {
                4
            } else {
                5
            },
            // One sample in 200 moved in the last round: another one moves fewer.
            stable_ari: 0.99,
            preparation: Preparation { scaling, components },
            members: vec![MemberKind::Ladder; members],
            engine: EngineChoice::Auto,
            candidates: members + spare,
            labelling: Labelling::Agreement,
            first: Schedule {
                epochs: first_epochs,
                min_steps: if small { of_few(150, 1000) } else { 500 },
                anneal: false,
            },
            retrain: Schedule {
                epochs: 3,
                min_steps: if small { of_few(50, 250) } else { 120 },
                anneal: false,
            },
            communities: 11,
            judge: true,
            agreement: AgreementParams {
                // With few candidates to choose from, one member may be bad. If it had to agree, it would never be taught better.
                min_agree: Strictness::percent(if small || votes_once { 100 } else { 80 }),
                ..AgreementParams::default()
            },
            network: NetworkParams {
                // Wide networks fit what few samples happen to be.
                hidden: vec![if small { of_few(100, 250) } else { 500 }; 2],
                batch_size: if small { 100 } else { 250 }.max(BATCH_PER_CLUSTER * k),
                im_weight,
                neighbour_weight,
                move_weight: if fine { 1.0 } else { 0.0 },
                consistency_from_round,
                label_weight: if in_turn { 0.3 } else { NetworkParams::default().label_weight },
                image,
                denoising: if small { NetworkParams::default().denoising } else { Vec::new() },
                ..NetworkParams::default()
            },
        }
    }

    /// LADDER-IM as in the paper and its authors' code: noise-KL, their one-sided gate, 50 rounds of 5 epochs.
    fn paper() -> Self {
        let schedule = Schedule { epochs: 5, min_steps: 0, anneal: false };
        Self {
            preset: "paper".into(),
            rounds: 50,
            stable_ari: 2.0,
            members: vec![MemberKind::Ladder; 10],
            candidates: 0,
            communities: 0,
            judge: false,
            first: schedule,
            retrain: schedule,
            agreement: AgreementParams {
                min_agree: Strictness::Count(10),
                max_agree: Strictness::Count(1),
                min_confidence: 0.9,
                gate: Gate::Anchor,
                ..AgreementParams::default()
            },
            network: NetworkParams {
                hidden: vec![1200, 1200],
                batch_size: 64,
                consistency: Consistency::NoiseKl,
                denoising: vec![1000.0, 10.0, 0.1, 0.1],
                decoder_from_round: 0,
                normalise_last: true,
                label_weight: 1.0,
                im_weight: 0.1,
                neighbour_weight: 0.0,
                ..NetworkParams::default()
            },
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    #[test]
    fn settings_follow_kind_and_size() {
        let of = |kind, n_samples, image| Config::of_kind(kind, n_samples, image, 3);
        let image = Some(Image { rows: 28, columns: 20, channels: 1 });
        let few = of(DataKind::Image, 1000, image);
        assert_eq!((few.network.image, few.network.move_weight), (image, 1.0));
        assert_eq!(few.agreement.min_agree, Strictness::ALL);
        let tiny = of(DataKind::Image, 200, image);
        assert_eq!((&tiny.network.hidden[..], tiny.first.min_steps), (&[100, 100][..], 200));
        assert!(tiny.candidates < few.candidates);
        let fine = of(DataKind::Image, 70_000, image).network;
        assert_eq!((fine.consistency_from_round, few.network.consistency_from_round), (1, 0));
        let many = of(DataKind::Image, 70_000, None);
        assert_eq!((many.network.image, many.network.move_weight), (None, 0.0));
        assert_eq!(many.agreement.min_agree, Strictness::percent(80));
        let text = of(DataKind::Text, 70_000, None);
        assert_eq!((text.rounds, text.agreement.min_agree), (1, Strictness::ALL));
        // What a run writes overrides what is seen in its data when it is run again, images included.
        let embedding = Config::preset("embedding", &spots(16), 2).unwrap();
        assert!(toml::to_string(&embedding).unwrap().contains("image = []"));
        for config in [few, tiny, many, text, embedding] {
            assert!(config.candidates > config.members.len());
            let written = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<Config>(&written).unwrap(), config);
        }
    }

    /// A bright spot somewhere in every picture.
    fn spots(side: usize) -> Features {
        let spot = |(sample, feature): (usize, usize)| {
            let (down, right) = (feature / side, feature % side);
            let distance = down.abs_diff(sample * 7 % side).pow(2)
                + right.abs_diff(sample * 5 / 3 % side).pow(2);
            (-0.2 * distance as f32).exp()
        };
        Features::new(Array2::from_shape_fn((200, side * side), spot), "spots").unwrap()
    }

    #[test]
    fn fine_images_are_moved_and_coarse_ones_are_not() {
        let fine = Config::auto(&spots(16), 2).network;
        assert_eq!(fine.image, Some(Image { rows: 16, columns: 16, channels: 1 }));
        let coarse = Some(Image { rows: 7, columns: 28, channels: 1 });
        let coarse = Config::of_kind(DataKind::Image, 1000, coarse, 2).network;
        assert_eq!((coarse.image.is_some(), coarse.move_weight), (true, 0.0));
    }

    #[test]
    fn what_is_known_of_files_comes_before_what_features_look_like() {
        let noise: Vec<f32> = (0..200 * 64).map(|at| ((at * 7919) % 101) as f32).collect();
        let noise = Features::new(Array2::from_shape_vec((200, 64), noise).unwrap(), "x").unwrap();
        let preset = |recipe: &Recipe| Config::preset_for("auto", &noise, recipe, 2).unwrap();
        assert_eq!(preset(&Recipe::default()).preset, "embedding");
        let mut files = Recipe { image: Some([8, 8, 1]), ..Recipe::default() };
        assert_eq!(
            preset(&files).preset,
            "embedding",
            "an array of three dimensions may be anything"
        );
        files.options.image_size = Some([8, 8]);
        let of_files = preset(&files);
        assert_eq!(of_files.preset, "image");
        assert_eq!(of_files.network.image, Some(Image { rows: 8, columns: 8, channels: 1 }));
        let texts =
            Recipe { inverse_document_frequencies: Some(vec![1.0; 64]), ..Recipe::default() };
        assert_eq!(preset(&texts).preset, "text");
        let named = |name: fn(usize) -> String| Recipe {
            feature_names: Some((0..64).map(name).collect()),
            ..Recipe::default()
        };
        let units = named(|column| ["calls", "visits", "spend_jan"][column % 3].into());
        assert_eq!(preset(&units).preset, "tabular");
        let coordinates = named(|column| format!("dim_{column}"));
        assert_eq!(preset(&coordinates).preset, "embedding");
    }

    #[test]
    fn the_papers_thresholds_are_for_ten_models() {
        let features = spots(16);
        let paper = Config::preset("paper", &features, 3).unwrap();
        assert!(paper.check(&features, 1).is_ok());
        let error = Config::preset("papier", &features, 3).unwrap_err();
        assert!(error.to_string().contains("tabular, paper"), "{error}");
    }
}
