//! Numbers of strong positive edges, without comparing all pairs.

use rayon::prelude::*;

use crate::{
    AgreementGraph, SignatureIdx, Threads,
    agreeing::Agreeing,
    patterns::{Patterns, binomial},
};

impl AgreementGraph<'_> {
    /// Number of strong positive edges of each signature's samples, each counting itself, shape
    /// (n_signatures); 0 for those that don't pass the gate, or have too few votes.
    ///
    /// # Complexity
    ///
    /// For each two patterns of missing votes (one, if none is missing), the smaller of O(pairs of their
    /// signatures) and O(their signatures * subsets of at least `min_agree` of their common models). With
    /// `min_agree` near the number of models, that is near-linear. Subsets in which a signature is alone are not
    /// looked at; where there are many clusters, most are.
    #[must_use]
    pub fn degrees(&self, threads: &Threads<'_>) -> Vec<u64> {
        let all: Vec<SignatureIdx> = self.signatures().iter().collect();
        threads.run(|| Counting::among(self, &all, Method::Cheapest).run())
    }
}

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

/// How the edges from one pattern's signatures to another's are counted.
enum Task {
    /// By subsets of models in which they agree.
    Subsets { columns: usize, models: Vec<usize>, min_agree: usize },
    /// By comparing all pairs.
    Pairs { columns: usize },
    /// There are none but those among a signature's own samples.
    Own,
}

/// A plan to count strong positive edges.
pub(crate) struct Counting<'g, 'a> {
    graph: &'g AgreementGraph<'a>,
    rows: Patterns,
    /// `None` if they are the rows.
    columns: Option<Patterns>,
    /// By pattern of the rows.
    tasks: Vec<Vec<Task>>,
    cost: u64,
    nanoseconds: u64,
}

/// Rows left and columns removed agree in few models: most subsets find no row with a column in them and aren't
/// gone on with. So many times less is the cost, about; measured.
const APART: u64 = 8;

/// What it takes to start walking subsets, in comparisons of a pair, about.
const SETUP: u64 = 1 << 10;

/// Nanoseconds of a comparison of a pair, and of a signature in a subset that all of them are looked up in. Measured on a million
/// samples of ten models, about.
const PAIR: u64 = 4;
const ENTRY: u64 = 100;

/// Of more pairs of patterns of missing votes than this, none is planned for by itself: all pairs of signatures
/// are compared.
const MAX_PATTERN_PAIRS: usize = 1 << 16;

impl<'g, 'a> Counting<'g, 'a> {
    /// Plans to count the edges among `nodes`, ascending.
    pub(crate) fn among(
        graph: &'g AgreementGraph<'a>,
        nodes: &[SignatureIdx],
        method: Method,
    ) -> Self {
        let rows = Patterns::of(graph.signatures(), &members(graph, nodes));
        Self { graph, rows, columns: None, tasks: Vec::new(), cost: 0, nanoseconds: 0 }.plan(method)
    }

    /// Plans to count the edges from `rows` to `columns`, of which none is among the rows.
    pub(crate) fn between(
        graph: &'g AgreementGraph<'a>,
        rows: &[SignatureIdx],
        columns: &[SignatureIdx],
        method: Method,
    ) -> Self {
        let of = |nodes| Patterns::of(graph.signatures(), &members(graph, nodes));
        let (rows, columns) = (of(rows), Some(of(columns)));
        Self { graph, rows, columns, tasks: Vec::new(), cost: 0, nanoseconds: 0 }.plan(method)
    }

    fn plan(mut self, method: Method) -> Self {
        if self.rows.len() * self.columns().len() > MAX_PATTERN_PAIRS {
            self.rows = self.rows.joined();
            self.columns = self.columns.map(|columns| columns.joined());
            let n_columns = self.columns().nodes[0].len();
            self.cost = self.rows.nodes[0].len() as u64 * n_columns as u64;
            self.nanoseconds = self.cost.saturating_mul(PAIR);
            self.tasks.push(vec![Task::Pairs { columns: 0 }]);
            return self;
        }
        for rows in 0..self.rows.len() {
            let columns = 0..self.columns().len();
            let tasks = columns.filter_map(|columns| self.task(rows, columns, method)).collect();
            self.tasks.push(tasks);
        }
        self
    }

    fn columns(&self) -> &Patterns {
        self.columns.as_ref().unwrap_or(&self.rows)
    }

    /// How many comparisons of a pair take as long, about.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }

    /// How long it takes on one thread, about.
    pub(crate) fn nanoseconds(&self) -> u64 {
        self.nanoseconds
    }

    /// For all signatures of the graph the number of edges, 0 for those that are not among the rows.
    pub(crate) fn run(&self) -> Vec<u64> {
        let of_patterns: Vec<Vec<u64>> =
            (0..self.rows.len()).into_par_iter().map(|rows| self.count(rows)).collect();
        let mut degrees = vec![0; self.graph.signatures().len()];
        for (nodes, sums) in self.rows.nodes.iter().zip(of_patterns) {
            for (&node, sum) in nodes.iter().zip(sums) {
                if self.graph.can_be_anchor(node) {
                    degrees[node.index()] = sum;
                }
            }
        }
        degrees
    }

    /// How to count the edges from one pattern's signatures to another's, if there can be any.
    fn task(&mut self, rows: usize, columns: usize, method: Method) -> Option<Task> {
        let models = self.rows.common(rows, self.columns(), columns);
        let n_common = u16::try_from(models.len()).unwrap_or(u16::MAX);
        let min_agree = usize::from(self.graph.agreement().at(n_common)?.min_agree);
        if min_agree > models.len() {
            return None;
        }
        let (n_rows, n_columns) =
            (self.rows.nodes[rows].len(), self.columns().nodes[columns].len());
        let is_one = self.columns.is_none() && rows == columns;
        if is_one
            && min_agree == models.len()
            && self.graph.is_symmetric()
            && method == Method::Cheapest
        {
            // Those of one pattern that agree in all models are one signature.
            return Some(Task::Own);
        }
        let n_subsets = (min_agree..=models.len())
            .fold(0u64, |sum, size| sum.saturating_add(binomial(models.len(), size)));
        let n_entries = if is_one { n_rows } else { n_rows + n_columns } as u64;
        let by_subsets = n_subsets.saturating_mul(n_entries).saturating_add(SETUP);
        let by_subsets = if self.columns.is_some() { by_subsets / APART } else { by_subsets };
        let by_pairs = n_rows as u64 * n_columns as u64;
        let use_subsets = match method {
            Method::Cheapest => by_subsets < by_pairs,
            #[cfg(test)]
            other => other == Method::Subsets,
        };
        self.cost = self.cost.saturating_add(by_subsets.min(by_pairs));
        let takes = if use_subsets { (by_subsets, ENTRY) } else { (by_pairs, PAIR) };
        self.nanoseconds = self.nanoseconds.saturating_add(takes.0.saturating_mul(takes.1));
        Some(if use_subsets {
            Task::Subsets { columns, models, min_agree }
        } else {
            Task::Pairs { columns }
        })
    }

    /// The edges of a pattern's signatures.
    fn count(&self, rows: usize) -> Vec<u64> {
        let signatures = self.graph.signatures();
        let nodes = &self.rows.nodes[rows];
        let own = || nodes.par_iter().map(|&node| u64::from(signatures.multiplicity(node)));
        let mut sums = vec![0; nodes.len()];
        let mut add = |counts: Vec<u64>| {
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        };
        for task in &self.tasks[rows] {
            match task {
                Task::Own => add(own().collect()),
                Task::Pairs { columns } => {
                    let columns = &self.columns().nodes[*columns];
                    let degree = |&row| self.graph.degree_among(row, columns.iter().copied());
                    add(nodes.par_iter().map(degree).collect());
                }
                Task::Subsets { columns, models, min_agree } => {
                    let agreeing = Agreeing::new(signatures, models, *min_agree);
                    if self.columns.is_none() && *columns == rows {
                        add(agreeing.within(nodes));
                        add(own().collect());
                    } else {
                        add(agreeing.between(nodes, &self.columns().nodes[*columns]));
                    }
                }
            }
        }
        sums
    }
}

/// Those of `nodes` to which edges can lead; others have none.
fn members(graph: &AgreementGraph<'_>, nodes: &[SignatureIdx]) -> Vec<SignatureIdx> {
    nodes.iter().copied().filter(|&node| graph.can_be_member(node)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Signatures,
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
                let count = |method| Counting::among(&graph, nodes, method).run();
                let by_pairs = count(Method::Pairs);
                prop_assert_eq!(&count(Method::Subsets), &by_pairs);
                prop_assert_eq!(&count(Method::Cheapest), &by_pairs);
            }
            let (rows, columns) = all.split_at(all.len() / 3);
            let count = |method| Counting::between(&graph, rows, columns, method).run();
            let by_pairs = count(Method::Pairs);
            prop_assert_eq!(&count(Method::Subsets), &by_pairs);
            prop_assert_eq!(&count(Method::Cheapest), &by_pairs);
        }
    }
}
