//! `--graph`: the agreement graph as a file for Gephi, Graphviz and their like.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};
use consilience::from_votes::VotesConfig;
use consilience::output;
use consilience_data::PseudoLabels;
use consilience_graph::{AgreementGraph, GraphFormat, Signatures};

use super::style::count;

/// Nodes and edges of a graph that can still be drawn.
const MAX_NODES: usize = 5_000;
const MAX_EDGES: usize = 500_000;

/// A file that is to hold the graph, of a format that its name says.
pub(super) struct GraphFile {
    path: PathBuf,
    format: GraphFormat,
}

impl GraphFile {
    /// Checks that the file is new and its name says the format, before anything is read.
    pub(super) fn new(path: &Path) -> Result<Self> {
        let shown = path.display();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let format = extension.parse().map_err(|_| {
            anyhow!(
                "--graph {shown}: the name does not tell the format; end it in .graphml or .dot"
            )
        })?;
        if path.exists() {
            bail!("--graph {shown}: exists already; name another file, or remove it");
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            bail!("--graph {shown}: there is no folder {}; make it first", folder.display());
        }
        Ok(Self { path: path.into(), format })
    }

    /// Checks that the graph isn't too large to be drawn, before anything is looked for in it.
    pub(super) fn check(&self, signatures: &Signatures, config: &VotesConfig) -> Result<()> {
        let refused = |found: String, most: usize| {
            Err(anyhow!(
                "--graph {}: the graph has {found}, and at most {} can be drawn; take fewer models or samples, or leave it out",
                self.path.display(),
                count(most)
            ))
        };
        if signatures.len() > MAX_NODES {
            return refused(format!("{} signatures", count(signatures.len())), MAX_NODES);
        }
        let agreement = config.agreement.check(signatures.n_models())?;
        let graph = AgreementGraph::new(signatures, &agreement)?;
        match graph.n_edges() {
            edges if edges > MAX_EDGES => {
                refused(format!("{} strong positive edges", count(edges)), MAX_EDGES)
            }
            _ => Ok(()),
        }
    }

    /// Writes the graph, with the mini-clusters.
    pub(super) fn write(
        &self,
        signatures: &Signatures,
        config: &VotesConfig,
        labels: &PseudoLabels,
    ) -> Result<()> {
        let agreement = config.agreement.check(signatures.n_models())?;
        let mut text = Vec::new();
        AgreementGraph::new(signatures, &agreement)?.write(
            self.format,
            None,
            Some(labels),
            &mut text,
        )?;
        Ok(output::replace(&self.path, &text)?)
    }
}
