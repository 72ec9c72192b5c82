//! The operations of `ops.rs` on the CPU, each in one pass forward and one back: composed of candle's, a step would go over
//! its values many times. The arithmetic is that of the engine `fast`, on the threads of the current pool.

use std::sync::{Mutex, PoisonError};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor,
    bail,
};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::engine::fast::combinator::{curves, parameter_rows, slopes};
use crate::engine::fast::layers;
use crate::engine::noise::{Noise, Place};
use crate::members::weights::N_COMBINATOR;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::{Write, by_columns, columns, multiply, row, row_mut, set_lengths};

/// The values of a tensor on the CPU, in order.
pub(super) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    with(tensor, |values| Ok(values.to_vec()))
}

/// Does something with the values of a tensor on the CPU, in order.
pub(super) fn with<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> Result<R>) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => work(slice(storage, layout)?),
        _ => bail!("expected a tensor on the CPU"),
    }
}

/// A tensor on the CPU.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}

/// The values of a contiguous tensor of f32.
pub(super) fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("expected a contiguous tensor of f32"),
    }
}

/// As [`slice`], to be changed.
pub(super) fn slice_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("expected a contiguous tensor of f32"),
    }
}

/// The matrix of one model.
fn of_model(values: &[f32], model: usize, (rows, width): (usize, usize)) -> ArrayView2<'_, f32> {
    let values = &values[model * rows * width..(model + 1) * rows * width];
    ArrayView2::from_shape((rows, width), values).expect("its size")
}

fn of_model_mut(
    values: &mut [f32],
    model: usize,
    (rows, width): (usize, usize),
) -> ArrayViewMut2<'_, f32> {
    let values = &mut values[model * rows * width..(model + 1) * rows * width];
    ArrayViewMut2::from_shape((rows, width), values).expect("its size")
}

fn threads() -> usize {
    rayon::current_num_threads()
}

/// Model by model `a` `b`, either of them turned if it is said so; shapes of both are (models, rows, columns).
pub(super) fn product(
    (a, of_a, a_turned): (&[f32], (usize, usize), bool),
    (b, of_b, b_turned): (&[f32], (usize, usize), bool),
    models: usize,
) -> Vec<f32> {
    let shape = (if a_turned { of_a.1 } else { of_a.0 }, if b_turned { of_b.0 } else { of_b.1 });
    let mut out = vec![0.0; models * shape.0 * shape.1];
    for model in 0..models {
        let (a, b) = (of_model(a, model, of_a), of_model(b, model, of_b));
        let a = if a_turned { a.reversed_axes() } else { a };
        let b = if b_turned { b.reversed_axes() } else { b };
        multiply(a, b, of_model_mut(&mut out, model, shape), Write::Replace, threads());
    }
    out
}

/// What an operation computed before it took its place among candle's.
#[derive(Debug)]
struct Computed(Mutex<Option<Vec<f32>>>);

impl Computed {
    fn new(values: Vec<f32>) -> Self {
        Self(Mutex::new(Some(values)))
    }

    fn take(&self, shape: &Shape) -> Result<(CpuStorage, Shape)> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(values) => Ok((CpuStorage::F32(values), shape.clone())),
            None => bail!("computed once"),
        }
    }
}

/// As [`super::ops::normalise`]: normalised values, and their mean and 1 / standard deviation, shape (models, 2, width).
pub(super) fn normalise(values: &Tensor) -> Result<(Tensor, Tensor)> {
    let (models, rows, width) = values.dims3()?;
    let mut normalised = to_vec(values)?;
    let mut statistics = vec![0.0; models * 2 * width];
    for model in 0..models {
        let matrices = [
            of_model_mut(&mut normalised, model, (rows, width)),
            of_model_mut(&mut statistics, model, (2, width)),
        ];
        by_columns(threads(), matrices, |_, [mut y, mut statistics]| {
            vectorised(
                #[inline(always)]
                || layers::normalise(&mut y, &mut statistics),
            );
        });
    }
    let statistics = tensor(statistics, (models, 2, width))?;
    let op = Normalise { computed: Computed::new(normalised), statistics: statistics.clone() };
    Ok((values.apply_op1(op)?, statistics))
}

struct Normalise {
    computed: Computed,
    statistics: Tensor,
}

impl CustomOp1 for Normalise {
    fn name(&self) -> &'static str {
        "host-normalise"
    }

    fn cpu_fwd(&self, _: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.computed.take(layout.shape())
    }

    fn bwd(&self, values: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (models, rows, width) = values.dims3()?;
        let mut gradient = to_vec(gradient)?;
        with(result, |y| {
            with(&self.statistics, |statistics| {
                for model in 0..models {
                    let y = of_model(y, model, (rows, width));
                    let statistics = of_model(statistics, model, (2, width));
                    let gradient = of_model_mut(&mut gradient, model, (rows, width));
                    by_columns(threads(), [gradient], |range, [mut g]| {
                        let (y, inverse_std) = (columns(&y, &range), &row(&statistics, 1)[range]);
                        vectorised(
                            #[inline(always)]
                            || layers::normalise_backward(&mut g, &y, inverse_std),
                        );
                    });
                }
                Ok(())
            })
        })?;
        tensor(gradient, values.shape()).map(Some)
    }
}

/// As [`super::ops::shift_relu`].
pub(super) fn shift_relu(values: &Tensor, shift: &Tensor) -> Result<Tensor> {
    values.contiguous()?.apply_op2(shift, ShiftRelu)
}

struct ShiftRelu;

impl CustomOp2 for ShiftRelu {
    fn name(&self) -> &'static str {
        "host-shift-relu"
    }

    fn cpu_fwd(
        &self,
        values: &CpuStorage,
        layout: &Layout,
        shift: &CpuStorage,
        of_shift: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (models, rows, width) = layout.shape().dims3()?;
        let (values, shift) = (slice(values, layout)?, slice(shift, of_shift)?);
        let mut out = vec![0.0; values.len()];
        for model in 0..models {
            let values = of_model(values, model, (rows, width));
            let shift = &shift[model * width..(model + 1) * width];
            by_columns(
                threads(),
                [of_model_mut(&mut out, model, (rows, width))],
                |range, [mut out]| {
                    let (values, shift) = (columns(&values, &range), &shift[range]);
                    vectorised(
                        #[inline(always)]
                        || {
                            for index in 0..out.nrows() {
                                let units = row(&values, index).iter().zip(shift);
                                for (out, (value, shift)) in
                                    row_mut(&mut out, index).iter_mut().zip(units)
                                {
                                    let shifted = value + shift;
                                    // Not `max`, which would hide NaN.
                                    *out = if shifted < 0.0 { 0.0 } else { shifted };
                                }
                            }
                        },
                    );
                },
            );
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        values: &Tensor,
        shift: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (models, rows, width) = values.dims3()?;
        let mut of_values = to_vec(gradient)?;
        let mut of_shift = vec![0.0; models * width];
        with(result, |result| {
            for model in 0..models {
                let result = of_model(result, model, (rows, width));
                let matrices = [
                    of_model_mut(&mut of_values, model, (rows, width)),
                    of_model_mut(&mut of_shift, model, (1, width)),
                ];
                by_columns(threads(), matrices, |range, [mut g, mut of_shift]| {
                    let result = columns(&result, &range);
                    vectorised(
                        #[inline(always)]
                        || {
                            let of_shift = row_mut(&mut of_shift, 0);
                            for index in 0..g.nrows() {
                                let g = row_mut(&mut g, index);
                                for (g, result) in g.iter_mut().zip(row(&result, index)) {
                                    *g = if *result > 0.0 { *g } else { 0.0 };
                                }
                                of_shift.iter_mut().zip(&*g).for_each(|(sum, g)| *sum += g);
                            }
                        },
                    );
                });
            }
            Ok(())
        })?;
        let of_shift = match shift.track_op() {
            true => Some(tensor(of_shift, shift.shape())?),
            false => None,
        };
        Ok((Some(tensor(of_values, values.shape())?), of_shift))
    }
}

/// As [`super::ops::combine`].
pub(super) fn combine(lateral: &Tensor, vertical: &Tensor, parameters: &Tensor) -> Result<Tensor> {
    lateral.contiguous()?.apply_op3(&vertical.contiguous()?, parameters, Combine)
}

struct Combine;

impl CustomOp3 for Combine {
    fn name(&self) -> &'static str {
        "host-combine"
    }

    fn cpu_fwd(
        &self,
        lateral: &CpuStorage,
        layout: &Layout,
        vertical: &CpuStorage,
        of_vertical: &Layout,
        parameters: &CpuStorage,
        of_parameters: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (models, rows, width) = layout.shape().dims3()?;
        let (lateral, vertical) = (slice(lateral, layout)?, slice(vertical, of_vertical)?);
        let parameters = slice(parameters, of_parameters)?;
        let mut out = vec![0.0; lateral.len()];
        for model in 0..models {
            let [z, u] = [lateral, vertical].map(|values| of_model(values, model, (rows, width)));
            let parameters = of_model(parameters, model, (N_COMBINATOR, width));
            by_columns(
                threads(),
                [of_model_mut(&mut out, model, (rows, width))],
                |range, [mut out]| {
                    let (z, u) = (columns(&z, &range), columns(&u, &range));
                    vectorised(
                        #[inline(always)]
                        || {
                            let a = parameter_rows(&parameters, &range);
                            let width = out.ncols();
                            for index in 0..out.nrows() {
                                let (z, u) = (&row(&z, index)[..width], &row(&u, index)[..width]);
                                let out = &mut row_mut(&mut out, index)[..width];
                                for unit in 0..width {
                                    let (mu, v) = curves(&a, unit, u[unit]);
                                    out[unit] = (z[unit] - mu) * v + mu;
                                }
                            }
                        },
                    );
                },
            );
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(
        &self,
        lateral: &Tensor,
        vertical: &Tensor,
        parameters: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (models, rows, width) = lateral.dims3()?;
        // The gradient by the vertical signal takes the place of that by the result.
        let mut of_vertical = to_vec(gradient)?;
        let mut of_lateral = vec![0.0; of_vertical.len()];
        let mut of_parameters = vec![0.0; models * N_COMBINATOR * width];
        with(lateral, |lateral| {
            with(vertical, |vertical| {
                with(parameters, |parameters| {
                    for model in 0..models {
                        let shape = (rows, width);
                        combine_backward(
                            [lateral, vertical].map(|values| of_model(values, model, shape)),
                            of_model(parameters, model, (N_COMBINATOR, width)),
                            [
                                of_model_mut(&mut of_lateral, model, shape),
                                of_model_mut(&mut of_vertical, model, shape),
                                of_model_mut(&mut of_parameters, model, (N_COMBINATOR, width)),
                            ],
                        );
                    }
                    Ok(())
                })
            })
        })?;
        Ok((
            Some(tensor(of_lateral, lateral.shape())?),
            Some(tensor(of_vertical, vertical.shape())?),
            Some(tensor(of_parameters, parameters.shape())?),
        ))
    }
}

/// `out`: gradients by lateral and vertical signal and by parameters; the second is the result's on the way in.
fn combine_backward(
    [z, u]: [ArrayView2<'_, f32>; 2],
    parameters: ArrayView2<'_, f32>,
    out: [ArrayViewMut2<'_, f32>; 3],
) {
    by_columns(threads(), out, |range, [mut of_z, mut g, mut of_parameters]| {
        let (z, u) = (columns(&z, &range), columns(&u, &range));
        vectorised(
            #[inline(always)]
            || {
                let (a, width) = (parameter_rows(&parameters, &range), g.ncols());
                let mut sums = [[0.0_f32; crate::numerics::matrix::COLUMNS]; N_COMBINATOR];
                for index in 0..g.nrows() {
                    let (z, u) = (&row(&z, index)[..width], &row(&u, index)[..width]);
                    let of_z = &mut row_mut(&mut of_z, index)[..width];
                    let g = &mut row_mut(&mut g, index)[..width];
                    for unit in 0..width {
                        let slopes = slopes(&a, unit, z[unit], u[unit], g[unit]);
                        of_z[unit] = slopes.of_lateral;
                        g[unit] = slopes.of_vertical;
                        for (sums, slope) in sums.iter_mut().zip(slopes.of_parameters) {
                            sums[unit] += slope;
                        }
                    }
                }
                for (index, sums) in sums.iter().enumerate() {
                    row_mut(&mut of_parameters, index).copy_from_slice(&sums[..width]);
                }
            },
        );
    });
}

/// As [`super::ops::denoising_cost`]; `statistics`, if there are any: (models, 2, width).
pub(super) fn denoising_cost(
    clean: &Tensor,
    guess: &Tensor,
    statistics: Option<&Tensor>,
) -> Result<Tensor> {
    let (models, _, width) = clean.dims3()?;
    let statistics = match statistics {
        Some(statistics) => to_vec(statistics)?,
        None => [vec![0.0; width], vec![1.0; width]].concat().repeat(models),
    };
    clean.contiguous()?.apply_op2(&guess.contiguous()?, Denoising { statistics })
}

struct Denoising {
    /// Mean and 1 / standard deviation, (models, 2, width).
    statistics: Vec<f32>,
}

impl Denoising {
    /// Calls `work` with a model's every row of the clean values and the guess, and with the statistics.
    #[inline(always)]
    fn rows(
        &self,
        (models, rows, width): (usize, usize, usize),
        clean: &[f32],
        guess: &[f32],
        mut work: impl FnMut(usize, &[f32], &[f32], (&[f32], &[f32])),
    ) {
        let statistics = self.statistics.chunks_exact(2 * width);
        for (model, statistics) in (0..models).zip(statistics) {
            for index in model * rows..(model + 1) * rows {
                let place = index * width..(index + 1) * width;
                work(index, &clean[place.clone()], &guess[place], statistics.split_at(width));
            }
        }
    }
}

impl CustomOp2 for Denoising {
    fn name(&self) -> &'static str {
        "host-denoising"
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean")]
    fn cpu_fwd(
        &self,
        clean: &CpuStorage,
        layout: &Layout,
        guess: &CpuStorage,
        of_guess: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let dims = layout.shape().dims3()?;
        let (models, rows, width) = dims;
        let mut costs = vec![0.0_f64; models];
        let mut sums = vec![0.0_f32; width];
        let (clean, guess) = (slice(clean, layout)?, slice(guess, of_guess)?);
        vectorised(
            #[inline(always)]
            || {
                self.rows(dims, clean, guess, |index, clean, guess, (mean, inverse_std)| {
                    let units = clean.iter().zip(guess).zip(mean.iter().zip(inverse_std));
                    for (sum, ((clean, guess), (mean, inverse_std))) in sums.iter_mut().zip(units) {
                        let error = clean - (guess - mean) * inverse_std;
                        *sum += error * error;
                    }
                    if (index + 1) % rows == 0 {
                        costs[index / rows] = sums.iter().map(|&sum| f64::from(sum)).sum();
                        sums.fill(0.0);
                    }
                });
            },
        );
        let cells = (rows * width) as f64;
        let costs = costs.into_iter().map(|cost| (cost / cells) as f32).collect();
        Ok((CpuStorage::F32(costs), models.into()))
    }

    #[expect(clippy::cast_precision_loss, reason = "a mean")]
    fn bwd(
        &self,
        clean: &Tensor,
        guess: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dims = clean.dims3()?;
        let (_, rows, width) = dims;
        let scale = to_vec(gradient)?;
        let [mut of_clean, mut of_guess] = [(); 2].map(|()| vec![0.0; clean.elem_count()]);
        with(clean, |clean| {
            with(guess, |guess| {
                let out = of_clean.chunks_exact_mut(width).zip(of_guess.chunks_exact_mut(width));
                let mut out = out;
                vectorised(
                    #[inline(always)]
                    || {
                        self.rows(
                            dims,
                            clean,
                            guess,
                            |index, clean, guess, (mean, inverse_std)| {
                                let Some((of_clean, of_guess)) = out.next() else { return };
                                let scale = 2.0 * scale[index / rows] / (rows * width) as f32;
                                for unit in 0..width {
                                    let guessed = (guess[unit] - mean[unit]) * inverse_std[unit];
                                    let slope = scale * (clean[unit] - guessed);
                                    of_clean[unit] = slope;
                                    of_guess[unit] = -slope * inverse_std[unit];
                                }
                            },
                        );
                    },
                );
                Ok(())
            })
        })?;
        Ok((Some(tensor(of_clean, clean.shape())?), Some(tensor(of_guess, guess.shape())?)))
    }
}

/// `values`, shape (models, n, width), and `std` times normal numbers, of each model from its own stream.
pub(super) fn add_noise(
    values: &Tensor,
    streams: &[Noise],
    std: f32,
    place: Place,
) -> Result<Tensor> {
    let (_, rows, width) = values.dims3()?;
    let mut noisy = to_vec(values)?;
    for (stream, values) in streams.iter().zip(noisy.chunks_exact_mut(rows * width)) {
        add_rows(*stream, std, place, values, width);
    }
    values.apply_op1(AddNoise(Computed::new(noisy)))
}

fn add_rows(stream: Noise, std: f32, place: Place, values: &mut [f32], width: usize) {
    use rayon::prelude::*;
    let add = |(index, values): (usize, &mut [f32])| {
        vectorised(
            #[inline(always)]
            || stream.add(place, index, std, values),
        );
    };
    if threads() > 1 {
        values.par_chunks_exact_mut(width).enumerate().for_each(add);
    } else {
        values.chunks_exact_mut(width).enumerate().for_each(add);
    }
}

struct AddNoise(Computed);

impl CustomOp1 for AddNoise {
    fn name(&self) -> &'static str {
        "host-add-noise"
    }

    fn cpu_fwd(&self, _: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0.take(layout.shape())
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.clone()))
    }
}

/// As [`super::perturbation::unit`].
pub(super) fn unit(rows: &Tensor) -> Result<Tensor> {
    let width = rows.dims()[rows.dims().len() - 1];
    let mut values = to_vec(rows)?;
    let n = values.len() / width;
    let mut matrix = ArrayViewMut2::from_shape((n, width), &mut values).expect("its size");
    set_lengths(&mut matrix, |_| 1.0);
    tensor(values, rows.shape())
}
