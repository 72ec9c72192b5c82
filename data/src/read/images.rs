//! PNG and JPEG files as rows of pixels.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::num::NonZero;
use std::thread;

use image::imageops::{self, FilterType};
use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    Luma, Rgb, RgbImage,
};

use super::collection::{Entry, Opener, Store};
use super::numbers::budget;
use super::source::one_line;
use crate::DataError;
use crate::records::ImagesInfo;

/// Images that all have one size are left so up to this side, in pixels.
const LARGEST_AS_IS: usize = 64;
/// Rows and columns of all others, unless a person wants otherwise.
const DEFAULT_SIZE: [usize; 2] = [32, 32];
/// More pixels aren't decoded: a small file can claim to be an image that fills the memory.
const MAX_PIXELS: u64 = 1 << 27;
/// Bytes of what is beside an image's pixels, at most.
const MAX_BESIDE: u64 = 1 << 26;
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
    /// Bytes of an image that is decoded, at most.
    max_bytes: u64,
}

/// Whether a file starts as a PNG or JPEG does.
pub(super) fn is_image(start: &[u8]) -> bool {
    matches!(image::guess_format(start), Ok(ImageFormat::Png | ImageFormat::Jpeg))
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
        let (mut grey, mut transparent) = (0, 0);
        // Beside the image itself there is one without transparency, and one of another size.
        let max_bytes = budget(max_memory) / threads() as u64 / 3;
        for entry in &entries {
            let bytes = opener.read(entry, None)?;
            let shape = shape(&bytes, max_bytes);
            let (size, color) = shape.map_err(|problem| bad(&opener, entry, &problem))?;
            *sizes.entry(size).or_default() += 1;
            grey += usize::from(!color.has_color());
            transparent += usize::from(color.has_alpha());
        }
        Ok(Self { store, entries, sizes, grey, transparent, max_bytes })
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What a person should know.
    pub(super) fn note(&self) -> Option<String> {
        let (some, all) = (self.transparent, self.len());
        (some > 0).then(|| format!("{some} of {all} images may be transparent: put on white"))
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
                    let image = decode(&bytes, read_as, self.max_bytes);
                    let image = image.map_err(|problem| bad(&opener, entry, &problem))?;
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

fn bad(opener: &Opener, entry: &Entry, problem: &ImageError) -> DataError {
    DataError::BadImage { source_name: opener.name(entry), problem: one_line(problem) }
}

/// Something to decode an image with, if it isn't absurdly large.
fn decoder(bytes: &[u8], max_bytes: u64) -> Result<impl ImageDecoder + '_, ImageError> {
    if !is_image(bytes) {
        let start = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
        return Err(unexpected(&format!(
            "neither PNG nor JPEG (first bytes: {})",
            start.join(" ")
        )));
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    // Of what is beside the pixels, such as a profile of colours that is packed.
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_bytes.min(MAX_BESIDE));
    reader.limits(limits);
    let decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(unexpected(&format!("{height} x {width} pixels")));
    }
    if pixels > MAX_PIXELS || decoder.total_bytes() > max_bytes {
        return Err(unexpected(&format!(
            "{height} x {width} pixels are too many for the memory that is free"
        )));
    }
    Ok(decoder)
}

fn unexpected(problem: &str) -> ImageError {
    std::io::Error::other(problem.to_owned()).into()
}

/// Threads that decode.
fn threads() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get).min(MAX_THREADS)
}

/// Rows and columns as one looks at it, and what its pixels are stored as.
fn shape(bytes: &[u8], max_bytes: u64) -> Result<([usize; 2], ColorType), ImageError> {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let mut decoder = decoder(bytes, max_bytes)?;
    let (width, height) = decoder.dimensions();
    let [rows, columns] = [height as usize, width as usize];
    let lies = decoder.orientation()?;
    let lies = matches!(lies, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let size = if lies { [columns, rows] } else { [rows, columns] };
    Ok((size, decoder.color_type()))
}

/// The pixels of an image: upright, on white, stretched to the size that is wanted.
fn decode(
    bytes: &[u8],
    [rows, columns, channels]: [usize; 3],
    max_bytes: u64,
) -> Result<Vec<u8>, ImageError> {
    let mut decoder = decoder(bytes, max_bytes)?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    if is_cut(bytes) {
        return Err(unexpected("the file ends before the image does"));
    }
    image.apply_orientation(orientation);
    let image = on_white(image);
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (width, height) = (side(columns), side(rows));
    let same = (image.width(), image.height()) == (width, height);
    Ok(match channels {
        1 if same => image.into_luma8().into_raw(),
        1 => imageops::resize(&image.into_luma8(), width, height, FilterType::Triangle).into_raw(),
        _ if same => image.into_rgb8().into_raw(),
        _ => imageops::resize(&image.into_rgb8(), width, height, FilterType::Triangle).into_raw(),
    })
}

/// Whether a JPEG has no end behind its last scan: its decoder makes the rest grey and says nothing.
fn is_cut(bytes: &[u8]) -> bool {
    let last = |marker: [u8; 2]| bytes.windows(2).rposition(|pair| pair == marker);
    bytes.starts_with(&[0xff, 0xd8]) && last([0xff, 0xd9]) < last([0xff, 0xda])
}

/// Without transparency.
fn on_white(image: DynamicImage) -> DynamicImage {
    let color = image.color();
    if !color.has_alpha() {
        return image;
    }
    // Rounded to the nearest.
    let blend = |value: u8, alpha: u8| {
        let (value, alpha) = (u32::from(value), u32::from(alpha));
        u8::try_from((value * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
    };
    if color.has_color() {
        let image = image.into_rgba8();
        let mut opaque = RgbImage::new(image.width(), image.height());
        for (to, from) in opaque.pixels_mut().zip(image.pixels()) {
            let [red, green, blue, alpha] = from.0;
            *to = Rgb([blend(red, alpha), blend(green, alpha), blend(blue, alpha)]);
        }
        return DynamicImage::ImageRgb8(opaque);
    }
    let image = image.into_luma_alpha8();
    let mut opaque = GrayImage::new(image.width(), image.height());
    for (to, from) in opaque.pixels_mut().zip(image.pixels()) {
        *to = Luma([blend(from.0[0], from.0[1])]);
    }
    DynamicImage::ImageLuma8(opaque)
}
