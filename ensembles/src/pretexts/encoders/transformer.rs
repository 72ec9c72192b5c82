//! A small transformer (Vaswani et al., NIPS 2017), normalised before each part (Xiong et al., ICML 2020): from the words of a text, as numbers, to a code.

use candle_core::{D, Device, Result, Tensor};

use super::dense::{Dense, DenseLayers};
use super::network::Network;
use super::parameters::Parameters;
use crate::engine::candle::linear;
use crate::error::EnsembleError;

type Made<T> = std::result::Result<T, EnsembleError>;

/// The number of what is behind the end of a text.
pub(crate) const NOTHING: u32 = 0;
/// Added to variances.
const EPSILON: f64 = 1e-5;
/// What takes a word out of the sum over words.
const NEVER: f32 = -1e9;
/// Variance of embeddings of words and places at the start.
const VARIANCE: f64 = 0.01;
/// Heads of attention, and blocks.
pub(crate) const HEADS: usize = 4;
const BLOCKS: usize = 2;

/// Brings each row to mean 0 and variance 1, then scales and shifts units (Ba et al., *Layer normalization*, 2016).
struct Normalisation {
    scale: Tensor,
    shift: Tensor,
}

impl Normalisation {
    fn new(parameters: &mut Parameters<'_>, name: &str, width: usize) -> Made<Self> {
        let scale = parameters.row(format!("{name}.scale"), width, 1.0)?;
        let shift = parameters.row(format!("{name}.shift"), width, 0.0)?;
        Ok(Self { scale, shift })
    }
}

impl Network for Normalisation {
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let centred = rows.broadcast_sub(&rows.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normalised = centred.broadcast_div(&(variance + EPSILON)?.sqrt()?)?;
        normalised.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)
    }
}

/// Texts of a batch.
#[derive(Clone, Copy)]
struct Shape {
    texts: usize,
    length: usize,
    width: usize,
}

/// Attention of every word to all words of its text, then a dense layer on each.
struct Block {
    before: [Normalisation; 2],
    /// Queries, keys, values, and what is made of these.
    attention: [Dense; 4],
    words: DenseLayers,
}

impl Block {
    fn new(parameters: &mut Parameters<'_>, name: &str, width: usize) -> Made<Self> {
        let mut normalisation =
            |part: &str| Normalisation::new(parameters, &format!("{name}.{part}"), width);
        let before = [normalisation("first")?, normalisation("second")?];
        let mut dense =
            |part: &str| Dense::new(parameters, &format!("{name}.{part}"), [width, width], false);
        let attention = [dense("query")?, dense("key")?, dense("value")?, dense("output")?];
        let words =
            DenseLayers::new(parameters, &format!("{name}.words"), &[width, 2 * width, width])?;
        Ok(Self { before, attention, words })
    }

    /// `states` of shape (1, texts length, width); `absent`, what is added to scores of words, of shape (texts heads, 1, length).
    fn forward(&self, states: &Tensor, shape: Shape, absent: &Tensor) -> Result<Tensor> {
        let attended = self.attend(&self.before[0].forward(states)?, shape, absent)?;
        let states = (states + attended)?;
        let more = self.words.forward(&self.before[1].forward(&states)?)?;
        states + more
    }

    fn attend(&self, states: &Tensor, shape: Shape, absent: &Tensor) -> Result<Tensor> {
        let Shape { texts, length, width } = shape;
        let of_head = width / HEADS;
        let heads = |dense: &Dense| -> Result<Tensor> {
            let all = dense.forward(states)?.reshape((texts, length, HEADS, of_head))?;
            all.transpose(1, 2)?.contiguous()?.reshape((texts * HEADS, length, of_head))
        };
        let [query, key, value, output] = &self.attention;
        let (query, key, value) = (heads(query)?, heads(key)?, heads(value)?);
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let scale = (of_head as f64).sqrt().recip();
        let scores = (linear(&query, &key.transpose(1, 2)?.contiguous()?)? * scale)?;
        let scores = scores.broadcast_add(absent)?;
        let largest = scores.max_keepdim(D::Minus1)?.detach();
        let weights = scores.broadcast_sub(&largest)?.exp()?;
        let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
        let attended = linear(&weights, &value)?.reshape((texts, HEADS, length, of_head))?;
        let attended = attended.transpose(1, 2)?.contiguous()?;
        output.forward(&attended.reshape((1, texts * length, width))?)
    }
}

/// The transformer. Rows are texts: the numbers of their words, [`NOTHING`] behind the last.
pub(crate) struct Transformer {
    words: Tensor,
    places: Tensor,
    blocks: Vec<Block>,
    last: Normalisation,
    length: usize,
    width: usize,
}

impl Transformer {
    /// Of texts of at most `length` words, of numbers below `vocabulary`, to `width` units, a multiple of [`HEADS`].
    ///
    /// O(length width (length + width)) a text.
    pub(crate) fn new(
        parameters: &mut Parameters<'_>,
        name: &str,
        [vocabulary, length, width]: [usize; 3],
    ) -> Made<Self> {
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let mut table = |part: &str, rows: usize| {
            parameters.weight(
                format!("{name}.{part}.weight"),
                [rows, width],
                VARIANCE * rows as f64,
            )
        };
        let (words, places) = (table("word", vocabulary)?, table("place", length)?);
        let block = |index: usize| Block::new(parameters, &format!("{name}.{index}"), width);
        let blocks = (0..BLOCKS).map(block).collect::<Made<_>>()?;
        let last = Normalisation::new(parameters, &format!("{name}.last"), width)?;
        Ok(Self { words, places, blocks, last, length, width })
    }

    fn states(&self, words: &[u32]) -> Result<Tensor> {
        let shape =
            Shape { texts: words.len() / self.length, length: self.length, width: self.width };
        let numbers = Tensor::from_slice(words, words.len(), &Device::Cpu)?;
        let of_words = self.words.squeeze(0)?.index_select(&numbers, 0)?;
        let of_words = of_words.reshape((shape.texts, self.length, self.width))?;
        let states = of_words.broadcast_add(&self.places)?;
        let mut states = states.reshape((1, words.len(), self.width))?;
        let absent = |&word: &u32| if word == NOTHING { NEVER } else { 0.0 };
        let absent: Vec<f32> = words
            .chunks(self.length)
            .flat_map(|text| std::iter::repeat_n(text, HEADS))
            .flat_map(|text| text.iter().map(absent))
            .collect();
        let absent = Tensor::from_vec(absent, (shape.texts * HEADS, 1, self.length), &Device::Cpu)?
            .to_dtype(states.dtype())?;
        for block in &self.blocks {
            states = block.forward(&states, shape, &absent)?;
        }
        self.last.forward(&states)
    }
}

/// The words of rows.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of words, as features"
)]
pub(crate) fn words(rows: &[f32], vocabulary: usize) -> Vec<u32> {
    rows.iter().map(|&word| (word.max(0.0) as u32).min(vocabulary as u32 - 1)).collect()
}

impl Network for Transformer {
    fn at_words(&self, words: &[u32]) -> Result<Tensor> {
        self.states(words)
    }

    /// The mean over a text's words of what is known at each.
    fn forward(&self, rows: &Tensor) -> Result<Tensor> {
        let n = rows.dim(1)?;
        let values = rows.flatten_all()?.to_dtype(candle_core::DType::F32)?.to_vec1::<f32>()?;
        let words = words(&values, self.words.dim(1)?);
        let states = self.states(&words)?.reshape((n, self.length, self.width))?;
        let there = |&word: &u32| if word == NOTHING { 0.0 } else { 1.0 };
        let there: Vec<f32> = words.iter().map(there).collect();
        let there = Tensor::from_vec(there, (n, self.length, 1), &Device::Cpu)?;
        let there = there.to_dtype(states.dtype())?;
        let count = (there.sum(1)? + 1e-9)?;
        states.broadcast_mul(&there)?.sum(1)?.broadcast_div(&count)?.unsqueeze(0)
    }
}
