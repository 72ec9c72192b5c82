//! Names of files in zip archives, which say of them only whether they are UTF-8.

use std::borrow::Cow;
use std::collections::HashSet;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, GBK, WINDOWS_1252};

/// Names, decoded, and what those were read as that aren't UTF-8, if there are any.
///
/// Different names stay different: bytes that can't be decoded are given as `%B9`.
///
/// # Arguments
///
/// * `raw`: the names as they are stored.
/// * `cp437`: the names as the zip format has them if nothing is said: as CP437.
/// * `said`: an encoding that a person named.
pub(super) fn decode(
    raw: &[&[u8]],
    cp437: Vec<Option<String>>,
    said: Option<&str>,
) -> (Vec<String>, Option<&'static str>) {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut bytes: HashSet<u8> = HashSet::new();
    let mut is_other = false;
    for name in raw.iter().filter(|name| std::str::from_utf8(name).is_err()) {
        is_other = true;
        bytes.extend(name.iter().copied().filter(|byte| !byte.is_ascii()));
        detector.feed(name, false);
        detector.feed(b"\n", false);
    }
    if !is_other {
        let names = raw.iter().map(|name| String::from_utf8_lossy(name).into_owned());
        return (names.collect(), None);
    }
    detector.feed(b"", true);
    let guess = || detector.guess(None, Utf8Detection::Deny);
    let encoding = said.and_then(|said| Encoding::for_label(said.as_bytes()));
    // Names are short for a guess by how often letters are.
    let chinese = is_chinese(raw).then_some(GBK);
    let encoding = encoding.or(chinese).unwrap_or_else(guess);
    // CP437 has letters where Windows-1252 has punctuation, and lines of boxes where that has letters.
    let is_cp437 =
        said.is_none() && encoding == WINDOWS_1252 && bytes.iter().all(|&byte: &u8| byte < 0xb0);
    let as_read = |(name, cp437): (&&[u8], Option<String>)| {
        if let Ok(name) = std::str::from_utf8(name) {
            return name.to_owned();
        }
        if is_cp437 && let Some(name) = cp437 {
            return name;
        }
        let decoded = encoding.decode_without_bom_handling_and_without_replacement(name);
        decoded.map_or_else(|| escaped(name), Cow::into_owned)
    };
    let mut names: Vec<String> = raw.iter().zip(cp437).map(as_read).collect();
    let n_distinct = names.iter().collect::<HashSet<_>>().len();
    if n_distinct < raw.iter().collect::<HashSet<_>>().len() {
        names = raw.iter().map(|name| escaped(name)).collect();
    }
    (names, Some(if is_cp437 { "CP437" } else { encoding.name() }))
}

/// Whether all that isn't ASCII are pairs of bytes that are Chinese characters in GB 2312.
fn is_chinese(names: &[&[u8]]) -> bool {
    let others = names.iter().filter(|name| std::str::from_utf8(name).is_err());
    let mut runs = others.flat_map(|name| name.split(u8::is_ascii)).filter(|run| !run.is_empty());
    runs.all(|run| {
        let (pairs, rest) = run.as_chunks::<2>();
        let is_character = |&[first, second]: &[u8; 2]| {
            (0xb0..=0xf7).contains(&first) && (0xa1..=0xfe).contains(&second)
        };
        rest.is_empty() && pairs.iter().all(is_character)
    })
}

/// Bytes as text, those that aren't UTF-8 as `%B9`. What looks so already stays distinct: its `%` becomes `%25`.
pub(super) fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text += &chunk.valid().replace('%', "%25");
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(raw: &[&[u8]], said: Option<&str>) -> (Vec<String>, Option<&'static str>) {
        decode(raw, raw.iter().map(|_| Some("as CP437".into())).collect(), said)
    }

    #[test]
    fn names_are_decoded_by_what_they_look_like() {
        // Dog, fish, bird.
        let gbk: [&[u8]; 3] = [b"\xb9\xb7/0.png", b"\xd3\xe3/0.png", b"\xc4\xf1/0.png"];
        let found = names(&gbk, None);
        assert_eq!(
            (found.0.as_slice(), found.1),
            (["狗/0.png", "鱼/0.png", "鸟/0.png"].map(String::from).as_slice(), Some("GBK"))
        );
        assert_eq!(names(&[b"caf\xe9/1", b"th\xe9/1"], None).0, ["café/1", "thé/1"]);
        assert_eq!(names(&[b"caf\x82/1"], None), (vec!["as CP437".into()], Some("CP437")));
        assert_eq!(names(&["thé".as_bytes()], None), (vec!["thé".into()], None));
        assert_eq!(names(&[b"caf\xe9"], Some("iso-8859-2")).1, Some("ISO-8859-2"));
    }

    #[test]
    fn undecodable_names_stay_distinct() {
        let found = names(&[b"\x81\xff/1", b"\x81\xfe/1", b"%81/1"], Some("shift_jis")).0;
        assert_eq!(found.iter().collect::<HashSet<_>>().len(), 3, "{found:?}");
        assert_ne!(escaped(b"\xff"), escaped(b"%FF"));
    }
}
