//! petgraph's visit traits for `&AgreementGraph`: its strong positive edges without direction or loops.

use std::{collections::HashSet, iter::Map, ops::Range, vec};

use petgraph::{
    Undirected,
    visit::{
        Data, EdgeRef, GetAdjacencyMatrix, GraphBase, GraphProp, IntoEdgeReferences, IntoEdges,
        IntoNeighbors, IntoNodeIdentifiers, IntoNodeReferences, NodeCompactIndexable, NodeCount,
        NodeIndexable, Visitable,
    },
};

use crate::{AgreementGraph, SignatureIdx};

/// A strong positive edge between two signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrongPositive {
    source: SignatureIdx,
    target: SignatureIdx,
    agreement: u16,
}

impl EdgeRef for StrongPositive {
    type NodeId = SignatureIdx;
    /// Its ends: a pair has one edge at most.
    type EdgeId = (SignatureIdx, SignatureIdx);
    /// Number of models that agree.
    type Weight = u16;

    fn source(&self) -> SignatureIdx {
        self.source
    }

    fn target(&self) -> SignatureIdx {
        self.target
    }

    fn weight(&self) -> &u16 {
        &self.agreement
    }

    fn id(&self) -> Self::EdgeId {
        (self.source.min(self.target), self.source.max(self.target))
    }
}

impl GraphBase for AgreementGraph<'_> {
    type NodeId = SignatureIdx;
    type EdgeId = (SignatureIdx, SignatureIdx);
}

impl GraphProp for AgreementGraph<'_> {
    type EdgeType = Undirected;
}

impl Data for AgreementGraph<'_> {
    /// Number of samples.
    type NodeWeight = u32;
    /// Number of models that agree.
    type EdgeWeight = u16;
}

impl NodeCount for AgreementGraph<'_> {
    fn node_count(&self) -> usize {
        self.signatures().len()
    }
}

impl NodeIndexable for AgreementGraph<'_> {
    fn node_bound(&self) -> usize {
        self.signatures().len()
    }

    fn to_index(&self, node: SignatureIdx) -> usize {
        node.index()
    }

    fn from_index(&self, index: usize) -> SignatureIdx {
        SignatureIdx::new(index)
    }
}

impl NodeCompactIndexable for AgreementGraph<'_> {}

impl IntoNodeIdentifiers for &AgreementGraph<'_> {
    type NodeIdentifiers = Map<Range<usize>, fn(usize) -> SignatureIdx>;

    fn node_identifiers(self) -> Self::NodeIdentifiers {
        (0..self.signatures().len()).map(SignatureIdx::new)
    }
}

impl<'b> IntoNodeReferences for &'b AgreementGraph<'_> {
    type NodeRef = (SignatureIdx, &'b u32);
    type NodeReferences = vec::IntoIter<Self::NodeRef>;

    fn node_references(self) -> Self::NodeReferences {
        let weights = self.signatures().multiplicities.iter().enumerate();
        let nodes: Vec<_> =
            weights.map(|(node, weight)| (SignatureIdx::new(node), weight)).collect();
        nodes.into_iter()
    }
}

impl IntoNeighbors for &AgreementGraph<'_> {
    type Neighbors = vec::IntoIter<SignatureIdx>;

    fn neighbors(self, node: SignatureIdx) -> Self::Neighbors {
        let neighbors: Vec<_> =
            self.strong_positives(node).into_iter().map(|(other, _)| other).collect();
        neighbors.into_iter()
    }
}

/// Every edge once, from its lower end; found node by node.
#[derive(Debug, Clone)]
pub struct StrongPositives<'b, 'a> {
    graph: &'b AgreementGraph<'a>,
    nodes: Range<usize>,
    edges: vec::IntoIter<StrongPositive>,
}

impl Iterator for StrongPositives<'_, '_> {
    type Item = StrongPositive;

    fn next(&mut self) -> Option<StrongPositive> {
        loop {
            if let Some(edge) = self.edges.find(|edge| edge.source < edge.target) {
                return Some(edge);
            }
            self.edges = self.graph.edges(SignatureIdx::new(self.nodes.next()?));
        }
    }
}

impl<'b, 'a> IntoEdgeReferences for &'b AgreementGraph<'a> {
    type EdgeRef = StrongPositive;
    type EdgeReferences = StrongPositives<'b, 'a>;

    fn edge_references(self) -> Self::EdgeReferences {
        let edges = Vec::new().into_iter();
        StrongPositives { graph: self, nodes: 0..self.signatures().len(), edges }
    }
}

impl IntoEdges for &AgreementGraph<'_> {
    type Edges = vec::IntoIter<StrongPositive>;

    fn edges(self, source: SignatureIdx) -> Self::Edges {
        let edges: Vec<_> = self
            .strong_positives(source)
            .into_iter()
            .map(|(target, agreement)| StrongPositive { source, target, agreement })
            .collect();
        edges.into_iter()
    }
}

impl Visitable for AgreementGraph<'_> {
    type Map = HashSet<SignatureIdx>;

    fn visit_map(&self) -> Self::Map {
        HashSet::new()
    }

    fn reset_map(&self, map: &mut Self::Map) {
        map.clear();
    }
}

/// Adjacency is asked of the votes: there is no matrix.
impl GetAdjacencyMatrix for AgreementGraph<'_> {
    type AdjMatrix = ();

    fn adjacency_matrix(&self) {}

    fn is_adjacent(&self, (): &(), a: SignatureIdx, b: SignatureIdx) -> bool {
        a != b && (self.is_strong_positive(a, b) || self.is_strong_positive(b, a))
    }
}
