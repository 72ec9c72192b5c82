//! The map: a point for each sample shown, in the colour of its cluster.

use consilience_data::{Features, SampleIdx};
use consilience_ensembles::Scaling;

use super::{colour, numerals, settings};
use crate::run_folder::RunFolder;

use super::embedding::Embedding;

/// Width of the map, in its own units, and what is left free around it.
const WIDTH: f32 = 1000.0;
const MARGIN: f32 = 24.0;
/// Heights that fit a screen.
const HEIGHTS: (f32, f32) = (420.0, 900.0);
/// Numbers of more clusters would cover the points.
const MOST_LABELS: usize = 40;

/// What the template draws.
pub(super) struct Map {
    pub(super) height: f32,
    pub(super) groups: Vec<Group>,
    pub(super) labels: Vec<Label>,
    pub(super) n_shown: String,
    pub(super) n_all: Option<String>,
    pub(super) is_tsne: bool,
}

/// The points of a cluster.
pub(super) struct Group {
    pub(super) colour: String,
    pub(super) points: Vec<Point>,
}

/// A sample.
pub(super) struct Point {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) is_labelled: bool,
    pub(super) title: String,
}

/// A cluster's number, where its points are.
pub(super) struct Label {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) text: String,
}

impl Map {
    pub(super) fn of(run: &RunFolder, features: &Features, scaling: Scaling) -> Self {
        let embedding = Embedding::of(features, scaling, settings::seed(run));
        let (places, height) = fit(&embedding.places);
        let k = run.n_clusters();
        let mut labelled = vec![false; run.n_samples()];
        run.pseudo_labels.entries().iter().for_each(|entry| labelled[entry.sample.index()] = true);
        let mut groups: Vec<Group> = (0..k)
            .map(|cluster| Group { colour: colour::of_cluster(cluster, k), points: Vec::new() })
            .collect();
        groups.push(Group { colour: "#888".into(), points: Vec::new() });
        let mut members: Vec<Vec<[f32; 2]>> = vec![Vec::new(); k];
        for (&sample, &place) in embedding.samples.iter().zip(&places) {
            let cluster = run.clusters[sample].map(|cluster| cluster.index());
            if let Some(cluster) = cluster {
                members[cluster].push(place);
            }
            let is_labelled = labelled[sample];
            groups[cluster.unwrap_or(k)].points.push(Point {
                x: format!("{:.0}", place[0]),
                y: format!("{:.0}", place[1]),
                is_labelled,
                title: title(run, SampleIdx::from_index(sample), is_labelled),
            });
        }
        let label = |(cluster, places): (usize, &Vec<[f32; 2]>)| {
            let [x, y] = middle(places)?;
            let text = cluster.to_string();
            Some(Label { x: format!("{x:.0}"), y: format!("{y:.0}"), text })
        };
        let labels = members.iter().enumerate().filter_map(label);
        let n_all = run.n_samples();
        Self {
            height,
            labels: labels.filter(|_| k <= MOST_LABELS).collect(),
            groups: groups.into_iter().filter(|group| !group.points.is_empty()).collect(),
            n_shown: numerals::count(places.len()),
            n_all: (n_all > places.len()).then(|| numerals::count(n_all)),
            is_tsne: embedding.is_tsne,
        }
    }
}

fn title(run: &RunFolder, sample: SampleIdx, is_labelled: bool) -> String {
    let id = numerals::cut(&run.id(sample.index()), 60);
    let agreed = if is_labelled { ", agreed on" } else { "" };
    run.clusters[sample.index()].map_or(format!("{id}: no cluster"), |cluster| {
        format!("{id}: cluster {cluster}, {:.2}{agreed}", run.confidences[sample.index()])
    })
}

/// Places in a picture of some width, and its height.
fn fit(places: &[[f32; 2]]) -> (Vec<[f32; 2]>, f32) {
    let range = |axis: usize| {
        let along = places.iter().map(|place| place[axis]);
        (along.clone().fold(f32::INFINITY, f32::min), along.fold(f32::NEG_INFINITY, f32::max))
    };
    let ((left, right), (top, bottom)) = (range(0), range(1));
    let (across, down) = (right - left, bottom - top);
    let inner = WIDTH - 2.0 * MARGIN;
    let scale = if across > 0.0 { inner / across } else { 0.0 };
    let height = (down * scale + 2.0 * MARGIN).clamp(HEIGHTS.0, HEIGHTS.1);
    // A map that is higher than a screen is made narrower, with its units alike.
    let high = height - 2.0 * MARGIN;
    let scale = if down * scale > high || across <= 0.0 {
        if down > 0.0 { high / down } else { 0.0 }
    } else {
        scale
    };
    let middle = [f32::midpoint(left, right), f32::midpoint(top, bottom)];
    let place = |place: &[f32; 2]| {
        [
            WIDTH / 2.0 + (place[0] - middle[0]) * scale,
            height / 2.0 + (place[1] - middle[1]) * scale,
        ]
    };
    (places.iter().map(place).collect(), height.round())
}

/// The point of a cluster that is nearest to the medians: a cluster may be a ring, or in two parts.
fn middle(places: &[[f32; 2]]) -> Option<[f32; 2]> {
    let median = |axis: usize| {
        let mut along: Vec<f32> = places.iter().map(|place| place[axis]).collect();
        along.sort_by(f32::total_cmp);
        along.get(along.len() / 2).copied()
    };
    let (x, y) = (median(0)?, median(1)?);
    let apart = |place: &&[f32; 2]| (place[0] - x).hypot(place[1] - y);
    places.iter().min_by(|a, b| apart(a).total_cmp(&apart(b))).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lie_within_the_map() {
        for places in [
            vec![[0.0, 0.0]],
            vec![[-3.0, 1.0], [5.0, 1.0]],
            vec![[1.0, -1e6], [1.0, 1e6]],
            vec![[-1.0, -40.0], [2.0, 50.0], [0.0, 0.0]],
        ] {
            let (fitted, height) = fit(&places);
            assert!((HEIGHTS.0..=HEIGHTS.1).contains(&height));
            for place in fitted {
                assert!((MARGIN - 1.0..=WIDTH - MARGIN + 1.0).contains(&place[0]), "{place:?}");
                assert!((MARGIN - 1.0..=height - MARGIN + 1.0).contains(&place[1]), "{place:?}");
            }
        }
    }

    #[test]
    fn numbers_stand_on_a_point_of_their_cluster() {
        assert_eq!(middle(&[[0.0, 0.0], [1.0, 1.0], [9.0, 9.0]]), Some([1.0, 1.0]));
        assert_eq!(middle(&[]), None);
    }
}
