//! Projection onto the principal directions.

use consilience_data::Rng;
use linfa_linalg::eigh::EighInto;
use linfa_linalg::qr::QRInto;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, s};

use crate::error::EnsembleError;
use crate::numerics::matrix::{Write, multiply_watched};
use crate::progress::{Progress, go_on};

/// Directions sought beside those asked for, and times that the data is gone through: both sharpen the last directions
/// (Halko, Martinsson and Tropp, *Finding Structure with Randomness*, SIAM Review 53, 2011, section 4).
const OVERSAMPLING: usize = 20;
const PASSES: usize = 7;
/// Rows that are decomposed at a time: with a hundred columns they fit into a core's cache.
const PART: usize = 1024;

/// The `components` orthonormal directions of largest mean square, in falling order, shape (n_features, components); all
/// directions if there are fewer features; zeros behind as many as there are samples. Samples aren't centred here.
///
/// By randomised subspace iteration, O(n d components) for each of eight passes; of fewer samples than directions sought, by their products with each other, O(n² d).
/// `threads` change no bit.
#[must_use]
pub fn principal_directions(
    samples: &ArrayView2<'_, f32>,
    components: usize,
    rng: &mut Rng,
    threads: usize,
) -> Array2<f32> {
    principal_directions_watched(samples, components, rng, threads, &())
        .expect("nobody is there to give it up")
}

/// As [`principal_directions`], given up if `progress` says so.
///
/// # Errors
///
/// [`EnsembleError::Cancelled`].
pub(crate) fn principal_directions_watched(
    samples: &ArrayView2<'_, f32>,
    components: usize,
    rng: &mut Rng,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    if samples.nrows() < (components + OVERSAMPLING).min(samples.ncols()) {
        return directions_of_few(samples, components, progress);
    }
    let projected = Array2::zeros((0, 0));
    directions(&mut Dense { samples: *samples, projected, threads }, components, rng, progress)
}

/// Where there are fewer samples than directions sought: these lie in the directions of the samples, which their products with each other tell. O(n² d).
fn directions_of_few(
    samples: &ArrayView2<'_, f32>,
    components: usize,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    /// A direction that has less than this share of the largest mean square has rounding in it, and nothing else.
    const NOTHING: f64 = 1e-12;
    /// Features that are taken at a time, in 64 bits.
    const FEATURES: usize = 4096;
    let (n, width) = samples.dim();
    let mut products: Array2<f64> = Array2::zeros((n, n));
    for some in samples.axis_chunks_iter(Axis(1), FEATURES) {
        go_on(progress)?;
        let some = some.mapv(f64::from);
        products += &some.dot(&some.t());
    }
    let (_, of_samples) =
        products.clone().eigh_into().expect("a symmetric matrix of finite numbers");
    // Asked of the products: where two are nearly alike, linfa-linalg may swap their values alone.
    let square = |of: ArrayView1<'_, f64>| of.dot(&products.dot(&of));
    let squares: Vec<f64> = of_samples.columns().into_iter().map(square).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]));
    let least = order.first().map_or(0.0, |&first| NOTHING * squares[first].max(0.0));
    order.retain(|&at| squares[at] > least);
    let mut found = Array2::zeros((width, components.min(width)));
    order.truncate(found.ncols());
    let mut weights = of_samples.select(Axis(1), &order);
    for (mut weights, &at) in weights.columns_mut().into_iter().zip(&order) {
        weights /= squares[at].sqrt();
    }
    let mut chunks = found.axis_chunks_iter_mut(Axis(0), FEATURES);
    for some in samples.axis_chunks_iter(Axis(1), FEATURES) {
        go_on(progress)?;
        let of_features = some.mapv(f64::from).t().dot(&weights);
        let mut chunk = chunks.next().expect("as many");
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        chunk.slice_mut(s![.., ..order.len()]).assign(&of_features.mapv(|value| value as f32));
    }
    Ok(found)
}

/// Products with all samples.
pub(crate) trait Products {
    fn n_features(&self) -> usize;

    /// `X^T X basis` in place of a basis, shape (n_features, n); `X`: all samples.
    fn there_and_back(
        &mut self,
        basis: &mut Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError>;

    /// `basis^T X^T X basis`.
    fn gram(
        &mut self,
        basis: &Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, EnsembleError>;
}

/// Samples in memory.
struct Dense<'a> {
    samples: ArrayView2<'a, f32>,
    projected: Array2<f32>,
    threads: usize,
}

impl Dense<'_> {
    fn project(
        &mut self,
        basis: &Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let shape = (self.samples.nrows(), basis.ncols());
        if self.projected.dim() != shape {
            self.projected = Array2::zeros(shape);
        }
        let (out, threads) = (self.projected.view_mut(), self.threads);
        multiply_watched(self.samples, basis.view(), out, Write::Replace, threads, progress)
    }
}

impl Products for Dense<'_> {
    fn n_features(&self) -> usize {
        self.samples.ncols()
    }

    fn there_and_back(
        &mut self,
        basis: &mut Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        self.project(basis, progress)?;
        let (samples, projected) = (self.samples.t(), self.projected.view());
        let write = Write::Replace;
        multiply_watched(samples, projected, basis.view_mut(), write, self.threads, progress)
    }

    fn gram(
        &mut self,
        basis: &Array2<f32>,
        progress: &dyn Progress,
    ) -> Result<Array2<f64>, EnsembleError> {
        self.project(basis, progress)?;
        let mut gram = Array2::zeros((basis.ncols(), basis.ncols()));
        let projected = self.projected.view();
        let (out, write) = (gram.view_mut(), Write::Replace);
        multiply_watched(projected.t(), projected, out, write, self.threads, progress)?;
        Ok(gram.mapv(f64::from))
    }
}

/// The directions of largest mean square, by randomised subspace iteration.
pub(crate) fn directions(
    samples: &mut impl Products,
    components: usize,
    rng: &mut Rng,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    let width = samples.n_features();
    let sought = (components + OVERSAMPLING).min(width);
    let random = rng.normal(width * sought);
    let mut basis = Array2::from_shape_vec((width, sought), random).expect("a number for each");
    for _ in 0..PASSES {
        basis = orthonormal(basis);
        samples.there_and_back(&mut basis, progress)?;
    }
    basis = orthonormal(basis);
    let gram = samples.gram(&basis, progress)?;
    go_on(progress)?;
    let (squares, rotation) = gram.eigh_into().expect("a symmetric matrix of finite numbers");
    let mut order: Vec<usize> = (0..sought).collect();
    order.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]));
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    let rotation = rotation.select(ndarray::Axis(1), &order).mapv(|value| value as f32);
    let mut directions = Array2::zeros((width, sought));
    let out = directions.view_mut();
    multiply_watched(basis.view(), rotation.view(), out, Write::Replace, 1, progress)?;
    Ok(directions.slice(s![.., ..components.min(width)]).to_owned())
}

/// An orthonormal basis of what the columns span.
fn orthonormal(columns: Array2<f32>) -> Array2<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    decomposed(columns.mapv(f64::from)).0.mapv(|value| value as f32)
}

/// Q and R of a matrix with no more columns than rows.
///
/// A decomposition walks along columns, which is slow in a tall matrix. So parts of its rows are decomposed, and then all their R, below one
/// another (Demmel, Grigori, Hoemmen and Langou, *Communication-optimal Parallel and Sequential QR and LU Factorizations*, SIAM Journal on
/// Scientific Computing 34, 2012, section 3). O(rows columns^2).
fn decomposed(matrix: Array2<f64>) -> (Array2<f64>, Array2<f64>) {
    let (rows, columns) = matrix.dim();
    let part = PART.max(2 * columns);
    if rows < 2 * part {
        let decomposed = matrix.qr_into().expect("no more columns than rows");
        return (decomposed.generate_q(), decomposed.into_r());
    }
    let n_parts = rows / part;
    let end = |index| if index + 1 == n_parts { rows } else { (index + 1) * part };
    let mut bases = matrix;
    let mut triangles = Array2::zeros((n_parts * columns, columns));
    for index in 0..n_parts {
        let mut of_part = bases.slice_mut(s![index * part..end(index), ..]);
        let (q, r) = decomposed(of_part.to_owned());
        of_part.assign(&q);
        triangles.slice_mut(s![index * columns..(index + 1) * columns, ..]).assign(&r);
    }
    let (rotations, r) = decomposed(triangles);
    for index in 0..n_parts {
        let mut of_part = bases.slice_mut(s![index * part..end(index), ..]);
        let rotation = rotations.slice(s![index * columns..(index + 1) * columns, ..]);
        let rotated = of_part.dot(&rotation);
        of_part.assign(&rotated);
    }
    (bases, r)
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;

    /// Samples of 30 features whose spread falls along random orthonormal directions.
    fn samples() -> (Array2<f32>, Array2<f32>) {
        let mut rng = Seed(1).rng(Stream::Projection);
        let normal = |rng: &mut Rng, rows, columns| {
            Array2::from_shape_vec((rows, columns), rng.normal(rows * columns)).unwrap()
        };
        let directions = orthonormal(normal(&mut rng, 30, 30));
        let mut spread = normal(&mut rng, 500, 30);
        for (index, mut column) in spread.columns_mut().into_iter().enumerate() {
            column.mapv_inplace(|value| value * 0.7f32.powi(i32::try_from(index).unwrap()));
        }
        (spread.dot(&directions.t()), directions)
    }

    #[test]
    fn parts_are_decomposed_as_the_whole() {
        let mut rng = Seed(1).rng(Stream::Projection);
        let (rows, columns) = (5 * PART + 7, 6);
        let mut matrix = Array2::from_shape_vec((rows, columns), rng.normal(rows * columns))
            .unwrap()
            .mapv(f64::from);
        // Of lower rank, as data often are.
        let twice = &matrix.column(0) * 2.0;
        matrix.column_mut(4).assign(&twice);
        let (q, r) = decomposed(matrix.clone());
        assert!((q.t().dot(&q) - Array2::<f64>::eye(columns)).iter().all(|v| v.abs() < 1e-12));
        assert!((q.dot(&r) - matrix).iter().all(|v| v.abs() < 1e-10));
    }

    #[test]
    fn directions_are_those_of_the_full_decomposition() {
        let (samples, _) = samples();
        let mut rng = Seed(2).rng(Stream::Projection);
        let found = principal_directions(&samples.view(), 5, &mut rng, 2);
        assert_eq!(found.dim(), (30, 5));
        let gram = samples.t().dot(&samples).mapv(f64::from);
        let (squares, vectors) = gram.eigh_into().unwrap();
        let mut order: Vec<usize> = (0..30).collect();
        order.sort_by(|&a, &b| squares[b].total_cmp(&squares[a]));
        for (index, column) in found.columns().into_iter().enumerate() {
            let expected = vectors.column(order[index]);
            let product: f64 = column.iter().zip(expected).map(|(&a, b)| f64::from(a) * b).sum();
            assert!((product.abs() - 1.0).abs() < 1e-3, "direction {index}: {product}");
        }
    }

    /// Which would take long in wide data to find nothing.
    #[test]
    fn a_few_samples_have_as_many_directions() {
        let mut rng = Seed(3).rng(Stream::Projection);
        let samples = Array2::from_shape_vec((4, 900), rng.normal(3600)).unwrap();
        let found = principal_directions(&samples.view(), 7, &mut rng, 1);
        assert_eq!(found.dim(), (900, 7));
        let squares = samples.dot(&found).mapv(|value| f64::from(value).powi(2));
        let squares = squares.sum_axis(ndarray::Axis(0));
        let all: f64 = samples.iter().map(|&value| f64::from(value).powi(2)).sum();
        assert!((squares.sum() / all - 1.0).abs() < 1e-5, "all of it is in four directions");
        assert!(squares.windows(2).into_iter().take(3).all(|pair| pair[0] >= pair[1]));
        assert!(found.slice(s![.., 4..]).iter().all(|&value| value == 0.0));
        let four = found.slice(s![.., ..4]);
        assert!((four.t().dot(&four) - Array2::<f32>::eye(4)).iter().all(|v| v.abs() < 1e-5));
        // As subspace iteration finds them, but for their signs.
        let projected = Array2::zeros((0, 0));
        let mut dense = Dense { samples: samples.view(), projected, threads: 1 };
        let expected = directions(&mut dense, 4, &mut rng, &()).unwrap();
        let products = four.t().dot(&expected).mapv(f32::abs);
        assert!((products - Array2::<f32>::eye(4)).iter().all(|v| v.abs() < 1e-3));
        assert!(
            principal_directions(&Array2::zeros((3, 50)).view(), 7, &mut rng, 1)
                .iter()
                .all(|&it| it == 0.0)
        );
    }

    #[test]
    fn directions_of_few_samples_are_of_length_one_where_two_are_nearly_alike() {
        // Three samples in three directions, the last two of which have squares of 1e-9 and 4e-9, and next to nothing in common.
        let mut samples = Array2::zeros((3, 200));
        samples[[0, 0]] = 1.0;
        samples[[1, 5]] = 1e-9_f32.sqrt();
        samples[[2, 9]] = 4e-9_f32.sqrt();
        samples[[2, 5]] = 1e-17 / 1e-9_f32.sqrt();
        let mut rng = Seed(2).rng(Stream::Projection);
        let found = principal_directions(&samples.view(), 5, &mut rng, 1);
        for (direction, feature) in [(0, 0), (1, 9), (2, 5)] {
            let column = found.column(direction);
            assert!((column.dot(&column) - 1.0).abs() < 1e-5, "{direction}");
            assert!((column[feature].abs() - 1.0).abs() < 1e-3, "{direction}: {}", column[feature]);
        }
        assert!(found.slice(s![.., 3..]).iter().all(|&value| value == 0.0));
    }

    #[test]
    fn threads_change_no_bit_and_few_features_keep_all() {
        let (samples, _) = samples();
        let of = |threads| {
            let mut rng = Seed(2).rng(Stream::Projection);
            principal_directions(&samples.view(), 40, &mut rng, threads)
        };
        assert_eq!(of(1), of(2));
        assert_eq!(of(1).dim(), (30, 30));
    }
}
