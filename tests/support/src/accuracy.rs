//! How well clusters are the classes that a test made.

/// The cluster of each class, where each class is matched to one cluster and each cluster to one class, so that as many samples
/// as can be are in the cluster of their class.
///
/// The i-th of `classes` and of `clusters` are of one sample. Every subset of the clusters is tried, so that nothing is taken
/// from the program's own matching: at most 16 of each.
///
/// # Panics
///
/// If the two differ in length, are empty, or name a 17th class or cluster.
#[must_use]
pub fn matching(classes: &[usize], clusters: &[usize]) -> Vec<usize> {
    assert_eq!(classes.len(), clusters.len(), "a class and a cluster for each sample");
    let largest = classes.iter().chain(clusters).max().expect("at least one sample");
    let n = largest + 1;
    assert!(n <= 16, "{n} classes or clusters are too many to try");
    let mut counts = vec![vec![0u32; n]; n];
    for (&class, &cluster) in classes.iter().zip(clusters) {
        counts[class][cluster] += 1;
    }
    // The most samples that can be right if the first classes, as many as bits are set, have the clusters of these bits, and
    // the cluster that the last of these classes has then.
    let mut best = vec![(0, 0); 1 << n];
    for taken in 1usize..1 << n {
        let class = taken.count_ones() as usize - 1;
        let last = (0..n).filter(|cluster| taken & (1 << cluster) != 0);
        let right = |cluster: usize| best[taken ^ (1 << cluster)].0 + counts[class][cluster];
        best[taken] = last.map(|cluster| (right(cluster), cluster)).max().unwrap();
    }
    let mut left = (1 << n) - 1;
    let mut matched: Vec<usize> = (0..n)
        .map(|_| {
            let cluster = best[left].1;
            left ^= 1 << cluster;
            cluster
        })
        .collect();
    matched.reverse();
    matched
}

/// Share of the samples that are in the cluster of their class by the [`matching`]: 1 / K where K classes of equal size share
/// one cluster.
///
/// # Panics
///
/// As [`matching`].
#[must_use]
pub fn accuracy(classes: &[usize], clusters: &[usize]) -> f64 {
    let matched = matching(classes, clusters);
    let right =
        classes.iter().zip(clusters).filter(|&(&class, &cluster)| matched[class] == cluster);
    right.count() as f64 / classes.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{accuracy, matching};

    #[test]
    fn a_collapse_into_one_cluster_scores_one_class() {
        let classes: Vec<usize> = (0..300).map(|sample| sample % 3).collect();
        for cluster in 0..3 {
            assert_eq!(accuracy(&classes, &[cluster; 300]), 1.0 / 3.0);
        }
        // The other way round, too: a class that is cut into three.
        assert_eq!(accuracy(&[0; 300], &classes), 1.0 / 3.0);
    }

    #[test]
    fn two_classes_in_one_cluster_lose_one_of_them() {
        let classes: Vec<usize> = (0..300).map(|sample| sample % 3).collect();
        let merged: Vec<usize> = classes.iter().map(|&class| class.min(1)).collect();
        assert_eq!(accuracy(&classes, &merged), 2.0 / 3.0);
    }

    #[test]
    fn what_clusters_are_called_does_not_matter() {
        let classes: Vec<usize> = (0..100).map(|sample| sample % 5).collect();
        let renamed: Vec<usize> = classes.iter().map(|&class| [7, 2, 0, 9, 4][class]).collect();
        assert_eq!(accuracy(&classes, &renamed), 1.0);
        assert_eq!(matching(&classes, &renamed)[..5], [7, 2, 0, 9, 4]);
    }

    /// The largest count first, 5 of class 0 in cluster 0, leaves nothing for class 1; in all, 4 + 4 is the most.
    #[test]
    fn the_best_matching_is_not_the_greedy_one() {
        let counts = [[5, 4], [4, 0]];
        let (mut classes, mut clusters) = (Vec::new(), Vec::new());
        for (class, row) in counts.iter().enumerate() {
            for (cluster, &count) in row.iter().enumerate() {
                classes.extend(vec![class; count]);
                clusters.extend(vec![cluster; count]);
            }
        }
        assert_eq!(accuracy(&classes, &clusters), 8.0 / 13.0);
    }
}
