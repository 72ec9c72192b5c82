//! Numbers of strong positive edges, without comparing all pairs.

use std::ops::Range;

use rayon::prelude::*;

use crate::{
    AgreementGraph, SignatureIdx,
    patterns::{Patterns, binomial, subsets},
    shards::for_totals,
};

/// How pairs are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// For each two patterns of missing votes, whatever takes less time.
    Cheapest,
    /// Always by comparing all pairs.
    #[cfg(test)]
    Pairs,
    /// Always by subsets of models.
    #[cfg(test)]
    Subsets,
}

/// Rows that are compared with all columns in one go.
const ROWS: usize = 1 << 10;

/// How many comparisons of a pair take as long as one signature in one subset: measured, about.
const PAIRS_PER_ENTRY: u64 = 6;

/// A part of the counting: adds to the degrees of the row pattern's nodes.
enum Task {
    /// The columns that agree with the row in all `models`, times `factor` (modulo 2⁶⁴).
    Subset { rows: usize, columns: usize, models: Vec<usize>, factor: u64 },
    /// The columns joined to the row, for a part of the rows.
    Pairs { rows: usize, columns: usize, part: Range<usize> },
    /// The row's own samples.
    Own { rows: usize },
}

/// A plan to count strong positive edges among some signatures.
///
/// Those who agree with a row in at least `r` of the `c` models that voted on both are counted by inclusion and
/// exclusion over the subsets of these models: with `S_j` the number of (column, subset of j models in all of
/// which it agrees with the row) it is the sum over j from r to c of (-1)^(j-r) * binomial(j-1, r-1) * S_j
/// (Feller, An Introduction to Probability Theory I, IV.5). `S_j` takes one pass of hashing a subset. Sums are
/// modulo 2⁶⁴: parts can be larger, results are not.
pub(crate) struct Counting<'g, 'a> {
    graph: &'g AgreementGraph<'a>,
    patterns: Patterns,
    tasks: Vec<Task>,
    cost: u64,
}

impl<'g, 'a> Counting<'g, 'a> {
    /// Plans to count the edges among `nodes`, ascending.
    pub(crate) fn plan(
        graph: &'g AgreementGraph<'a>,
        nodes: &[SignatureIdx],
        method: Method,
    ) -> Self {
        let patterns = Patterns::of(graph.signatures(), nodes);
        let mut plan = Self { graph, patterns, tasks: Vec::new(), cost: 0 };
        for rows in 0..plan.patterns.len() {
            for columns in 0..plan.patterns.len() {
                plan.add(rows, columns, method);
            }
        }
        plan
    }

    /// How many comparisons of a pair take as long, about.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// Degrees of all signatures of the graph, 0 for those that are not among the nodes.
    pub(crate) fn run(&self) -> Vec<u64> {
        let zeros = || vec![0; self.graph.signatures().len()];
        let add = |mut sums: Vec<u64>, task: &Task| {
            count(self.graph, &self.patterns, task, &mut sums);
            sums
        };
        self.tasks.par_iter().fold(zeros, add).reduce(zeros, |mut sums, others| {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = sum.wrapping_add(other);
            }
            sums
        })
    }

    /// Adds the tasks for the edges from one pattern's signatures to another's.
    fn add(&mut self, rows: usize, columns: usize, method: Method) {
        let common = self.patterns.common(rows, columns);
        let n_common = u16::try_from(common.len()).unwrap_or(u16::MAX);
        let Some(thresholds) = self.graph.agreement().at(n_common) else { return };
        let min_agree = usize::from(thresholds.min_agree);
        if min_agree > common.len() {
            return;
        }
        let is_own = min_agree == common.len() && rows == columns && self.graph.is_symmetric();
        if is_own && method == Method::Cheapest {
            // Those of one pattern that agree in all models are one signature.
            self.tasks.push(Task::Own { rows });
            return;
        }
        let n_rows = self.patterns.nodes[rows].len();
        let n_columns = self.patterns.nodes[columns].len();
        let n_entries = if rows == columns { n_rows } else { n_rows + n_columns } as u64;
        let n_subsets = (min_agree..=common.len())
            .fold(0u64, |sum, size| sum.saturating_add(binomial(common.len(), size)));
        let by_subsets = n_subsets.saturating_mul(PAIRS_PER_ENTRY * n_entries);
        let by_pairs = n_rows as u64 * n_columns as u64;
        let use_subsets = match method {
            Method::Cheapest => by_subsets < by_pairs,
            #[cfg(test)]
            other => other == Method::Subsets,
        };
        self.cost = self.cost.saturating_add(if use_subsets { by_subsets } else { by_pairs });
        if use_subsets {
            self.add_subsets(rows, columns, &common, min_agree);
        } else {
            self.tasks.extend((0..n_rows).step_by(ROWS).map(|start| {
                let part = start..n_rows.min(start + ROWS);
                Task::Pairs { rows, columns, part }
            }));
        }
    }

    fn add_subsets(&mut self, rows: usize, columns: usize, common: &[usize], min_agree: usize) {
        for size in min_agree..=common.len() {
            let ways = binomial(size - 1, min_agree - 1);
            let factor =
                if (size - min_agree).is_multiple_of(2) { ways } else { ways.wrapping_neg() };
            let subsets = subsets(common, size).into_iter();
            let task = |models| Task::Subset { rows, columns, models, factor };
            self.tasks.extend(subsets.map(task));
        }
    }
}

fn count(graph: &AgreementGraph<'_>, patterns: &Patterns, task: &Task, sums: &mut [u64]) {
    let signatures = graph.signatures();
    match task {
        Task::Own { rows } => {
            for &row in patterns.nodes[*rows].iter().filter(|&&row| graph.can_be_anchor(row)) {
                let own = u64::from(signatures.multiplicity(row));
                sums[row.index()] = sums[row.index()].wrapping_add(own);
            }
        }
        Task::Pairs { rows, columns, part } => {
            for &row in &patterns.nodes[*rows][part.clone()] {
                let columns = patterns.nodes[*columns].iter().copied();
                let degree = graph.degree_among(row, columns);
                sums[row.index()] = sums[row.index()].wrapping_add(degree);
            }
        }
        Task::Subset { rows, columns, models, factor } => {
            let mask = signatures.layout.mask(models.iter().copied());
            let columns_at = if rows == columns { 0 } else { patterns.nodes[*rows].len() };
            let mut nodes = patterns.nodes[*rows].clone();
            if rows != columns {
                nodes.extend(&patterns.nodes[*columns]);
            }
            let weight = |at: usize| {
                let is_column = at >= columns_at && graph.can_be_member(nodes[at]);
                if is_column { u64::from(signatures.multiplicity(nodes[at])) } else { 0 }
            };
            for_totals(signatures, &nodes, &mask, weight, |at, total| {
                let node = nodes[at];
                if (rows == columns || at < columns_at) && graph.can_be_anchor(node) {
                    let sum = &mut sums[node.index()];
                    *sum = sum.wrapping_add(total.wrapping_mul(*factor));
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Signatures, Threads,
        common::{fitting, params, votes},
    };

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn subsets_count_what_pairs_count(votes in votes(), params in params()) {
            let agreement = fitting(&votes, &params).check(votes.n_models()).unwrap();
            let threads = Threads::new(2).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
            let all: Vec<SignatureIdx> = signatures.iter().collect();
            for nodes in [&all[..], &all[all.len() / 2..]] {
                let count = |method| Counting::plan(&graph, nodes, method).run();
                let by_pairs = count(Method::Pairs);
                prop_assert_eq!(&count(Method::Subsets), &by_pairs);
                prop_assert_eq!(&count(Method::Cheapest), &by_pairs);
            }
        }
    }
}
