//! Finished work, kept so that a run that was ended can go on.
//!
//! A step is looked up before it is computed, and offered after that. So a run that goes on is the same code as one that was never
//! ended, with a store that has some of the answers already.

use std::collections::BTreeMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

/// A store of finished steps. It may forget, but never mix up: what it gives back is to the bit what it was given.
pub trait Checkpoints: Sync {
    /// What was kept of `step`.
    fn load(&self, step: &str) -> Option<Record>;

    /// Keeps what came out of `step`. With it, what was kept of the step `outdated` is of no use any more: it may be forgotten once the new
    /// record is safe, and not before.
    fn save(&self, step: &str, record: Record, outdated: Option<&str>);

    /// Whether anything is kept; if not, nobody needs to make records.
    fn keeps(&self) -> bool;
}

/// Nothing is kept.
impl Checkpoints for () {
    fn load(&self, _: &str) -> Option<Record> {
        None
    }

    fn save(&self, _: &str, _: Record, _: Option<&str>) {}

    fn keeps(&self) -> bool {
        false
    }
}

/// What came out of a step: arrays of numbers, and texts, each by its name. Any kind of result fits in: votes are an array,
/// a tree is two, settings are a text of JSON.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    arrays: BTreeMap<String, (Vec<usize>, Values)>,
    texts: BTreeMap<String, String>,
}

/// The values of an array, row after row.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the names of the types say it")]
pub enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    I32(Vec<i32>),
}

/// A type that arrays of a [`Record`] can have.
pub trait Value: Copy {
    /// The values as those of an array.
    fn wrap(values: Vec<Self>) -> Values;

    /// The values of an array, if they are of this type.
    fn unwrap(values: Values) -> Option<Vec<Self>>;
}

macro_rules! values {
    ($($variant:ident: $type:ty),*) => {
        $(impl Value for $type {
            fn wrap(values: Vec<Self>) -> Values {
                Values::$variant(values)
            }

            fn unwrap(values: Values) -> Option<Vec<Self>> {
                match values {
                    Values::$variant(values) => Some(values),
                    _ => None,
                }
            }
        })*

        impl Values {
            fn bytes(&self) -> (Dtype, Vec<u8>) {
                match self {
                    $(Self::$variant(values) => (
                        Dtype::$variant,
                        values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                    ),)*
                }
            }

            fn of_bytes(dtype: Dtype, bytes: &[u8]) -> Option<Self> {
                match dtype {
                    $(Dtype::$variant => {
                        let (values, rest) = bytes.as_chunks();
                        debug_assert!(rest.is_empty());
                        let value = |&bytes| <$type>::from_le_bytes(bytes);
                        Some(Self::$variant(values.iter().map(value).collect()))
                    })*
                    _ => None,
                }
            }
        }
    };
}

values!(F32: f32, F64: f64, U16: u16, U32: u32, U64: u64, I32: i32);

impl Record {
    /// Adds an array of some shape, row after row.
    pub fn push<T: Value>(&mut self, name: &str, shape: &[usize], values: Vec<T>) {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
        self.arrays.insert(name.into(), (shape.into(), T::wrap(values)));
    }

    /// Adds a text, such as settings in JSON.
    pub fn push_text(&mut self, name: &str, text: impl Into<String>) {
        self.texts.insert(name.into(), text.into());
    }

    /// Takes an array out: its shape and its values. `None` if there is none of this name and type.
    pub fn take<T: Value>(&mut self, name: &str) -> Option<(Vec<usize>, Vec<T>)> {
        let (shape, values) = self.arrays.remove(name)?;
        Some((shape, T::unwrap(values)?))
    }

    /// Takes a text out.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        self.texts.remove(name)
    }

    /// As a file in the safetensors format; the texts are its metadata. The same record gives the same bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let of = |(name, (shape, values)): (&String, &(Vec<usize>, Values))| {
            let (dtype, bytes) = values.bytes();
            (name.clone(), dtype, shape.clone(), bytes)
        };
        let arrays: Vec<_> = self.arrays.iter().map(of).collect();
        let views = arrays.iter().map(|(name, dtype, shape, bytes)| {
            let view = TensorView::new(*dtype, shape.clone(), bytes);
            (name, view.expect("a value for every place"))
        });
        // One text: the order of several would be that of a hash table.
        let texts = serde_json::to_string(&self.texts).expect("texts by their names");
        let texts = Some([(TEXTS.to_owned(), texts)].into());
        safetensors::serialize(views, texts).expect("views of arrays")
    }

    /// What [`Record::to_bytes`] wrote; `None` if it is anything else.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (_, header) = SafeTensors::read_metadata(bytes).ok()?;
        let texts = header.metadata().as_ref()?.get(TEXTS)?;
        let texts = serde_json::from_str(texts).ok()?;
        let file = SafeTensors::deserialize(bytes).ok()?;
        let array = |(name, tensor): (&str, TensorView<'_>)| {
            let values = Values::of_bytes(tensor.dtype(), tensor.data())?;
            Some((name.to_owned(), (tensor.shape().to_vec(), values)))
        };
        let arrays = file.iter().map(array).collect::<Option<_>>()?;
        Some(Self { arrays, texts })
    }
}

/// The name of the texts among the metadata.
const TEXTS: &str = "texts";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_back_to_the_bit() {
        let mut record = Record::default();
        record.push("weights", &[2, 2], vec![f32::MIN_POSITIVE, -0.0, 1e-45, f32::INFINITY]);
        record.push("sums", &[1], vec![0.1_f64]);
        record.push("votes", &[3], vec![0_u16, 65_535, 7]);
        record.push("samples", &[0], Vec::<u32>::new());
        record.push("epochs", &[1], vec![u64::MAX]);
        record.push("steps", &[2], vec![-1_i32, 5]);
        record.push_text("settings", "{\"a\": \"ä\"}");
        record.push_text("b", "");
        let bytes = record.to_bytes();
        let mut found = Record::of_bytes(&bytes).unwrap();
        assert_eq!(found, record);
        assert_eq!(found.to_bytes(), bytes);
        let (shape, weights) = found.take::<f32>("weights").unwrap();
        assert_eq!((shape, weights[1].to_bits()), (vec![2, 2], (-0.0_f32).to_bits()));
        assert!(found.take::<f32>("weights").is_none() && found.take::<f32>("votes").is_none());
        assert_eq!(found.take_text("settings").unwrap(), "{\"a\": \"ä\"}");
        for damaged in [&bytes[..bytes.len() - 1], &bytes[..9], b""] {
            assert!(Record::of_bytes(damaged).is_none());
        }
    }
}
