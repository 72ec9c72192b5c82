//! Links of an HDF5 file to other files, which a stranger's file could name at will: the library would open them unasked.

use std::collections::HashSet;
use std::ffi::CString;

use hdf5::{File, Group, LinkType, LocationInfo, LocationType};
use hdf5_sys::h5l::H5Lget_val;
use hdf5_sys::h5p::H5P_DEFAULT;

/// Bytes of a link that are looked at.
const LONGEST: usize = 4096;

/// The first link of a file to another one, by its name, and where it leads.
///
/// All groups are gone through by the links that have to stay in the file (hard ones). Those by name (soft ones) lead to what was seen so, or
/// through a link that is found. O(links).
pub(super) fn to_other_file(file: &File) -> hdf5::Result<Option<(String, String)>> {
    let root = file.as_group()?;
    let mut seen = HashSet::from([identity(&root.loc_info()?)]);
    let mut waiting = vec![root];
    while let Some(group) = waiting.pop() {
        let mut outside = None;
        let visited = group.iter_visit_default(|name, link| {
            match link.link_type {
                LinkType::External => {
                    outside.get_or_insert_with(|| name.to_owned());
                }
                LinkType::Soft => {}
                LinkType::Hard => {
                    let info = group.loc_info_by_name(name)?;
                    // The number of links that a group says it has isn't to be trusted.
                    if info.loc_type == LocationType::Group && seen.insert(identity(&info)) {
                        waiting.push(group.group(name)?);
                    }
                }
            }
            Ok(())
        });
        if let Some(link) = outside {
            let name = format!("{}/{link}", group.name().trim_end_matches('/'));
            return Ok(Some((name, target(&group, &link))));
        }
        visited?;
    }
    Ok(None)
}

/// The names of a group's links within the file, in order: those that are there for sure (hard ones) and, if `soft`, those by name, which may lead nowhere.
pub(super) fn names(group: &Group, soft: bool) -> Vec<String> {
    let mut names = Vec::new();
    let visited = group.iter_visit_default(|name, link| {
        if link.link_type == LinkType::Hard || soft && link.link_type == LinkType::Soft {
            names.push(name.to_owned());
        }
        Ok(())
    });
    // What was seen before an error is there.
    drop(visited);
    names.sort_unstable();
    names
}

/// What tells groups and datasets of a file apart.
pub(super) fn identity(info: &LocationInfo) -> String {
    format!("{:?}", info.token)
}

/// Where an external link leads: `FILE:/NAME`.
fn target(group: &Group, link: &str) -> String {
    let mut value = vec![0_u8; LONGEST];
    let Ok(name) = CString::new(link) else { return String::new() };
    let _lock = hdf5_sys::LOCK.lock();
    // The crate hdf5 has no function for it.
    #[allow(
        unsafe_code,
        reason = "the library writes no more than `value.len()` bytes, and reads a string that ends in 0"
    )]
    let status = unsafe {
        H5Lget_val(group.id(), name.as_ptr(), value.as_mut_ptr().cast(), value.len(), H5P_DEFAULT)
    };
    // A byte of flags, then two strings that end in 0 (H5Lunpack_elink_val).
    let mut strings = value[1..].split(|&byte| byte == 0).map(String::from_utf8_lossy);
    match (status, strings.next(), strings.next()) {
        (0.., Some(file), Some(name)) => format!("{file}:{name}"),
        _ => "unreadable".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use hdf5::File;

    use crate::{FeaturesReader, Recipe, read_dataset};

    fn data_in(path: &Path) -> File {
        let file = File::create(path).unwrap();
        let values = ndarray::array![[1.0_f32, 2.0], [3.0, 5.0], [2.0, 9.0]];
        file.new_dataset_builder().with_data(&values).create("X").unwrap();
        file
    }

    #[test]
    fn a_link_to_another_file_is_refused_by_where_it_leads() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        drop(data_in(&path("other.h5")));
        // Straight, in a group, and beside data that are there.
        for (name, link) in [("a.h5", "linked"), ("b.h5", "deep/er/linked")] {
            let file = data_in(&path(name));
            for group in ["deep", "deep/er"] {
                file.create_group(group).unwrap();
            }
            // Groups in a circle.
            file.link_hard("deep", "deep/er/up").unwrap();
            file.link_soft("/deep/er/linked", "soft").unwrap();
            let other = path("other.h5");
            file.link_external(other.to_str().unwrap(), "/X", link).unwrap();
            drop(file);
            let whole = read_dataset(&[path(name)], &[]).unwrap_err().to_string();
            let named = path(&format!("{name}:/soft"));
            let named = read_dataset(&[named], &[]).unwrap_err().to_string();
            let streamed = FeaturesReader::open(&[path(name)], &[], &Recipe::default());
            let streamed = streamed.err().unwrap().to_string();
            for message in [whole, named, streamed] {
                assert!(message.contains(&format!("{name}:/{link}: ")), "{message}");
                assert!(message.contains("other.h5:/X), which is not supported"), "{message}");
                assert_eq!(message.lines().count(), 1);
            }
        }
    }

    #[test]
    fn links_within_the_file_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.h5");
        let file = data_in(&path);
        file.create_group("a").unwrap();
        file.link_hard("a", "a/again").unwrap();
        file.link_soft("/X", "a/soft").unwrap();
        drop(file);
        let named = format!("{}:/a/again/soft", path.display());
        let data = read_dataset(&[named.into()], &[]).unwrap();
        assert_eq!(data.features.n_samples(), 3);
    }

    /// Found by the test of damaged files.
    #[test]
    fn a_group_in_itself_that_says_it_has_one_link_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.h5");
        let file = data_in(&path);
        file.create_group("deep").unwrap();
        drop(file);
        // The header of the root, with its link to the group, in the place of the group's own.
        let mut bytes = fs::read(&path).unwrap();
        let places: Vec<usize> =
            (0..bytes.len() - 4).filter(|&at| &bytes[at..at + 4] == b"OHDR").collect();
        let [root, next, .., group] = places[..] else { panic!("{places:?}") };
        let end = next.min(root + bytes.len() - group);
        bytes.copy_within(root..end, group);
        fs::write(&path, bytes).unwrap();
        let file = File::open(&path).unwrap();
        assert_eq!(file.group("deep/deep/deep").unwrap().loc_info().unwrap().num_links, 1);
        drop(file);
        // The group has the root's data, which are the same, and count once.
        assert_eq!(read_dataset(&[path], &[]).unwrap().features.n_samples(), 3);
    }
}
