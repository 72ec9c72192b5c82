//! Gradients against finite differences of a plain f64 rendering; what is learnt, saved and compared.

use consilience_data::{Features, GivenLabels, Seed, Stream};
use ndarray::{Array1, Array2};

use super::few_shot::{FewShots, few_shot_accuracy};
use super::initialisation::Initialisation;
use super::layers::{Layer, Net};
use super::learn::learn_initialisation;
use super::params::{MetaMethod, MetaParams};
use super::sketch::Sketch;
use super::tasks::MetaTask;
use crate::error::EnsembleError;
use crate::preparation::transform::Scaling;

/// A net of 4 features, hidden layers of 5 and 3, and 3 classes, and a batch of 7 of which 5 have a target.
fn net() -> (Net, Array2<f32>, Vec<Option<usize>>) {
    let mut rng = Seed(2).rng(Stream::Subset);
    let mut layer = |input, output| Layer {
        weight: Array2::from_shape_vec((input, output), rng.normal(input * output)).unwrap(),
        shift: Array1::from(rng.normal(output)),
    };
    let net = Net { hidden: vec![layer(4, 5), layer(5, 3)], head: layer(3, 3) };
    let rows = Array2::from_shape_vec((7, 4), Seed(3).rng(Stream::Subset).normal(28)).unwrap();
    (net, rows, vec![Some(0), None, Some(2), Some(1), Some(0), None, Some(2)])
}

/// The loss from its definition, a value at a time, in f64. `values`: all parameters, layer by layer.
fn plain_loss(
    values: &[f64],
    widths: &[usize],
    rows: &Array2<f32>,
    targets: &[Option<usize>],
) -> f64 {
    let mut values = values.iter().copied();
    let mut x: Vec<Vec<f64>> =
        rows.rows().into_iter().map(|row| row.iter().map(|&v| f64::from(v)).collect()).collect();
    for (layer, pair) in widths.windows(2).enumerate() {
        let weight: Vec<f64> = values.by_ref().take(pair[0] * pair[1]).collect();
        let shift: Vec<f64> = values.by_ref().take(pair[1]).collect();
        let mut z: Vec<Vec<f64>> = x
            .iter()
            .map(|row| {
                let unit = |out| (0..pair[0]).map(|i| row[i] * weight[i * pair[1] + out]).sum();
                (0..pair[1]).map(unit).collect()
            })
            .collect();
        let is_head = layer + 2 == widths.len();
        for unit in 0..pair[1] {
            let n = z.len() as f64;
            let mean = z.iter().map(|row| row[unit]).sum::<f64>() / n;
            let variance = z.iter().map(|row| (row[unit] - mean).powi(2)).sum::<f64>() / n;
            for row in &mut z {
                row[unit] = if is_head {
                    row[unit] + shift[unit]
                } else {
                    ((row[unit] - mean) / (variance + 1e-5).sqrt() + shift[unit]).max(0.0)
                };
            }
        }
        x = z;
    }
    let losses = x.iter().zip(targets).filter_map(|(row, target)| {
        Some(row.iter().map(|value| value.exp()).sum::<f64>().ln() - row[(*target)?])
    });
    let losses: Vec<f64> = losses.collect();
    losses.iter().sum::<f64>() / losses.len() as f64
}

fn flat(net: &Net) -> Vec<f64> {
    let layers = net.hidden.iter().chain([&net.head]);
    layers.flat_map(|layer| layer.weight.iter().chain(&layer.shift)).map(|&v| v.into()).collect()
}

#[test]
fn the_gradient_is_that_of_finite_differences() {
    let (net, rows, targets) = net();
    let widths = [4, 5, 3, 3];
    let (loss, gradient) = net.loss(rows.view(), &targets);
    let (values, found) = (flat(&net), flat(&gradient));
    assert!((loss - plain_loss(&values, &widths, &rows, &targets)).abs() < 1e-5);
    let step = 1e-5;
    for at in 0..values.len() {
        let moved = |by: f64| {
            let mut values = values.clone();
            values[at] += by;
            plain_loss(&values, &widths, &rows, &targets)
        };
        let expected = (moved(step) - moved(-step)) / (2.0 * step);
        assert!((found[at] - expected).abs() < 2e-5, "{at}: {} and {expected}", found[at]);
    }
}

#[test]
fn the_loss_is_finite_for_large_logits() {
    let (mut net, rows, targets) = net();
    net.head.shift = Array1::from(vec![200.0, -200.0, 0.0]);
    let (loss, gradient) = net.loss(rows.view(), &targets);
    assert!(loss.is_finite() && flat(&gradient).iter().all(|value| value.is_finite()), "{loss}");
}

/// Six classes, each a direction of a subspace of `rank` dimensions that all tasks share, under strong noise in the other features.
fn task(name: &str, seed: u64, of_class: usize) -> MetaTask {
    let (width, rank, n) = (40, 4, 6 * of_class);
    let centres = Seed(seed).rng(Stream::Centroids { model: 0 }).normal(6 * rank);
    let noise = Seed(seed).rng(Stream::Subset).normal(n * width);
    let values = Array2::from_shape_fn((n, width), |(row, column)| {
        let centre = if column < rank { 2.0 * centres[row % 6 * rank + column] } else { 0.0 };
        centre + noise[row * width + column] * if column < rank { 0.5 } else { 1.0 }
    });
    let classes = (0..n).map(|row| Some(row % 6)).collect();
    let names = (0..6).map(|class| class.to_string()).collect();
    let given = GivenLabels::new(name, classes, names).unwrap();
    MetaTask::new(name, &Features::new(values, name).unwrap(), &given, Scaling::None, &()).unwrap()
}

fn params(method: MetaMethod) -> MetaParams {
    MetaParams { method, hidden: vec![30], iterations: 150, shots: 1, ..MetaParams::default() }
}

#[test]
fn what_tasks_have_in_common_is_learnt_by_both_methods() {
    let tasks: Vec<MetaTask> = (0..4).map(|seed| task("t", 10 + seed, 40)).collect();
    let new = [task("new", 99, 40)];
    let few = FewShots {
        ways: 3,
        shots: 1,
        queries: 15,
        steps: 5,
        rate: MetaParams::default().inner_rate,
        episodes: 60,
        seed: Seed(8),
    };
    let accuracy = |start: &Initialisation, threads| {
        let found = few_shot_accuracy(start, &new, &few, threads, &()).unwrap();
        found.iter().sum::<f64>() / found.len() as f64
    };
    for method in [MetaMethod::Fomaml, MetaMethod::Reptile] {
        let params = params(method).check().unwrap();
        let random = accuracy(&Initialisation::random(40, Scaling::None, &params), 1);
        let learnt = learn_initialisation(&tasks, &params, 1, &()).unwrap();
        let found = accuracy(&learnt, 1);
        assert!(found > random + 0.05, "{method}: {found} after {random}");
        // The same for any number of threads.
        assert_eq!(learn_initialisation(&tasks, &params, 2, &()).unwrap(), learnt);
        assert!((accuracy(&learnt, 2) - found).abs() < 1e-12);
    }
}

#[test]
fn tasks_that_do_not_fit_are_refused() {
    let params = params(MetaMethod::Fomaml).check().unwrap();
    let learn =
        |tasks: &[MetaTask]| learn_initialisation(tasks, &params, 1, &()).unwrap_err().to_string();
    let error = learn(&[task("small", 1, 1)]);
    assert!(error.contains("small: class '0' has 1 labelled sample; 1 to learn from"), "{error}");
    let narrow = Features::new(Array2::zeros((4, 3)), "narrow").unwrap();
    let names = || vec!["a".to_owned(), "b".to_owned()];
    let given = |classes| GivenLabels::new("narrow", classes, names()).unwrap();
    let four = given(vec![Some(0), Some(1), Some(0), Some(1)]);
    let narrow_task = MetaTask::new("narrow", &narrow, &four, Scaling::None, &()).unwrap();
    let error = learn(&[task("t", 1, 4), narrow_task]);
    assert!(error.contains("narrow: 3 features, where t has 40"), "{error}");
    let one = GivenLabels::new("narrow", vec![Some(0); 4], vec!["a".into()]).unwrap();
    let error = MetaTask::new("narrow", &narrow, &one, Scaling::None, &()).unwrap_err();
    assert!(error.to_string().contains("narrow: labels of one class"), "{error}");
}

#[test]
fn an_initialisation_is_read_back_and_damage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meta.safetensors");
    let params = MetaParams { iterations: 2, ..params(MetaMethod::Fomaml) }.check().unwrap();
    let learnt = learn_initialisation(&[task("t", 1, 20)], &params, 1, &()).unwrap();
    learnt.save(&path).unwrap();
    assert_eq!(Initialisation::load(&path).unwrap(), learnt);
    let bytes = std::fs::read(&path).unwrap();
    learnt.save(&path).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "the same bytes again");
    let format = b"\\\"format\\\":1";
    let at = bytes.windows(format.len()).position(|part| part == format).unwrap();
    let with = |at: usize, byte: u8| {
        let mut changed = bytes.clone();
        changed[at] = byte;
        changed
    };
    for (changed, told) in [
        (bytes[..bytes.len() - 4].to_vec(), "can't be read as a model"),
        (bytes[..5].to_vec(), "can't be read as a model"),
        (Vec::new(), "can't be read as a model"),
        (with(at + format.len() - 1, b'7'), "of format 7"),
        (with(bytes.len() - 1, bytes[bytes.len() - 1] ^ 1), "its layers aren't those"),
    ] {
        std::fs::write(&path, changed).unwrap();
        let error = Initialisation::load(&path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Initialisation::load(&path), Err(EnsembleError::Load { .. })));
}

/// The unbiased estimate from its definition: all pairs, with the kernel in place of random features.
fn plain_distance(a: &Array2<f32>, b: &Array2<f32>) -> f64 {
    let kernel = |x: ndarray::ArrayView1<'_, f32>, y: ndarray::ArrayView1<'_, f32>| {
        let square: f64 = x.iter().zip(&y).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        let width = x.len() as f64;
        let of = |share: f64| (-square / (2.0 * share * width)).exp() / 4.0;
        of(1.0) + of(0.25) + of(0.0625) + of(0.015_625)
    };
    let within = |x: &Array2<f32>| {
        let n = x.nrows();
        let mut sum = 0.0;
        for i in 0..n {
            for j in (0..n).filter(|&j| j != i) {
                sum += kernel(x.row(i), x.row(j));
            }
        }
        sum / (n * (n - 1)) as f64
    };
    let mut between = 0.0;
    for x in a.rows() {
        for y in b.rows() {
            between += kernel(x, y);
        }
    }
    between /= (a.nrows() * b.nrows()) as f64;
    (within(a) + within(b) - 2.0 * between).max(0.0).sqrt()
}

#[test]
fn sketches_are_as_far_apart_as_their_distributions() {
    let blob = |seed: u64, n: usize, shift: f32| {
        let values = Seed(seed).rng(Stream::Subset).normal(n * 6);
        Array2::from_shape_vec((n, 6), values).unwrap() + shift
    };
    let sketch = |values: &Array2<f32>| {
        Sketch::of(&Features::new(values.clone(), "x").unwrap(), Scaling::None, &()).unwrap()
    };
    let (here, again, there) = (blob(1, 300, 0.0), blob(2, 200, 0.0), blob(3, 300, 0.7));
    let (a, b, c) = (sketch(&here), sketch(&again), sketch(&there));
    let distance = |a: &Sketch, b: &Sketch| a.distance(b).unwrap();
    let far = distance(&a, &c);
    assert!((far - plain_distance(&here, &there)).abs() < 0.05, "{far}");
    assert!(distance(&a, &b) < 0.1 && far > 3.0 * distance(&a, &b), "{far}");
    assert!((far - distance(&c, &a)).abs() < 1e-12 && distance(&a, &a) < 1e-3);
    assert!(far <= distance(&a, &b) + distance(&b, &c) + 0.05);
    let text = serde_json::to_string(&a).unwrap();
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    assert_eq!(serde_json::from_str::<Sketch>(&text).unwrap(), a);
    let narrow = Features::new(Array2::zeros((5, 2)), "x").unwrap();
    assert_eq!(a.distance(&Sketch::of(&narrow, Scaling::None, &()).unwrap()), None);
    assert_eq!(a.distance(&Sketch::of(&narrow, Scaling::Range, &()).unwrap()), None);
}
