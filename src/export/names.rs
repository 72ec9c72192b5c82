//! Names that a user gives to clusters.

use std::collections::HashMap;
use std::path::Path;

use consilience_data::ClusterId;

use crate::RunError;

/// A name for each cluster. Where none was given it is the cluster's number or, where others are called by classes, whose names may be numbers, such as
/// `cluster 7`. Several may have the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelNames(Vec<String>);

impl LabelNames {
    /// Takes names of some of `n_clusters` clusters.
    ///
    /// # Errors
    ///
    /// [`RunError::Setting`] for a cluster that isn't there or is named twice, and for an empty name.
    pub fn new(n_clusters: usize, given: &[(usize, String)]) -> Result<Self, RunError> {
        Self::with_classes(n_clusters, given, &HashMap::new())
    }

    /// As [`LabelNames::new`], of a run that was told `classes`: the cluster of each, and its name, which it has unless another is given.
    ///
    /// # Errors
    ///
    /// As [`LabelNames::new`].
    pub fn with_classes(
        n_clusters: usize,
        given: &[(usize, String)],
        classes: &HashMap<usize, String>,
    ) -> Result<Self, RunError> {
        let mut names: Vec<Option<&str>> = vec![None; n_clusters];
        for (cluster, name) in given {
            let wrong = |need: String| {
                let got = format!("{cluster}={name}");
                Err(RunError::Setting { name: "name", need, got })
            };
            match names.get_mut(*cluster) {
                None => return wrong(format!("a cluster below {n_clusters}")),
                Some(Some(_)) => return wrong("one name a cluster".into()),
                Some(_) if name.is_empty() => return wrong("a name for the cluster".into()),
                Some(_) if classes.is_empty() && is_another(*cluster, name, n_clusters) => {
                    return wrong("a name that is no other cluster's number".into());
                }
                Some(slot) => *slot = Some(name),
            }
        }
        let called = |(cluster, name): (usize, Option<&str>)| {
            let name = name.or_else(|| classes.get(&cluster).map(String::as_str));
            name.map_or_else(|| unnamed(cluster, !classes.is_empty()), String::from)
        };
        Ok(Self(names.into_iter().enumerate().map(called).collect()))
    }

    /// Reads pairs of cluster and name from a CSV file, with a line of column names above them or without.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] for a file that can't be read, and for a line that is no pair of number and name.
    pub fn read(path: &Path) -> Result<Vec<(usize, String)>, RunError> {
        let advice = "give a line such as 3,cat for each cluster";
        let refused = |why: &str| Err(RunError::folder(path, &format!("{why}; {advice}")));
        let mut reader = match csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_path(path)
        {
            Ok(reader) => reader,
            Err(error) => return refused(&format!("the names can't be read: {error}")),
        };
        let mut pairs = Vec::new();
        for (row, record) in reader.records().enumerate() {
            let record = match record {
                Ok(record) => record,
                Err(error) => return refused(&format!("the names can't be read: {error}")),
            };
            let cluster = record.get(0).and_then(|cell| cell.parse().ok());
            match (cluster, record.get(1), record.len()) {
                (Some(cluster), Some(name), 2) => pairs.push((cluster, name.to_owned())),
                (None, Some(_), 2) if row == 0 => {}
                _ => return refused(&format!("line {} is not a cluster and a name", row + 1)),
            }
        }
        Ok(pairs)
    }

    /// What `label` is called.
    #[must_use]
    pub fn of(&self, label: ClusterId) -> &str {
        &self.0[label.index()]
    }

    /// All names, length n_clusters.
    #[must_use]
    pub fn all(&self) -> &[String] {
        &self.0
    }
}

/// What a cluster without a name is called. `has_classes`: whether others are called by classes.
fn unnamed(cluster: usize, has_classes: bool) -> String {
    if has_classes { format!("cluster {cluster}") } else { cluster.to_string() }
}

/// Whether `name` is the number of another cluster.
fn is_another(cluster: usize, name: &str, n_clusters: usize) -> bool {
    name.parse().is_ok_and(|number: usize| number != cluster && number < n_clusters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_keep_their_number_until_they_are_named() {
        let names = LabelNames::new(3, &[(2, "cat".into()), (0, "cat".into())]).unwrap();
        assert_eq!(names.all(), ["cat", "1", "cat"]);
        for (cluster, name, part) in
            [(3, "x", "below 3"), (2, "dog", "one name"), (1, "", "a name"), (1, "0", "no other")]
        {
            let given = [(2, "cat".to_owned()), (cluster, name.into())];
            let error = LabelNames::new(3, &given).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn classes_may_be_called_by_numbers() {
        let classes = HashMap::from([(0, "3".to_owned()), (3, "0".into())]);
        let names = |given: &[(usize, String)]| LabelNames::with_classes(4, given, &classes);
        assert_eq!(names(&[]).unwrap().all(), ["3", "cluster 1", "cluster 2", "0"]);
        let given = [(1, "7".into()), (3, "none".into())];
        assert_eq!(names(&given).unwrap().all(), ["3", "7", "cluster 2", "none"]);
        assert!(names(&[(4, "x".into())]).is_err());
    }

    #[test]
    fn names_are_read_with_and_without_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("names.csv");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            LabelNames::read(&path).map_err(|error| error.to_string())
        };
        let expected = vec![(3, "cat".to_owned()), (1, "a, b".to_owned())];
        assert_eq!(read("3,cat\n1,\"a, b\"\n").unwrap(), expected);
        assert_eq!(read("cluster,name\n3, cat\n1,\"a, b\"").unwrap(), expected);
        for (text, part) in [("3,cat\ndog,1\n", "line 2 is no"), ("3\n", "line 1 is no")] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part) && error.contains("names.csv"), "{error}");
        }
        assert!(LabelNames::read(Path::new("/none.csv")).is_err());
    }
}
