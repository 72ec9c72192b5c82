//! Exported files say what the graph says.

use consilience_data::{SampleIdx, Votes};
use consilience_graph::{
    AgreementGraph, AgreementParams, GraphFormat, Signatures, Strictness, Threads, ValidAgreement,
};
use ndarray::{Array2, array};

/// A chain: each signature agrees in two of three models with the next.
fn chain() -> (Signatures, ValidAgreement) {
    const NONE: u16 = Votes::MISSING;
    let clusters = array![[0, 0, 1, 1, 1, 2], [0, 0, 0, 1, 1, NONE], [0, 0, 0, 0, 1, 2]];
    let votes = Votes::new(clusters, Array2::ones((3, 6))).expect("there are votes");
    let min_agree = Strictness::Count(2);
    let max_agree = Strictness::Count(0);
    let params = AgreementParams { min_agree, max_agree, ..AgreementParams::default() };
    let agreement = params.check(3).expect("settings fit");
    let threads = Threads::new(1).expect("one thread");
    (Signatures::group(&votes, &agreement, &threads).expect("settings fit"), agreement)
}

#[test]
fn dot_holds_nodes_edges_and_mini_clusters() {
    let (signatures, agreement) = chain();
    let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
    let extraction = graph.extract(2, &Threads::new(1).unwrap()).unwrap();
    let mut out = Vec::new();
    graph.write(GraphFormat::Dot, None, Some(&extraction.pseudo_labels), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"graph agreement {
  s0 [label="0 0 0\n2", samples=2, first_sample=0, gate=true, mini_cluster=0];
  s1 [label="1 0 0\n1", samples=1, first_sample=2, gate=true, mini_cluster=0];
  s2 [label="1 1 0\n1", samples=1, first_sample=3, gate=true, mini_cluster=0];
  s3 [label="1 1 1\n1", samples=1, first_sample=4, gate=true];
  s4 [label="2 - 2\n1", samples=1, first_sample=5, gate=true];
  s0 -- s1 [agreement=2];
  s1 -- s2 [agreement=2];
  s2 -- s3 [agreement=2];
}
"#
    );
}

#[test]
fn graphml_holds_the_part_around_a_sample() {
    let (signatures, agreement) = chain();
    let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
    let part = graph.around(&[SampleIdx(1), SampleIdx(99)], 2);
    assert_eq!(part.iter().map(|node| node.index()).collect::<Vec<_>>(), [0, 1, 2]);
    let mut out = Vec::new();
    graph.write(GraphFormat::GraphMl, Some(&part), None, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("<node ").count(), 3);
    assert_eq!(text.matches("<edge ").count(), 2);
    assert!(text.contains("<node id=\"s2\"><data key=\"samples\">1</data>"), "{text}");
    for tag in ["graphml", "graph", "node", "edge"] {
        let opened = text.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn formats_are_known_by_name() {
    assert_eq!("GraphML".parse(), Ok(GraphFormat::GraphMl));
    let error = "gexf".parse::<GraphFormat>().unwrap_err().to_string();
    assert_eq!(error, "'gexf' is no format for graphs: give graphml or dot");
}
