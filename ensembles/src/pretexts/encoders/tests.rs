//! Layers against their definitions, and their gradients against finite differences.

use candle_core::{DType, Device, Tensor, Var};
use consilience_data::{Seed, Stream};

use super::architecture::Architecture;
use super::network::Network;
use super::parameters::Parameters;
use super::patches::{Grid, Patches};
use crate::preparation::image::Image;

fn numbers(len: usize, seed: u64) -> Vec<f64> {
    Seed(seed).rng(Stream::Subset).normal(len).into_iter().map(f64::from).collect()
}

/// A value of an image, or what is beyond its edges.
fn pixel(image: &[f64], grid: Grid, [row, column]: [isize; 2], channel: usize) -> f64 {
    let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else { return 0.0 };
    if row >= grid.rows || column >= grid.columns {
        return 0.0;
    }
    image[(row * grid.columns + column) * grid.channels + channel]
}

#[test]
fn patches_are_what_lies_around_every_other_place() {
    for (rows, columns, kernel) in [(5, 6, [3, 3]), (4, 4, [3, 3]), (1, 9, [1, 5]), (3, 2, [3, 3])]
    {
        let grid = Grid { rows, columns, channels: 2 };
        let stride = kernel.map(|length| if length > 1 { 2 } else { 1 });
        let patches = Patches { grid, kernel, stride };
        let images = numbers(3 * grid.len(), 1);
        let tensor = Tensor::from_slice(&images, (1, 3, grid.len()), &Device::Cpu).unwrap();
        let found = patches.of(&tensor).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
        let mut expected = Vec::new();
        let signed = |n: usize| isize::try_from(n).unwrap();
        for image in images.chunks(grid.len()) {
            for place in 0..patches.places()[0] * patches.places()[1] {
                let across = patches.places()[1];
                for cell in 0..patches.len() {
                    let (cell, channel) = (cell / 2, cell % 2);
                    let at = |place: usize, axis: usize, cell: usize| {
                        signed(place * stride[axis] + cell) - signed((kernel[axis] - 1) / 2)
                    };
                    let row = at(place / across, 0, cell / kernel[1]);
                    let column = at(place % across, 1, cell % kernel[1]);
                    expected.push(pixel(image, grid, [row, column], channel));
                }
            }
        }
        assert_eq!(found, expected, "{grid:?}");
    }
}

/// A sum of squares of what comes out, so that every output counts.
fn loss(network: &dyn Network, rows: &Tensor) -> Tensor {
    network.forward(rows).unwrap().sqr().unwrap().sum_all().unwrap()
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let image = Image { rows: 7, columns: 6, channels: 1 };
    for architecture in [
        Architecture::dense(5, &[4, 3], 2),
        Architecture::image(image, 3),
        Architecture::series(11, 2, 3),
        Architecture::Transformer { vocabulary: 5, length: 4, output: 8 },
    ] {
        assert!(architecture.is_sound());
        let mut rng = Seed(3).rng(Stream::Weights { model: 0 });
        let mut parameters = Parameters::drawn(&mut rng).in_double();
        let network = architecture.build(&mut parameters, "encoder").unwrap();
        let shape = (1, 2, architecture.input());
        let values = match architecture {
            // Words, and nothing behind the last.
            Architecture::Transformer { .. } => vec![1.0, 3.0, 2.0, 1.0, 4.0, 2.0, 0.0, 0.0],
            _ => numbers(2 * architecture.input(), 5),
        };
        let rows = Var::from_slice(&values, shape, &Device::Cpu).unwrap();
        let gradients = loss(&*network, &rows).backward().unwrap();
        let inputs = [("rows".to_owned(), rows.clone())];
        let learnt = parameters.learnt.iter().map(|p| (p.name.clone(), p.value.clone()));
        for (name, variable) in inputs.into_iter().chain(learnt) {
            let Some(gradient) = gradients.get(&variable) else {
                assert_eq!(name, "rows", "numbers of words have no slope");
                continue;
            };
            let gradient = gradient.flatten_all().unwrap();
            let gradient: Vec<f64> = gradient.to_vec1().unwrap();
            let start = variable.as_tensor().copy().unwrap();
            // A few of each, evenly spread.
            for index in (0..gradient.len()).step_by(gradient.len().div_ceil(6)) {
                let moved = |by: f64| {
                    let mut values = start.flatten_all().unwrap().to_vec1::<f64>().unwrap();
                    values[index] += by;
                    let values = Tensor::from_vec(values, start.shape(), &Device::Cpu).unwrap();
                    variable.set(&values).unwrap();
                    loss(&*network, &rows).to_scalar::<f64>().unwrap()
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                variable.set(&start).unwrap();
                let (found, scale) = (gradient[index], expected.abs().max(1.0));
                assert!(
                    (found - expected).abs() < 1e-5 * scale,
                    "{architecture:?} {name} {index}: {found} {expected}"
                );
            }
        }
    }
}

#[test]
fn layers_fit_the_data() {
    let image = |rows, columns| Architecture::image(Image { rows, columns, channels: 3 }, 16);
    for (architecture, layers) in [(image(28, 28), 3), (image(8, 8), 1), (image(3, 3), 1)] {
        let Architecture::Convolution { channels, .. } = &architecture else { panic!("images") };
        assert_eq!(channels.len(), layers, "{architecture:?}");
        let mut rng = Seed(3).rng(Stream::Weights { model: 0 });
        let network = architecture.build(&mut Parameters::drawn(&mut rng), "encoder").unwrap();
        let rows = Tensor::zeros((1, 5, architecture.input()), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(network.forward(&rows).unwrap().dims(), [1, 5, 16]);
    }
}

#[test]
fn what_is_behind_a_text_and_beside_it_does_not_count() {
    let transformer = |length| {
        let mut rng = Seed(4).rng(Stream::Weights { model: 0 });
        let architecture = Architecture::Transformer { vocabulary: 9, length, output: 8 };
        architecture.build(&mut Parameters::drawn(&mut rng), "encoder").unwrap()
    };
    let code = |words: &[f32], text: usize| {
        let network = transformer(5);
        let rows = Tensor::from_slice(words, (1, words.len() / 5, 5), &Device::Cpu).unwrap();
        network.forward(&rows).unwrap().get(0).unwrap().get(text).unwrap().to_vec1::<f32>().unwrap()
    };
    let alone = code(&[1., 3., 2., 0., 0.], 0);
    let beside = code(&[4., 4., 4., 4., 4., 1., 3., 2., 0., 0.], 1);
    assert!(alone.iter().zip(&beside).all(|(a, b)| (a - b).abs() < 1e-5), "{alone:?} {beside:?}");
    let turned = code(&[3., 1., 2., 0., 0.], 0);
    assert!(alone.iter().zip(&turned).any(|(a, b)| (a - b).abs() > 1e-3), "order counts");
    assert_eq!(code(&[0.; 5], 0), [0.; 8]);
}
