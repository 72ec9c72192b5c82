//! The graph, or a part of it, as a file that graph tools read.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write},
    str::FromStr,
};

use consilience_data::{ClusterId, PseudoLabels, SampleIdx};

use crate::{AgreementGraph, GraphError, SignatureIdx};

/// A file format for graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    /// GraphML (XML), for Gephi, Cytoscape, yEd, networkx and igraph.
    GraphMl,
    /// DOT, for Graphviz.
    Dot,
}

impl FromStr for GraphFormat {
    type Err = GraphError;

    fn from_str(name: &str) -> Result<Self, GraphError> {
        match name.to_ascii_lowercase().as_str() {
            "graphml" => Ok(Self::GraphMl),
            "dot" => Ok(Self::Dot),
            _ => Err(GraphError::GraphFormat { name: name.into() }),
        }
    }
}

/// What is written of a node.
struct Node {
    signature: SignatureIdx,
    samples: u32,
    first_sample: SampleIdx,
    /// Such as `0 2 - 1`.
    votes: String,
    passes_gate: bool,
    mini_cluster: Option<ClusterId>,
}

impl AgreementGraph<'_> {
    /// The signatures of `samples`, and all that can be reached from them by at most `steps` strong positive
    /// edges, ascending. Samples that there are not are skipped.
    #[must_use]
    pub fn around(&self, samples: &[SampleIdx], steps: usize) -> Vec<SignatureIdx> {
        let signatures = self.signatures();
        let known = samples.iter().filter(|sample| sample.index() < signatures.n_samples());
        let mut reached: BTreeSet<SignatureIdx> =
            known.map(|&sample| signatures.of_sample(sample)).collect();
        let mut border: Vec<SignatureIdx> = reached.iter().copied().collect();
        for _ in 0..steps {
            let neighbours = border.iter().flat_map(|&node| self.strong_positives(node));
            let next: BTreeSet<SignatureIdx> =
                neighbours.map(|(node, _)| node).filter(|node| !reached.contains(node)).collect();
            reached.extend(&next);
            border = next.into_iter().collect();
        }
        reached.into_iter().collect()
    }

    /// Writes some nodes, or all, and the strong positive edges between them.
    ///
    /// A node is a signature, with its number of `samples`, its `first_sample`, the models' `votes` (`-` where one
    /// is missing), whether it passes the `gate`, and its `mini_cluster` if it is in one. An edge has its
    /// `agreement`, the number of models that put both ends in one cluster.
    ///
    /// # Arguments
    ///
    /// * `nodes`: such as from [`AgreementGraph::around`]; `None` for all.
    /// * `mini_clusters`: the pseudo-labels of this graph, to tell who is in which.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(
        &self,
        format: GraphFormat,
        nodes: Option<&[SignatureIdx]>,
        mini_clusters: Option<&PseudoLabels>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let all: BTreeSet<SignatureIdx> = match nodes {
            Some(nodes) => nodes.iter().copied().collect(),
            None => self.signatures().iter().collect(),
        };
        let mini_clusters = self.mini_clusters(mini_clusters);
        write!(out, "{}", format.header())?;
        for &node in &all {
            write!(out, "{}", format.node(&self.describe(node, mini_clusters[node.index()])))?;
        }
        for &node in &all {
            for (other, agreement) in self.strong_positives(node) {
                if node < other && all.contains(&other) {
                    write!(out, "{}", format.edge(node, other, agreement))?;
                }
            }
        }
        write!(out, "{}", format.footer())
    }

    /// By signature.
    fn mini_clusters(&self, labels: Option<&PseudoLabels>) -> Vec<Option<ClusterId>> {
        let mut mini_clusters = vec![None; self.signatures().len()];
        for entry in labels.into_iter().flat_map(PseudoLabels::entries) {
            mini_clusters[self.signatures().of_sample(entry.sample).index()] = Some(entry.label);
        }
        mini_clusters
    }

    fn describe(&self, signature: SignatureIdx, mini_cluster: Option<ClusterId>) -> Node {
        let signatures = self.signatures();
        let votes = signatures.votes(signature).into_iter();
        let votes: Vec<String> =
            votes.map(|vote| vote.map_or("-".into(), |cluster| cluster.to_string())).collect();
        Node {
            signature,
            samples: signatures.multiplicity(signature),
            first_sample: signatures.first_sample(signature),
            votes: votes.join(" "),
            passes_gate: signatures.passes_gate(signature),
            mini_cluster,
        }
    }
}

impl GraphFormat {
    fn header(self) -> &'static str {
        match self {
            Self::GraphMl => concat!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
                "<key id=\"samples\" for=\"node\" attr.name=\"samples\" attr.type=\"long\"/>\n",
                "<key id=\"first_sample\" for=\"node\" attr.name=\"first_sample\" attr.type=\"long\"/>\n",
                "<key id=\"votes\" for=\"node\" attr.name=\"votes\" attr.type=\"string\"/>\n",
                "<key id=\"gate\" for=\"node\" attr.name=\"gate\" attr.type=\"boolean\"/>\n",
                "<key id=\"mini_cluster\" for=\"node\" attr.name=\"mini_cluster\" attr.type=\"int\"/>\n",
                "<key id=\"agreement\" for=\"edge\" attr.name=\"agreement\" attr.type=\"int\"/>\n",
                "<graph id=\"agreement\" edgedefault=\"undirected\">\n",
            ),
            Self::Dot => "graph agreement {\n",
        }
    }

    /// Votes are digits, spaces and dashes: nothing has to be escaped.
    fn node(self, node: &Node) -> String {
        let Node { signature, samples, first_sample, votes, passes_gate, mini_cluster } = node;
        let id = signature.index();
        let mut text = String::new();
        // Writing to a string can't fail.
        let _ = match self {
            Self::GraphMl => {
                let mini_cluster = mini_cluster
                    .map(|id| format!("<data key=\"mini_cluster\">{id}</data>"))
                    .unwrap_or_default();
                writeln!(
                    text,
                    "<node id=\"s{id}\"><data key=\"samples\">{samples}</data>\
                     <data key=\"first_sample\">{first_sample}</data>\
                     <data key=\"votes\">{votes}</data>\
                     <data key=\"gate\">{passes_gate}</data>{mini_cluster}</node>"
                )
            }
            Self::Dot => {
                let mini_cluster =
                    mini_cluster.map(|id| format!(", mini_cluster={id}")).unwrap_or_default();
                writeln!(
                    text,
                    "  s{id} [label=\"{votes}\\n{samples}\", samples={samples}, \
                     first_sample={first_sample}, gate={passes_gate}{mini_cluster}];"
                )
            }
        };
        text
    }

    fn edge(self, source: SignatureIdx, target: SignatureIdx, agreement: u16) -> String {
        let (source, target) = (source.index(), target.index());
        match self {
            Self::GraphMl => format!(
                "<edge source=\"s{source}\" target=\"s{target}\">\
                 <data key=\"agreement\">{agreement}</data></edge>\n"
            ),
            Self::Dot => format!("  s{source} -- s{target} [agreement={agreement}];\n"),
        }
    }

    fn footer(self) -> &'static str {
        match self {
            Self::GraphMl => "</graph>\n</graphml>\n",
            Self::Dot => "}\n",
        }
    }
}
