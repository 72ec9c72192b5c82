//! The pixels of PNG and JPEG files.

use std::io::Cursor;

use image::imageops::{self, FilterType};
use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageError, ImageReader, Limits, Luma, Rgb, RgbImage,
};

use super::look::{Look, is_image};
use crate::read::source::one_line;

/// More pixels aren't decoded: a small file can claim to be an image that fills the memory.
const MAX_PIXELS: u64 = 1 << 27;
/// Bytes of what is beside an image's pixels, at most.
const MAX_BESIDE: u64 = 1 << 26;

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

/// What an image is, before it is decoded; else what is wrong with it.
pub(super) fn look(bytes: &[u8], max_bytes: u64) -> Result<Look, String> {
    shape(bytes, max_bytes).map_err(|problem| one_line(&problem))
}

/// The pixels of an image, row by row: upright, on white, stretched to the rows, columns and channels that are wanted; else what is
/// wrong with it.
pub(super) fn decode(bytes: &[u8], read_as: [usize; 3], max_bytes: u64) -> Result<Vec<u8>, String> {
    pixels(bytes, read_as, max_bytes).map_err(|problem| one_line(&problem))
}

fn shape(bytes: &[u8], max_bytes: u64) -> Result<Look, ImageError> {
    use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    let mut decoder = decoder(bytes, max_bytes)?;
    let (width, height) = decoder.dimensions();
    let [rows, columns] = [height as usize, width as usize];
    let lies = decoder.orientation()?;
    let lies = matches!(lies, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH);
    let size = if lies { [columns, rows] } else { [rows, columns] };
    let color = decoder.color_type();
    let is_deep = color.bytes_per_pixel() > color.channel_count();
    Ok(Look { size, has_color: color.has_color(), has_alpha: color.has_alpha(), is_deep })
}

fn pixels(
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
