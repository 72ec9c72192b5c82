//! Communities of a weighted graph, about as many as asked for.

use std::collections::{BTreeMap, BTreeSet};

use leiden_rs::{
    GraphData, GraphDataBuilder, Leiden, LeidenConfig, LeidenError, Partition, QualityType,
};

/// Pairs of nodes with a weight, none twice.
pub(crate) type Edges = [(u32, u32, f32)];

/// Fine communities are this many times as many as those that are wanted: as many as there would be if all were as large as the
/// one that a random node is in.
const FINE: f64 = 5.0;
/// Times that the resolution of the fine communities is doubled, if they are too few.
const DOUBLINGS: usize = 8;
/// The lowest resolution: below, all that is connected is one community.
const LOWEST: f64 = 1e-3;
/// Halvings of the interval in which a resolution is sought, in logarithms: to a part in a thousand.
const HALVINGS: usize = 14;

/// With more nodes, fine communities aren't refined, and are those of Louvain: leiden-rs 0.8.1 clears as much memory as all nodes take for every community that it refines, and
/// there are more of these the more nodes there are. Some may then be in pieces; what comes of them is refined.
const MANY: usize = 100_000;

/// The community of every node, by the Leiden algorithm (V. Traag, L. Waltman and N. van Eck, *From Louvain to Leiden*, 2019) with
/// the quality of Reichardt and Bornholdt, at the resolution where the number of communities with at least `min_size` nodes is
/// nearest to `wanted`. Smaller ones are then joined to those that they are most connected with, if to any.
///
/// Communities have numbers below that of nodes, in no order. The resolution is sought on a graph of many small
/// communities, found at a high resolution, so that the whole graph is gone through three times or so. O(edges) each.
///
/// # Errors
///
/// What the crate says of edges and settings; there is nothing that valid ones can cause.
pub(crate) fn communities(
    edges: &Edges,
    n_nodes: usize,
    wanted: f64,
    min_size: usize,
    seed: u64,
) -> Result<Vec<usize>, LeidenError> {
    let whole = graph(n_nodes, edges.iter().map(|&(a, b, w)| (a as usize, b as usize, w.into())))?;
    let fine_at =
        |resolution| leiden_at(&whole, resolution, seed, Start::Alone { refined: n_nodes <= MANY });
    let mut highest = wanted.max(1.0);
    let mut fine = fine_at(highest)?;
    for _ in 0..DOUBLINGS {
        if effective_number(&fine.community_sizes()) >= FINE * wanted {
            break;
        }
        highest *= 2.0;
        fine = fine_at(highest)?;
    }
    let of_fine = fine.as_slice();
    let sizes = fine.community_sizes();
    let mut between = BTreeMap::new();
    for &(a, b, weight) in edges {
        let (a, b) = (of_fine[a as usize], of_fine[b as usize]);
        *between.entry((a.min(b), a.max(b))).or_insert(0.0) += f64::from(weight);
    }
    let small = graph(sizes.len(), between.into_iter().map(|((a, b), weight)| (a, b, weight)))?;
    let large_ones = |found: &Partition| {
        let mut nodes = vec![0; found.num_communities()];
        found.as_slice().iter().zip(&sizes).for_each(|(&joined, size)| nodes[joined] += size);
        nodes.into_iter().filter(|&nodes| nodes >= min_size).count()
    };
    let (mut low, mut high) = (LOWEST.ln(), highest.ln());
    let mut best: Option<(f64, f64, Partition)> = None;
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let found = leiden_at(&small, middle.exp(), seed, Start::Alone { refined: true })?;
        #[expect(clippy::cast_precision_loss, reason = "a number of communities")]
        let ahead = large_ones(&found) as f64 - wanted;
        if best.as_ref().is_none_or(|best| ahead.abs() < best.0) {
            best = Some((ahead.abs(), middle.exp(), found));
        }
        if ahead < 0.0 { low = middle } else { high = middle }
    }
    let (_, resolution, joined) = best.expect("at least one resolution was tried");
    let start = of_fine.iter().map(|&fine| joined.community_of(fine)).collect();
    let start = Start::From(Partition::from_membership(start));
    let found = leiden_at(&whole, resolution, seed, start)?;
    Ok(islands_joined(found.as_slice(), edges, min_size))
}

/// The community of every node at a resolution. Numbers are below that of nodes.
///
/// # Errors
///
/// As [`communities`].
pub(crate) fn communities_at(
    edges: &Edges,
    n_nodes: usize,
    resolution: f64,
    seed: u64,
) -> Result<Vec<usize>, LeidenError> {
    let whole = graph(n_nodes, edges.iter().map(|&(a, b, w)| (a as usize, b as usize, w.into())))?;
    let start = Start::Alone { refined: true };
    Ok(leiden_at(&whole, resolution, seed, start)?.as_slice().to_vec())
}

/// Where communities come from.
enum Start {
    /// From nodes, each of which is alone; unless they are `refined`, they may be in pieces.
    Alone { refined: bool },
    /// From others.
    From(Partition),
}

fn leiden_at(
    graph: &GraphData,
    resolution: f64,
    seed: u64,
    start: Start,
) -> Result<Partition, LeidenError> {
    let leiden = Leiden::new(LeidenConfig {
        // Levels, not passes: it ends when nothing moves any more.
        max_iterations: 1000,
        resolution,
        seed: Some(seed),
        quality: QualityType::RBConfiguration,
        skip_refinement: matches!(start, Start::Alone { refined: false }),
        ..LeidenConfig::default()
    });
    let found = match start {
        Start::From(start) => leiden.run_with_initial_partition(graph, start)?,
        Start::Alone { .. } => leiden.run(graph)?,
    };
    Ok(found.partition)
}

/// How many communities there would be if all were as large as the one that a random node is in.
#[expect(clippy::cast_precision_loss, reason = "sizes")]
fn effective_number(sizes: &[usize]) -> f64 {
    let sum = |power| sizes.iter().map(|&size| (size as f64).powi(power)).sum::<f64>();
    sum(1).powi(2) / sum(2)
}

fn graph(
    n_nodes: usize,
    edges: impl Iterator<Item = (usize, usize, f64)>,
) -> Result<GraphData, LeidenError> {
    let mut builder = GraphDataBuilder::new(n_nodes);
    for (a, b, weight) in edges {
        builder.add_edge(a, b, weight)?;
    }
    builder.build()
}

/// Joins communities of fewer than `min_size` nodes, the smallest first, to those that they are most connected with (ties: the
/// first). Those without a connection stay.
fn islands_joined(communities: &[usize], edges: &Edges, min_size: usize) -> Vec<usize> {
    let count = communities.iter().max().map_or(0, |&last| last + 1);
    let mut sizes = vec![0; count];
    communities.iter().for_each(|&community| sizes[community] += 1);
    let mut near: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); count];
    for &(a, b, weight) in edges {
        let (a, b) = (communities[a as usize], communities[b as usize]);
        if a != b {
            *near[a].entry(b).or_insert(0.0) += f64::from(weight);
            *near[b].entry(a).or_insert(0.0) += f64::from(weight);
        }
    }
    let mut becomes: Vec<usize> = (0..count).collect();
    let is_small = |&(size, _): &(usize, usize)| size < min_size;
    let mut queue: BTreeSet<(usize, usize)> =
        sizes.iter().copied().zip(0..).filter(is_small).collect();
    while let Some((size, island)) = queue.pop_first() {
        let links = std::mem::take(&mut near[island]);
        let by_weight =
            |a: &(&usize, &f64), b: &(&usize, &f64)| a.1.total_cmp(b.1).then(b.0.cmp(a.0));
        let Some((&into, _)) = links.iter().max_by(by_weight) else { continue };
        becomes[island] = into;
        queue.remove(&(sizes[into], into));
        sizes[into] += size;
        for (other, weight) in links {
            near[other].remove(&island);
            if other != into {
                *near[into].entry(other).or_insert(0.0) += weight;
                *near[other].entry(into).or_insert(0.0) += weight;
            }
        }
        if is_small(&(sizes[into], into)) {
            queue.insert((sizes[into], into));
        }
    }
    let last = |mut community: usize| {
        while becomes[community] != community {
            community = becomes[community];
        }
        community
    };
    communities.iter().map(|&community| last(community)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rings of nodes that are each joined to the next two, and rings to the next by one edge each if `chained`.
    fn rings(sizes: &[u32], chained: bool) -> (Vec<(u32, u32, f32)>, Vec<u32>) {
        let (mut edges, mut ring_of, mut first) = (Vec::new(), Vec::new(), 0);
        for (ring, &size) in (0..).zip(sizes) {
            for node in 0..size {
                for step in 1..=2 {
                    let (a, b) = (first + node, first + (node + step) % size);
                    edges.push((a.min(b), a.max(b), 1.0));
                }
                ring_of.push(ring);
            }
            first += size;
            if chained && (ring as usize) + 1 < sizes.len() {
                edges.push((first - 1, first, 0.2));
            }
        }
        (edges, ring_of)
    }

    /// Communities in the order of their first nodes.
    fn found(edges: &Edges, n_nodes: usize, wanted: f64, min_size: usize) -> Vec<u32> {
        let communities = communities(edges, n_nodes, wanted, min_size, 1).unwrap();
        let mut seen: Vec<usize> = Vec::new();
        let number = |community: &usize| {
            let known = seen.iter().position(|seen| seen == community);
            u32::try_from(known.unwrap_or_else(|| {
                seen.push(*community);
                seen.len() - 1
            }))
        };
        communities.iter().map(number).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn as_many_are_found_as_there_are() {
        let (edges, ring_of) = rings(&[30, 25, 20, 15], true);
        assert_eq!(found(&edges, 90, 4.2, 5), ring_of);
        let two = found(&edges, 90, 2.0, 5);
        assert_eq!(two.iter().max(), Some(&1), "{two:?}");
        let many = found(&edges, 90, 9.0, 2);
        assert!((7..12).contains(&(many.iter().max().unwrap() + 1)), "{many:?}");
    }

    #[test]
    fn many_nodes_have_the_communities_that_few_have() {
        // 24 crowds, each of hundreds of rings that touch the next ones.
        let (rings_of_crowd, crowds) = (220_u32, 24_u32);
        let crowd = rings(&vec![20; rings_of_crowd as usize], true).0;
        let size = rings_of_crowd * 20;
        let mut edges = Vec::new();
        for at in 0..crowds {
            edges.extend(crowd.iter().map(|&(a, b, w)| (a + at * size, b + at * size, w)));
            // Rings of a crowd have many ways to each other, and crowds one.
            for node in 0..size {
                let other = (node.wrapping_mul(7919) + 13) % size;
                if node < other {
                    edges.push((node + at * size, other + at * size, 0.3));
                }
            }
            if at > 0 {
                edges.push((at * size - 1, at * size, 0.1));
            }
        }
        edges.sort_unstable_by_key(|&(a, b, _)| (a, b));
        edges.dedup_by_key(|&mut (a, b, _)| (a, b));
        let n_nodes = (crowds * size) as usize;
        assert!(n_nodes > MANY);
        let found = found(&edges, n_nodes, f64::from(crowds), 100);
        let of_crowd = |at: u32| &found[(at * size) as usize..][..size as usize];
        for at in 0..crowds {
            assert!(of_crowd(at).iter().all(|&community| community == at), "crowd {at}");
        }
    }

    #[test]
    fn pieces_stay_apart_and_islands_are_joined_where_they_touch() {
        let (edges, ring_of) = rings(&[30, 25, 5], false);
        assert_eq!(found(&edges, 60, 2.0, 10), ring_of, "nothing touches");
        let (edges, _) = rings(&[30, 25, 5], true);
        let joined = found(&edges, 60, 2.0, 10);
        assert_eq!(joined[55..], [joined[54]; 5], "to the last ring, which they touch");
        assert_eq!(joined.iter().max(), Some(&1));
    }

    #[test]
    fn without_edges_every_node_is_alone() {
        assert_eq!(found(&[], 3, 2.0, 1), [0, 1, 2]);
        assert_eq!(found(&[], 1, 2.0, 1), [0]);
        assert_eq!(found(&[(0, 1, 1.0)], 2, 1.0, 1), [0, 0]);
    }

    #[test]
    fn the_smallest_islands_are_joined_first() {
        // Node 0 alone touches node 1, which touches the two others.
        let edges = [(0, 1, 1.0), (1, 2, 0.5), (2, 3, 1.0)];
        assert_eq!(islands_joined(&[0, 1, 2, 2], &edges, 2), [1, 1, 2, 2]);
        assert_eq!(islands_joined(&[0, 1, 2, 2], &edges, 3), [2, 2, 2, 2]);
    }
}
