use ndarray::{Array2, array};

use super::*;
use crate::preparation::transform::Scaling;

fn prepared(values: Array2<f32>, scaling: Scaling) -> Prepared {
    Prepared::new(&Features::new(values, "x").unwrap(), scaling, Seed(1), 2).unwrap()
}

#[test]
fn pixels_keep_their_zero_tables_are_standardised_and_rows_have_a_length() {
    let pixels = prepared(array![[0.0, 16.0], [8.0, 4.0]], Scaling::Range);
    assert_eq!(pixels.features().as_slice(), [0.0, 1.0, 0.5, 0.25]);
    let table = prepared(array![[-1.0, 5.0], [1.0, 5.0]], Scaling::Standardise);
    assert_eq!(table.features().as_slice(), [-1.0, 0.0, 1.0, 0.0]);
    assert!((table.spread() - 1.0).abs() < 1e-6);
    let close = |found: &[f32], expected: [f32; 6]| {
        found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5)
    };
    let texts = array![[0.0, 3.0], [0.0, 0.0], [2.0, 2.0]];
    let rows = prepared(texts.clone(), Scaling::Rows);
    let found = rows.features().as_slice();
    assert!(close(found, [0.0, 2f32.sqrt(), 0.0, 0.0, 1.0, 1.0]), "{found:?}");
    assert_eq!(rows.trainable(), [0, 2], "an empty text has no direction");
    let centred = prepared(texts, Scaling::CentredRows);
    assert_eq!(centred.trainable(), [0, 1, 2]);
}

/// Two groups along one direction of three.
fn two_groups() -> Features {
    let values = Array2::from_shape_fn((40, 3), |(row, column)| {
        let group = if row < 20 { -1.0 } else { 1.0 };
        let wobble = f32::from(u8::try_from((row * 7 + column * 3) % 11).unwrap()) / 50.0;
        group + wobble
    });
    Features::new(values, "x").unwrap()
}

#[test]
fn projection_keeps_what_tells_groups_apart() {
    let preparation = Preparation { scaling: Scaling::Standardise, components: 1 };
    let data = Prepared::new(&two_groups(), preparation, Seed(1), 2).unwrap();
    assert_eq!(data.features().n_features(), 1);
    let signs: Vec<bool> = data.features().as_slice().iter().map(|&x| x > 0.0).collect();
    assert!(signs[..20].iter().all(|&sign| sign == signs[0]), "{signs:?}");
    assert!(signs[20..].iter().all(|&sign| sign != signs[0]), "{signs:?}");
}

#[test]
fn a_sample_of_the_data_has_its_own_neighbours() {
    let mut data = Prepared::new(&two_groups(), Scaling::None, Seed(1), 2).unwrap();
    data.measure_distances(1).unwrap();
    let (all, samples) = data.sampled(40, 1, &()).unwrap();
    assert_eq!((samples, all.features()), ((0..40).collect(), data.features()));
    assert_eq!(all.neighbours(3), data.neighbours(3));
    assert!(data.is_all_of(40) && !data.is_all_of(39));
    // As if they had been sought again.
    let graph = NeighbourGraph::new(data.features(), &all.trainable, GRAPH, Seed(1), 1, &());
    let graph = graph.unwrap();
    assert!((0..40).all(|row| graph.of(row) == all.graph.as_ref().unwrap().of(row)));
    assert_eq!(all.distances, Some(scales(&graph)));
    let preparation = Preparation { scaling: Scaling::Standardise, components: 1 };
    let mut projected = Prepared::new(&two_groups(), preparation, Seed(1), 2).unwrap();
    projected.measure_distances(1).unwrap();
    assert!(!projected.is_all_of(40), "its neighbours were sought before it was projected");
    let (some, samples) = data.sampled(12, 2, &()).unwrap();
    assert!(samples.len() == 12 && samples.is_sorted() && samples[11] < 40, "{samples:?}");
    for (row, &sample) in samples.iter().enumerate() {
        assert_eq!(some.features().row(row), data.features().row(sample as usize));
    }
    assert_eq!((some.trainable().len(), some.neighbours(0).unwrap().len()), (12, 10));
    assert_eq!(data.sampled(12, 1, &()).unwrap().1, samples);
}

/// Rows of which one in fifty values isn't zero, in four groups; and the same with none that is.
fn groups(noise: f32) -> Features {
    let mut rng = Seed(3).rng(Stream::Subset);
    let draws = rng.normal(2300 * 200);
    let values = Array2::from_shape_fn((2300, 200), |(row, column)| {
        let draw = draws[row * 200 + column];
        let is_own = column % 4 == row % 4 && draw > 1.5;
        if is_own || draw > 3.0 { draw } else { noise * draw }
    });
    Features::new(values, "x").unwrap()
}

#[test]
fn large_data_are_prepared_as_others() {
    let of = |features: &Features, scaling, large| {
        let preparation = Preparation { scaling, components: 12 };
        let seed = Seed(1);
        let mut data = Prepared::prepare(features, preparation, seed, (2, large), &()).unwrap();
        data.measure_distances(2).unwrap();
        data
    };
    // With values everywhere, to the bit.
    let dense = groups(0.01);
    for scaling in [Scaling::Rows, Scaling::CentredRows, Scaling::Standardise] {
        let (small, large) = (of(&dense, scaling, usize::MAX), of(&dense, scaling, 0));
        assert_eq!(small.features(), large.features());
        assert_eq!(small.neighbour_distances(), large.neighbour_distances());
        let graphs = [&small, &large].map(|data| data.neighbour_graph().unwrap());
        assert!((0..2300).all(|row| graphs[0].of(row) == graphs[1].of(row)));
    }
    // Mostly zeros: the same space, and what is near in all features to the bit.
    let sparse = groups(0.0);
    let (small, large) = (of(&sparse, Scaling::Rows, usize::MAX), of(&sparse, Scaling::Rows, 0));
    assert_eq!(small.trainable(), large.trainable());
    let graphs = [&small, &large].map(|data| data.neighbour_graph().unwrap());
    assert!((0..2300).all(|row| graphs[0].of(row) == graphs[1].of(row)));
    for row in (0..2300).step_by(100) {
        let products = [&small, &large].map(|data| {
            let (a, b) = (data.features().row(row), data.features().row((row + 1) % 2300));
            a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
        });
        assert!((products[0] - products[1]).abs() < 0.05, "{products:?}");
    }
    let again = large.transform().apply(&sparse, 3).unwrap();
    assert_eq!(again, *large.features(), "prediction prepares alike");
}

#[test]
fn sparse_data_are_prepared_as_dense_ones() {
    let dense = groups(0.0);
    let mut rows = SparseRows::with_capacity(2300, 0, 200);
    dense.view().rows().into_iter().for_each(|row| rows.push((0..).zip(row.iter().copied())));
    let sparse = Features::sparse(rows, "x").unwrap();
    let of = |features: &Features, scaling, components, threads| {
        let (preparation, sizes) = (Preparation { scaling, components }, (threads, usize::MAX));
        let mut data = Prepared::prepare(features, preparation, Seed(1), sizes, &()).unwrap();
        data.measure_distances(threads).unwrap();
        data
    };
    for scaling in [Scaling::Rows, Scaling::None] {
        let (expected, found) = (of(&dense, scaling, 12, 2), of(&sparse, scaling, 12, 2));
        assert_eq!(expected.trainable(), found.trainable());
        let graphs = [&expected, &found].map(|data| data.neighbour_graph().unwrap());
        let n_same = (0..2300).filter(|&row| graphs[0].of(row) == graphs[1].of(row)).count();
        // Some distances are the same but for rounding.
        assert!(n_same > 2200, "{n_same}");
        let pairs = |row| graphs[0].distances(row).iter().zip(graphs[1].distances(row));
        assert!((0..2300).flat_map(pairs).all(|(a, b)| (a - b).abs() < 1e-2));
        for row in (0..2300).step_by(100) {
            let products = [&expected, &found].map(|data| {
                let (a, b) = (data.features().row(row), data.features().row((row + 1) % 2300));
                a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>()
            });
            assert!((products[0] - products[1]).abs() < 0.05, "{products:?}");
        }
        let again = of(&sparse, scaling, 12, 3);
        assert_eq!(again.features(), found.features(), "threads");
        assert_eq!(again.distances, found.distances, "threads");
        // Prediction prepares alike, however samples come, and wherever they are cut.
        let transform = found.transform();
        assert_eq!(transform.apply(&sparse, 3).unwrap(), *found.features());
        let some = transform.apply(&dense.rows(7..900, "x").unwrap(), 1).unwrap();
        assert_eq!(some, found.features().rows(7..900, "x").unwrap());
        assert_eq!(transform.trainable(&sparse), found.trainable());
    }
    // What can't stay sparse is made dense, and then is prepared as what was dense.
    for (scaling, components) in [(Scaling::CentredRows, 12), (Scaling::Rows, 0)] {
        let expected = of(&dense, scaling, components, 2);
        assert_eq!(of(&sparse, scaling, components, 2).features(), expected.features());
    }
}
