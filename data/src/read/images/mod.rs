//! PNG and JPEG files as rows of pixels: how many and of what size they are, and all of them decoded.

mod look;
#[cfg(feature = "images")]
mod pixels;
#[cfg(not(feature = "images"))]
#[path = "without.rs"]
mod pixels;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::thread;

pub(super) use self::look::is_image;
use super::store::{Entry, Opener, Store};
use crate::DataError;
use crate::memory::budget;
use crate::records::ImagesInfo;

/// Images that all have one size are left so up to this side, in pixels.
const LARGEST_AS_IS: usize = 64;
/// Rows and columns of all others, unless a person wants otherwise.
const DEFAULT_SIZE: [usize; 2] = [32, 32];
/// Threads that decode, at most.
const MAX_THREADS: usize = 16;

/// Images that have been looked at, but not decoded.
pub(super) struct Images {
    store: Store,
    entries: Vec<Entry>,
    /// Rows and columns, and how many images have them.
    sizes: BTreeMap<[usize; 2], usize>,
    /// Number of images stored without colours.
    grey: usize,
    /// Number of images that may be transparent.
    transparent: usize,
    /// Number of images with more than 8 bits a channel.
    deep: usize,
    /// Bytes of an image that is decoded, at most.
    max_bytes: u64,
}

impl Images {
    /// Reads the images' sizes and colours, for which they needn't be decoded.
    ///
    /// `max_memory`: bytes for all of them that are decoded at the same time, if a person said it.
    pub(super) fn look(
        store: Store,
        entries: Vec<Entry>,
        max_memory: Option<u64>,
    ) -> Result<Self, DataError> {
        let mut opener = store.open()?;
        let mut sizes = BTreeMap::new();
        let (mut grey, mut transparent, mut deep) = (0, 0, 0);
        // Beside the image itself there is one without transparency, and one of another size.
        let max_bytes = budget(max_memory) / threads() as u64 / 3;
        for entry in &entries {
            let bytes = opener.read(entry, None)?;
            let look = pixels::look(&bytes, max_bytes);
            let look = look.map_err(|problem| bad(&opener, entry, problem))?;
            *sizes.entry(look.size).or_default() += 1;
            grey += usize::from(!look.has_color);
            transparent += usize::from(look.has_alpha);
            deep += usize::from(look.is_deep);
        }
        Ok(Self { store, entries, sizes, grey, transparent, deep, max_bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What a person should know.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let all = self.len();
        if self.transparent > 0 {
            let some = self.transparent;
            notes.push(format!("{some} of {all} images may be transparent: put on white"));
        }
        if self.deep > 0 {
            notes.push(format!(
                "{} of {all} images have 16 bits a channel: rounded to 8 (an .npy array keeps all)",
                self.deep
            ));
        }
        notes
    }

    /// What there is to tell of them, once it is known what they are read as.
    pub(super) fn info(&self, read_as: [usize; 3]) -> ImagesInfo {
        let mut sizes: Vec<_> = self.sizes.iter().map(|(size, count)| (*size, *count)).collect();
        sizes.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        let colour = self.len() - self.grey;
        ImagesInfo { grey: self.grey, colour, sizes, read_as }
    }

    /// Decodes all images into rows of `read_as` (rows, columns, channels) pixels, 0 to 255. Each image has a place of its own,
    /// so that the number of threads doesn't matter.
    pub(super) fn decode(&self, read_as: [usize; 3], pixels: &mut [f32]) -> Result<(), DataError> {
        let each = self.len().div_ceil(threads()).max(1);
        let width: usize = read_as.iter().product();
        thread::scope(|scope| {
            let chunks = self.entries.chunks(each).zip(pixels.chunks_mut(each * width));
            let work = |(entries, pixels): (&'_ [Entry], &'_ mut [f32])| -> Result<(), DataError> {
                let mut opener = self.store.open()?;
                for (entry, pixels) in entries.iter().zip(pixels.chunks_exact_mut(width)) {
                    let bytes = opener.read(entry, None)?;
                    let image = pixels::decode(&bytes, read_as, self.max_bytes);
                    let image = image.map_err(|problem| bad(&opener, entry, problem))?;
                    for (pixel, value) in pixels.iter_mut().zip(image) {
                        *pixel = f32::from(value);
                    }
                }
                Ok(())
            };
            let handles: Vec<_> = chunks.map(|chunk| scope.spawn(move || work(chunk))).collect();
            // The first error is that of the first bad file.
            let results = handles.into_iter().map(|handle| match handle.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.collect::<Vec<_>>().into_iter().collect()
        })
    }
}

/// Rows, columns and channels that images are read as, if nobody said it: as they are if all have one size and that is small,
/// else 32 x 32. Grey if all are.
pub(super) fn read_as(all: &[&Images], size: Option<[usize; 2]>) -> [usize; 3] {
    let sizes: BTreeMap<_, _> = all.iter().flat_map(|images| &images.sizes).collect();
    let as_is = match sizes.keys().collect::<Vec<_>>().as_slice() {
        &[&&size] if size.iter().all(|&side| side <= LARGEST_AS_IS) => Some(size),
        _ => None,
    };
    let [rows, columns] = size.or(as_is).unwrap_or(DEFAULT_SIZE);
    let grey = all.iter().all(|images| images.grey == images.len());
    [rows, columns, if grey { 1 } else { 3 }]
}

fn bad(opener: &Opener, entry: &Entry, problem: String) -> DataError {
    DataError::BadImage { source_name: opener.name(entry), problem }
}

/// Threads that decode.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}
