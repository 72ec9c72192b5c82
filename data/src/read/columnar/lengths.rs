//! Lengths that an Arrow file claims, checked before anything is read by them.
//!
//! A packed buffer starts with its length when unpacked, and the footer has those of all batches. arrow-ipc allocates both
//! unseen: a damaged one would take all memory, or end the program.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use arrow_ipc::{Block, CompressionType, Message, RecordBatch, root_as_footer, root_as_message};

use crate::DataError;
use crate::read::numbers::reserve;
use crate::read::source::unreadable;

/// What a message may start with, before its length.
const CONTINUATION: [u8; 4] = [0xff; 4];
/// Bytes of the claimed length.
const PREFIX: u64 = 8;
/// Bytes behind the footer: its length, and `ARROW1`.
const TRAILER: u64 = 10;
/// No byte of an LZ4 block stands for more than 255.
const LZ4_RATIO: u64 = 255;
/// The first bytes of a frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A block of zstd has four bytes at least, and unpacks to 128 KiB at most.
const ZSTD_RATIO: u64 = (128 << 10) / 4;
/// Bytes of a zstd frame's header, at most.
const ZSTD_HEADER: u64 = 18;

/// Checks all batches and dictionaries of a file or a stream. What isn't understood is left to the library to refuse.
///
/// # Complexity
///
/// Reads the metadata, and a few bytes of each packed buffer.
pub(super) fn check(file: &File, is_file: bool, name: &str) -> Result<(), DataError> {
    let mut lengths = Lengths { reader: BufReader::with_capacity(64, file), name };
    if is_file { lengths.check_file() } else { lengths.check_stream() }
}

struct Lengths<'a> {
    reader: BufReader<&'a File>,
    name: &'a str,
}

impl Lengths<'_> {
    /// The messages that the footer of a file names.
    fn check_file(&mut self) -> Result<(), DataError> {
        let end = self.reader.seek(SeekFrom::End(0)).map_err(|error| self.unreadable(&error))?;
        let Some(start) = end.checked_sub(TRAILER) else { return Ok(()) };
        let Some(len) = self.i32_at(start)?.and_then(|len| u64::try_from(len).ok()) else {
            return Ok(());
        };
        let Some(start) = start.checked_sub(len) else {
            return Err(
                self.corrupt(format!("its footer claims {len} bytes, and the file has {end}"))
            );
        };
        let bytes = self.bytes(start, len)?;
        let Ok(footer) = root_as_footer(&bytes) else { return Ok(()) };
        let batches = footer.recordBatches().into_iter().flatten();
        for block in footer.dictionaries().into_iter().flatten().chain(batches) {
            let Some((offset, body)) = inside(block, end) else {
                return Err(self.corrupt("its footer names a batch that is not in the file".into()));
            };
            self.check_message(offset, Some(body))?;
        }
        Ok(())
    }

    /// The messages of a stream, one after the other.
    fn check_stream(&mut self) -> Result<(), DataError> {
        let mut next = Some(0);
        while let Some(start) = next {
            next = self.check_message(start, None)?;
        }
        Ok(())
    }

    /// Checks the message at `start`, whose buffers are from `body` on, else right behind its metadata. Where the next one is;
    /// `None` if there is none, or nothing to be understood.
    fn check_message(&mut self, start: u64, body: Option<u64>) -> Result<Option<u64>, DataError> {
        let continued = self.bytes(start, 4)? == CONTINUATION;
        let start = if continued { start.saturating_add(4) } else { start };
        let len = self.i32_at(start)?.and_then(|len| u64::try_from(len).ok());
        let start = start.saturating_add(4);
        let behind = len.filter(|&len| len > 0).map(|len| start.saturating_add(len));
        // A file's footer says where the metadata end, too; either may be damaged.
        for end in [body, behind].into_iter().flatten() {
            let bytes = self.bytes(start, end.saturating_sub(start))?;
            let Ok(message) = root_as_message(&bytes) else { continue };
            let body = body.unwrap_or(end);
            if let Some(batch) = batch(&message) {
                self.check_batch(&batch, body)?;
            }
            return Ok(u64::try_from(message.bodyLength())
                .ok()
                .map(|len| body.saturating_add(len)));
        }
        Ok(None)
    }

    fn check_batch(&mut self, batch: &RecordBatch<'_>, body: u64) -> Result<(), DataError> {
        let Some(compression) = batch.compression() else { return Ok(()) };
        for buffer in batch.buffers().into_iter().flatten() {
            let (Ok(offset), Ok(len)) =
                (u64::try_from(buffer.offset()), u64::try_from(buffer.length()))
            else {
                continue;
            };
            let start = self.bytes(body.saturating_add(offset), len.min(PREFIX + ZSTD_HEADER))?;
            let Some((prefix, packed)) = start.split_first_chunk() else { continue };
            // -1 is for a buffer that isn't packed.
            let Ok(claimed) = u64::try_from(i64::from_le_bytes(*prefix)) else { continue };
            let at_most = at_most(compression.codec(), packed, len.saturating_sub(PREFIX));
            if claimed > at_most {
                return Err(self.corrupt(format!(
                    "a packed buffer of {len} bytes claims to hold {claimed}, and can hold no more than {at_most}"
                )));
            }
            reserve::<u8>(usize::try_from(claimed).unwrap_or(usize::MAX), self.name)?;
        }
        Ok(())
    }

    /// Some bytes of the file, fewer at its end.
    fn bytes(&mut self, start: u64, len: u64) -> Result<Vec<u8>, DataError> {
        let mut bytes = Vec::new();
        let read = self.reader.seek(SeekFrom::Start(start.min(i64::MAX.unsigned_abs())));
        let read = read.and_then(|_| (&mut self.reader).take(len).read_to_end(&mut bytes));
        read.map_err(|error| self.unreadable(&error))?;
        Ok(bytes)
    }

    fn i32_at(&mut self, start: u64) -> Result<Option<i32>, DataError> {
        Ok(self.bytes(start, 4)?.try_into().ok().map(i32::from_le_bytes))
    }

    fn corrupt(&self, problem: String) -> DataError {
        DataError::Corrupt { source_name: self.name.into(), problem }
    }

    fn unreadable(&self, error: &io::Error) -> DataError {
        unreadable(error, self.name)
    }
}

/// Where a block starts and where its metadata end, if all of it is before `end`.
fn inside(block: &Block, end: u64) -> Option<(u64, u64)> {
    let offset = u64::try_from(block.offset()).ok()?;
    let body = offset.checked_add(u64::try_from(block.metaDataLength()).ok()?)?;
    let behind = body.checked_add(u64::try_from(block.bodyLength()).ok()?)?;
    (behind <= end).then_some((offset, body))
}

/// The batch that a message has, or that of its dictionary.
fn batch<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    let of_dictionary = || message.header_as_dictionary_batch()?.data();
    message.header_as_record_batch().or_else(of_dictionary)
}

/// How many bytes `len` packed ones can hold. `start`: the first of them.
fn at_most(codec: CompressionType, start: &[u8], len: u64) -> u64 {
    if codec != CompressionType::ZSTD {
        return len.saturating_mul(LZ4_RATIO);
    }
    let ratio = len.saturating_mul(ZSTD_RATIO);
    zstd_content(start).map_or(ratio, |content| content.min(ratio))
}

/// What the header of a zstd frame says of its content's length, if it does (RFC 8878, section 3.1.1.1).
fn zstd_content(start: &[u8]) -> Option<u64> {
    let (&descriptor, rest) = start.strip_prefix(&ZSTD_MAGIC)?.split_first()?;
    let is_single = descriptor & 0x20 != 0;
    let window = usize::from(!is_single);
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = match descriptor >> 6 {
        0 if is_single => 1,
        0 => return None,
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let field = rest.get(window + dictionary..window + dictionary + size)?;
    let mut bytes = [0; 8];
    bytes[..size].copy_from_slice(field);
    Some(u64::from_le_bytes(bytes) + if size == 2 { 256 } else { 0 })
}
