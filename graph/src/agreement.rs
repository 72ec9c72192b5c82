//! The agreement graph: strong positive and strong negative edges between signatures.

use std::sync::OnceLock;

use petgraph::graph::UnGraph;

use crate::{
    Gate, GraphError, SignatureIdx, Signatures, ValidAgreement, neighbours::Neighbours,
    packing::Pair,
};

/// The agreement graph of an ensemble's votes, over signatures, with its edges found when asked for.
///
/// A *strong positive edge* joins two signatures (must-link: `min_agree` models or more put them in one
/// cluster), a *strong negative edge* keeps them apart (cannot-link: `max_agree` models or fewer do). Edges are
/// never stored: ten unanimous clusters of 7,000 samples alone would have 245 million.
///
/// petgraph's visit traits (see the `visit` module's implementations for `&AgreementGraph`) show the strong
/// positive edges between *different* signatures, so that petgraph's algorithms run on it. They know no
/// direction: under [`Gate::Anchor`] an edge is shown if either end may be its row. Samples of one signature
/// are joined among themselves if [`AgreementGraph::is_strong_positive`] says so of the signature and itself.
#[derive(Debug)]
pub struct AgreementGraph<'a> {
    signatures: &'a Signatures,
    agreement: &'a ValidAgreement,
    /// Made when neighbours are first asked for; the extraction doesn't need it.
    neighbours: OnceLock<Option<Neighbours>>,
}

impl<'a> AgreementGraph<'a> {
    /// Looks at `signatures` with the settings `agreement`.
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] or [`GraphError::OtherGate`] if the signatures were grouped for another
    /// number of models, or with another `min_confidence`.
    pub fn new(
        signatures: &'a Signatures,
        agreement: &'a ValidAgreement,
    ) -> Result<Self, GraphError> {
        let (settings, votes) = (agreement.n_models(), signatures.n_models());
        if settings != votes {
            return Err(GraphError::OtherModelCount { settings, votes });
        }
        let (grouped, asked) = (signatures.min_confidence, agreement.min_confidence());
        if grouped.to_bits() != asked.to_bits() {
            return Err(GraphError::OtherGate { grouped, asked });
        }
        Ok(Self { signatures, agreement, neighbours: OnceLock::new() })
    }

    /// The nodes.
    #[must_use]
    pub fn signatures(&self) -> &'a Signatures {
        self.signatures
    }

    /// The settings.
    #[must_use]
    pub fn agreement(&self) -> &'a ValidAgreement {
        self.agreement
    }

    /// Whether a sample of `row` has a strong positive edge to (another) one of `column`: they agree enough,
    /// and pass the gate, both or, under [`Gate::Anchor`], the row's.
    #[must_use]
    pub fn is_strong_positive(&self, row: SignatureIdx, column: SignatureIdx) -> bool {
        self.can_be_anchor(row)
            && self.can_be_member(column)
            && self.agrees(self.signatures.pair(row, column))
    }

    /// Whether two signatures have a strong negative edge. The gate has no say in it.
    #[must_use]
    pub fn is_strong_negative(&self, first: SignatureIdx, second: SignatureIdx) -> bool {
        let Pair { agree, common } = self.signatures.pair(first, second);
        self.agreement.is_strong_negative(agree, common)
    }

    /// The strong positive edges of `row` to `columns`, counted in samples.
    pub(crate) fn degree_among(
        &self,
        row: SignatureIdx,
        columns: impl Iterator<Item = SignatureIdx>,
    ) -> u64 {
        if !self.can_be_anchor(row) {
            return 0;
        }
        columns
            .filter(|&column| self.is_strong_positive(row, column))
            .map(|column| u64::from(self.signatures.multiplicity(column)))
            .sum()
    }

    /// Other signatures with a strong positive edge to or from this one, ascending, with the number of models
    /// that agree.
    ///
    /// # Complexity
    ///
    /// The first call indexes the signatures. Where `min_agree` is near the number of models, a call then takes
    /// time in proportion to the neighbours found; further off, to those that agree in a block of models.
    #[must_use]
    pub fn strong_positives(&self, signature: SignatureIdx) -> Vec<(SignatureIdx, u16)> {
        let joined = |other: SignatureIdx| {
            let joined = other != signature
                && (self.is_strong_positive(signature, other)
                    || self.is_strong_positive(other, signature));
            joined.then(|| (other, self.signatures.agreement(signature, other)))
        };
        match self.neighbours.get_or_init(|| Neighbours::new(self.signatures, self.agreement)) {
            Some(index) => {
                let candidates = index.candidates(self.signatures, self.agreement, signature);
                candidates.into_iter().filter_map(joined).collect()
            }
            None => self.signatures.iter().filter_map(joined).collect(),
        }
    }

    /// Number of strong positive edges between different signatures. As long as [`AgreementGraph::strong_positives`] of all.
    #[must_use]
    pub fn n_edges(&self) -> usize {
        let later = |node: SignatureIdx| {
            self.strong_positives(node).into_iter().filter(move |&(other, _)| node < other).count()
        };
        self.signatures.iter().map(later).sum()
    }

    /// Stores the graph, for where it is small: the same indices; nodes weigh their number of samples, edges
    /// the number of models that agree.
    #[must_use]
    pub fn to_petgraph(&self) -> UnGraph<u32, u16> {
        let mut stored = UnGraph::default();
        for signature in self.signatures.iter() {
            stored.add_node(self.signatures.multiplicity(signature));
        }
        for signature in self.signatures.iter() {
            for (other, agree) in self.strong_positives(signature) {
                if signature < other {
                    stored.add_edge(signature, other, agree);
                }
            }
        }
        stored
    }

    /// Whether a signature's samples have strong positive edges as rows.
    pub(crate) fn can_be_anchor(&self, signature: SignatureIdx) -> bool {
        self.signatures.passes_gate(signature)
    }

    /// Whether a signature's samples have strong positive edges as columns.
    pub(crate) fn can_be_member(&self, signature: SignatureIdx) -> bool {
        self.agreement.gate() == Gate::Anchor || self.signatures.passes_gate(signature)
    }

    /// Whether edges have no direction.
    pub(crate) fn is_symmetric(&self) -> bool {
        self.agreement.gate() == Gate::Both
    }

    /// Whether a pair agrees enough for a strong positive edge, gate aside.
    pub(crate) fn agrees(&self, pair: Pair) -> bool {
        self.agreement.is_strong_positive(pair.agree, pair.common)
    }
}
