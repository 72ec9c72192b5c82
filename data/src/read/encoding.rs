//! Text in any encoding, as UTF-8.

use std::io::{BufReader, Cursor, Read};

use chardetng::EncodingDetector;
use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::DecodeReaderBytesBuilder;

use super::source::{Source, unreadable};
use crate::DataError;

/// Bytes by which an encoding is recognised.
const START: u64 = 1 << 20;

/// A source of text, whose bytes are UTF-8 from now on, or meant to be.
pub(super) struct Text {
    pub(super) source: Source,
    /// The name of the encoding if it isn't UTF-8.
    pub(super) encoding: Option<&'static str>,
}

/// Decodes a text: from what a person says it is, else from what its first bytes say (a byte-order mark), else from what they
/// look like, if they aren't UTF-8. Bytes that turn out later not to be UTF-8 are for the reader to refuse.
pub(super) fn decode(mut source: Source, said: Option<&str>) -> Result<Text, DataError> {
    let mut start = Vec::new();
    let read = (&mut source.reader).take(START).read_to_end(&mut start);
    let is_all = (read.map_err(|error| unreadable(&error, &source.name))? as u64) < START;
    let encoding = match said {
        Some(name) => by_name(&source.name, name)?,
        None => match Encoding::for_bom(&start) {
            Some((encoding, _)) => encoding,
            None if is_utf8(&start, is_all) => UTF_8,
            None => guess(&start, is_all),
        },
    };
    let bytes = Cursor::new(start).chain(source.reader);
    if encoding == UTF_8 {
        source.reader = Box::new(BufReader::with_capacity(1 << 17, bytes));
        return Ok(Text { source, encoding: None });
    }
    let decoded = DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(bytes);
    source.reader = Box::new(BufReader::with_capacity(1 << 17, decoded));
    Ok(Text { source, encoding: Some(encoding.name()) })
}

/// All of a decoded text.
pub(super) fn read_to_end(
    source: &mut Source,
    encoding: Option<&'static str>,
) -> Result<String, DataError> {
    let mut bytes = Vec::new();
    let read = source.reader.read_to_end(&mut bytes);
    read.map_err(|error| unreadable(&error, &source.name))?;
    let bad = match std::str::from_utf8(&bytes) {
        Ok(text) => encoding.and_then(|_| text.find('\u{fffd}')),
        Err(error) => Some(error.valid_up_to()),
    };
    if let Some(place) = bad {
        let line = bytes[..place].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        let (source_name, encoding) = (source.name.clone(), encoding.unwrap_or("UTF-8"));
        return Err(DataError::NotUtf8 { source_name, line, encoding });
    }
    Ok(String::from_utf8(bytes).unwrap_or_default())
}

/// Texts of one source, each with the name of its file. Those that aren't UTF-8 and have no byte-order mark have one encoding: what
/// a person says, else what all of them together look like. Gives it, if it was used.
pub(super) fn decode_all(
    texts: Vec<(String, Vec<u8>)>,
    source_name: &str,
    said: Option<&str>,
) -> Result<(Vec<String>, Option<&'static str>), DataError> {
    let said = said.map(|name| by_name(source_name, name)).transpose()?;
    let mut detector = EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    let is_unknown =
        |bytes: &[u8]| Encoding::for_bom(bytes).is_none() && std::str::from_utf8(bytes).is_err();
    for (_, bytes) in texts.iter().filter(|(_, bytes)| is_unknown(bytes)) {
        detector.feed(bytes, false);
    }
    let other = said.unwrap_or_else(|| detector.guess(None, chardetng::Utf8Detection::Deny));
    let mut used = None;
    let decoded = texts.into_iter().map(|(name, bytes)| {
        let encoding = match Encoding::for_bom(&bytes) {
            Some((encoding, _)) => encoding,
            None if said.is_none() && !is_unknown(&bytes) => UTF_8,
            None => other,
        };
        let (text, encoding, is_bad) = encoding.decode(&bytes);
        if encoding != UTF_8 {
            used = Some(encoding.name());
        }
        if is_bad {
            return Err(DataError::BadText { source_name: name, encoding: encoding.name() });
        }
        Ok(text.into_owned())
    });
    Ok((decoded.collect::<Result<_, _>>()?, used))
}

fn by_name(source_name: &str, name: &str) -> Result<&'static Encoding, DataError> {
    Encoding::for_label(name.as_bytes()).ok_or_else(|| DataError::UnknownEncoding {
        source_name: source_name.into(),
        name: name.into(),
    })
}

/// Whether bytes are UTF-8, a letter cut at the end apart.
fn is_utf8(bytes: &[u8], is_all: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !is_all && error.error_len().is_none(),
    }
}

fn guess(bytes: &[u8], is_all: bool) -> &'static Encoding {
    let mut detector = EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, is_all);
    detector.guess(None, chardetng::Utf8Detection::Deny)
}
