//! Images moved affinely: turned, sheared, scaled and shifted a little, which leaves what they show the same.

use candle_core::{DType, Result as TensorResult, Tensor};
use consilience_data::Rng;

use crate::numerics::elementary::vectorised;
use crate::preparation::image::Image;

/// How far images are moved at most, either way. Each move is drawn evenly from that.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Strengths {
    /// Down and sideways, as a share of the shorter side.
    pub(crate) shift: f64,
    /// Degrees.
    pub(crate) rotation: f64,
    /// Degrees by which what is upright leans.
    pub(crate) shear: f64,
    /// As a share: 0.1 is from 10 % smaller to 10 % larger.
    pub(crate) scale: f64,
}

/// One image's move: where the pixels of the moved image come from.
///
/// Row r and column c of the moved image are row `rows[0] r + rows[1] c + rows[2]` and column `columns[0] r + columns[1] c + columns[2]` of the
/// image, by bilinear interpolation. What lies beyond the edge is as the edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Move {
    rows: [f32; 3],
    columns: [f32; 3],
}

/// Numbers that one move takes.
const DRAWS: usize = 6;

/// Pixels whose places are found together.
const CHUNK: usize = 32;

impl Move {
    /// `count` moves, each by a draw of its own.
    pub(crate) fn drawn(
        image: Image,
        strengths: Strengths,
        count: usize,
        rng: &mut Rng,
    ) -> Vec<Self> {
        (0..count)
            .map(|_| {
                let draws: [f64; DRAWS] =
                    std::array::from_fn(|_| between_minus_1_and_1(rng.bits()));
                Self::new(image, strengths, draws)
            })
            .collect()
    }

    /// The move that is each of `draws`, from -1 to 1, of its strength: down, sideways, rotation, shear, scale of rows, of columns.
    #[expect(clippy::cast_precision_loss, reason = "a side")]
    fn new(image: Image, strengths: Strengths, draws: [f64; DRAWS]) -> Self {
        let [down, right, rotation, shear, taller, wider] = draws;
        let side = image.shorter_side() as f64;
        let shifts = [down, right].map(|draw| draw * strengths.shift * side);
        let (sin, cos) = (rotation * strengths.rotation).to_radians().sin_cos();
        let lean = (shear * strengths.shear).to_radians().tan();
        let [tall, wide] = [taller, wider].map(|draw| 1.0 / (1.0 + draw * strengths.scale));
        // From the moved image back: turned, then sheared, then scaled.
        let of_rows = [cos * tall, -sin * tall];
        let of_columns = [(sin + lean * cos) * wide, (cos - lean * sin) * wide];
        // About the middle, which then moves by the shift.
        let middles = [image.rows, image.columns].map(|count| (count as f64 - 1.0) / 2.0);
        let line = |by: [f64; 2], middle: f64, shift: f64| {
            let start = middle - shift - by[0] * middles[0] - by[1] * middles[1];
            [by[0], by[1], start].map(single)
        };
        Self {
            rows: line(of_rows, middles[0], shifts[0]),
            columns: line(of_columns, middles[1], shifts[1]),
        }
    }

    /// The moved image; both of length n_features.
    ///
    /// The sums of [`Move::taps`], in the same order: for some pixels of a row first where all lie, by vector instructions, then what lies there.
    pub(crate) fn apply(&self, image: Image, pixels: &[f32], moved: &mut [f32]) {
        vectorised(
            #[inline(always)]
            || match image.channels {
                // Compiled for one channel alone.
                1 => self.apply_by_chunks(image, 1, pixels, moved),
                channels => self.apply_by_chunks(image, channels, pixels, moved),
            },
        );
    }

    #[inline(always)]
    fn apply_by_chunks(&self, image: Image, channels: usize, pixels: &[f32], moved: &mut [f32]) {
        for (row, moved) in moved.chunks_exact_mut(image.columns * channels).enumerate() {
            for (chunk, moved) in moved.chunks_mut(CHUNK * channels).enumerate() {
                let (mut tops, mut downs) = ([0; CHUNK], [0.0; CHUNK]);
                let (mut lefts, mut rights) = ([0; CHUNK], [0.0; CHUNK]);
                for at in 0..CHUNK {
                    let column = chunk * CHUNK + at;
                    (tops[at], downs[at]) = place(&self.rows, row, column, image.rows);
                    (lefts[at], rights[at]) = place(&self.columns, row, column, image.columns);
                }
                for (at, moved) in moved.chunks_exact_mut(channels).enumerate() {
                    let (top, left) = (tops[at] as usize, lefts[at] as usize);
                    let first = (top * image.columns + left) * channels;
                    let beside = if left + 1 < image.columns { channels } else { 0 };
                    let below = if top + 1 < image.rows { image.columns * channels } else { 0 };
                    let (down, right) = (downs[at], rights[at]);
                    let (up, away) = (1.0 - down, 1.0 - right);
                    for (channel, moved) in moved.iter_mut().enumerate() {
                        let corner = first + channel;
                        *moved = up * away * pixels[corner]
                            + up * right * pixels[corner + beside]
                            + down * away * pixels[corner + below]
                            + down * right * pixels[corner + below + beside];
                    }
                }
            }
        }
    }

    /// The four pixels that one is made of, and their shares. A pixel beside an edge may be there twice.
    #[inline]
    fn taps(&self, image: Image, row: usize, column: usize) -> [(usize, f32); 4] {
        let [above, below] = between(&self.rows, row, column, image.rows);
        let [left, right] = between(&self.columns, row, column, image.columns);
        let tap = |row: (usize, f32), column: (usize, f32)| {
            (row.0 * image.columns + column.0, row.1 * column.1)
        };
        [tap(above, left), tap(above, right), tap(below, left), tap(below, right)]
    }
}

/// The two rows, or columns, between which a place lies, and the share of each.
#[inline]
fn between(line: &[f32; 3], row: usize, column: usize, count: usize) -> [(usize, f32); 2] {
    let (first, share) = place(line, row, column, count);
    let first = first as usize;
    [(first, 1.0 - share), ((first + 1).min(count - 1), share)]
}

/// The first of these two, and the share of the second.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
#[expect(clippy::cast_precision_loss, reason = "images have fewer than 16 million rows")]
fn place(line: &[f32; 3], row: usize, column: usize, count: usize) -> (u32, f32) {
    let place = line[0] * row as f32 + line[1] * column as f32 + line[2];
    let place = place.clamp(0.0, count as f32 - 1.0);
    // By way of a signed number, which vector instructions have.
    let first = place as i32 as u32;
    (first, place - first as f32)
}

/// Rows and columns of all pixels, in order.
fn places(image: Image) -> impl Iterator<Item = (usize, usize)> {
    (0..image.rows).flat_map(move |row| (0..image.columns).map(move |column| (row, column)))
}

#[expect(clippy::cast_precision_loss, reason = "53 bits")]
fn between_minus_1_and_1(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

#[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
fn single(value: f64) -> f32 {
    value as f32
}

/// The images of `tensor`, shape (models, n, n_features), each by its move; `moves` model after model.
pub(crate) fn moved_tensor(image: Image, moves: &[Move], tensor: &Tensor) -> TensorResult<Tensor> {
    let mut moved = tensor.zeros_like()?;
    for tap in 0..4 {
        let mut sources: Vec<u32> = Vec::with_capacity(tensor.elem_count());
        let mut shares: Vec<f32> = Vec::with_capacity(tensor.elem_count());
        for by in moves {
            for (row, column) in places(image) {
                let (from, share) = by.taps(image, row, column)[tap];
                #[expect(clippy::cast_possible_truncation, reason = "a feature's index is a u32")]
                sources.extend(
                    (0..image.channels).map(|channel| (from * image.channels + channel) as u32),
                );
                shares.extend(std::iter::repeat_n(share, image.channels));
            }
        }
        let sources = Tensor::from_vec(sources, tensor.shape(), tensor.device())?;
        let shares = Tensor::from_vec(shares, tensor.shape(), tensor.device())?;
        let shares =
            if tensor.dtype() == DType::F32 { shares } else { shares.to_dtype(tensor.dtype())? };
        moved = (moved + (tensor.contiguous()?.gather(&sources, 2)? * shares)?)?;
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use consilience_data::{Seed, Stream};

    use super::*;

    const SMALL: Image = Image { rows: 2, columns: 3, channels: 1 };
    const PIXELS: [f32; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];
    const NONE: Strengths = Strengths { shift: 0.0, rotation: 0.0, shear: 0.0, scale: 0.0 };

    fn moved(image: Image, by: Move, pixels: &[f32]) -> Vec<f32> {
        let mut moved = vec![f32::NAN; pixels.len()];
        by.apply(image, pixels, &mut moved);
        moved
    }

    /// A shift in pixels.
    fn shifted(image: Image, [down, right]: [f64; 2], pixels: &[f32]) -> Vec<f32> {
        let side = image.shorter_side() as f64;
        let strengths = Strengths { shift: 1.0, ..NONE };
        let draws = [down / side, right / side, 0.0, 0.0, 0.0, 0.0];
        moved(image, Move::new(image, strengths, draws), pixels)
    }

    #[test]
    fn whole_pixels_move_and_edges_stay() {
        assert_eq!(shifted(SMALL, [0.0, 0.0], &PIXELS), PIXELS);
        assert_eq!(shifted(SMALL, [0.0, 1.0], &PIXELS), [1.0, 1.0, 2.0, 8.0, 8.0, 16.0]);
        assert_eq!(shifted(SMALL, [-1.0, 0.0], &PIXELS), [8.0, 16.0, 32.0, 8.0, 16.0, 32.0]);
        assert_eq!(shifted(SMALL, [-9.0, 9.0], &PIXELS), [8.0; 6]);
        let coloured = Image { rows: 1, columns: 3, channels: 2 };
        assert_eq!(shifted(coloured, [0.0, -1.0], &PIXELS), [4.0, 8.0, 16.0, 32.0, 16.0, 32.0]);
    }

    #[test]
    fn parts_of_pixels_are_shared_out() {
        assert_eq!(shifted(SMALL, [0.0, 0.25], &PIXELS), [1.0, 1.75, 3.5, 8.0, 14.0, 28.0]);
        assert_eq!(shifted(SMALL, [-0.5, 0.5], &PIXELS), [4.5, 6.75, 13.5, 8.0, 12.0, 24.0]);
    }

    /// A quarter turn of a square is exact; so is a doubling of its middle.
    #[test]
    fn images_turn_lean_and_grow_about_their_middle() {
        let square = Image { rows: 3, columns: 3, channels: 1 };
        let pixels = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        let close = |found: Vec<f32>, expected: [f32; 9]| {
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-4, "{found:?} {expected:?}");
        };
        let turned = Strengths { rotation: 90.0, ..NONE };
        let by = Move::new(square, turned, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
        close(moved(square, by, &pixels), [7.0, 4.0, 1.0, 8.0, 5.0, 2.0, 9.0, 6.0, 3.0]);
        let leaning = Strengths { shear: 45.0, ..NONE };
        let by = Move::new(square, leaning, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        close(moved(square, by, &pixels), [1.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0, 9.0]);
        let larger = Strengths { scale: 1.0, ..NONE };
        let by = Move::new(square, larger, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        close(moved(square, by, &pixels), [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0]);
    }

    #[test]
    fn draws_lie_within_the_strengths_on_both_sides() {
        let strengths = Strengths { shift: 0.5, ..NONE };
        let mut rng = Seed(1).rng(Stream::Subset);
        let by = Move::drawn(SMALL, strengths, 1000, &mut rng);
        let downs: Vec<f32> = by.iter().map(|by| -by.rows[2]).collect();
        assert!(downs.iter().all(|down| down.abs() <= 1.0));
        let (above, mean) =
            (downs.iter().filter(|&&down| down > 0.0).count(), downs.iter().sum::<f32>() / 1e3);
        assert!((400..600).contains(&above) && mean.abs() < 0.1, "{above} {mean}");
        assert!(downs.iter().any(|down| *down > 0.9) && downs.iter().any(|down| *down < -0.9));
    }

    #[test]
    fn tensors_move_as_slices_do() {
        let strengths = Strengths { shift: 0.4, rotation: 40.0, shear: 20.0, scale: 0.3 };
        let coloured = Image { rows: 1, columns: 3, channels: 2 };
        let wide = Image { rows: 5, columns: 2 * CHUNK + 3, channels: 1 };
        for image in [SMALL, coloured, wide, Image { channels: 3, ..wide }] {
            let n = image.rows * image.columns * image.channels;
            let pixels: Vec<f32> = (0..2 * n).map(|at| (at * 37 % 101) as f32 - 30.0).collect();
            let moves = Move::drawn(image, strengths, 2, &mut Seed(2).rng(Stream::Subset));
            let images = Tensor::from_slice(&pixels, (1, 2, n), &Device::Cpu).unwrap();
            let found = moved_tensor(image, &moves, &images).unwrap();
            assert_eq!(found.dims(), [1, 2, n]);
            let both = pixels.chunks(n).zip(&moves);
            let expected: Vec<f32> =
                both.flat_map(|(pixels, &by)| moved(image, by, pixels)).collect();
            assert_eq!(found.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
        }
    }
}
