//! Which column says what samples are called: the one that the run took, wherever else it is.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Sandbox, stderr};
use serde_json::{Value, json};

/// Runs the program; the metrics that it prints.
fn told(sandbox: &Sandbox, arguments: &str) -> Value {
    serde_json::from_str(&sandbox.done(&format!("{arguments} --json"))).unwrap()
}

/// The first and the last cell of a line.
fn ends(line: &str) -> (&str, &str) {
    (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap())
}

#[test]
fn rows_are_called_by_the_column_that_the_run_took() {
    let sandbox = Sandbox::new();
    // Ids that may be taken for numbers of rows.
    sandbox.file("points.csv", "index,id,a,b\n0,2,0,0\n1,3,0,1\n2,0,9,9\n3,1,9,8\n");
    let cluster = "cluster points.csv -k 2 --member k-means --models 3 --no-curve --quiet";
    sandbox.file("classes.csv", "index,label,id\n3,A,3\n2,B,1\n1,B,0\n0,A,2\n");
    let told = sandbox.done(&format!("{cluster} --labels classes.csv --out run --json"));
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["acc"], json!(1.0), "{told}");
    assert_eq!(sandbox.json("run/recipe.json")["id_column"], json!("id"));
    let given = "train points.csv --method propagation --quiet --labels-partial classes.csv";
    sandbox.done(&format!("{given} --out taught"));
    // By the index, samples 1 and 3 would have each other's class.
    let classes = sandbox.text("taught/given_labels.csv");
    let classes: Vec<(&str, &str)> = classes.lines().skip(1).map(ends).collect();
    assert_eq!(classes, [("0", "A"), ("1", "A"), ("2", "B"), ("3", "B")]);

    sandbox.file("new.csv", "index,b,a,id\n8,9,9,77\n9,0,0,76\n");
    sandbox.done("predict run new.csv --out new-clusters.csv --quiet");
    let found = sandbox.text("new-clusters.csv");
    assert!(found.contains("\n0,77,") && found.contains("\n1,76,"), "{found}");
    sandbox.file("lost.csv", "index,a,b\n8,9,9\n9,0,0\n");
    let output = sandbox.run("predict run lost.csv --out lost-clusters.csv --quiet");
    assert!(stderr(&output).contains("lost.csv: no column id"), "{}", stderr(&output));
    assert!(sandbox.text("lost-clusters.csv").starts_with("sample,cluster"));
    sandbox.refused("predict run lost.csv --append", &["have ids", "the new ones have none"]);

    // Whether these are numbers of rows or ids, nobody can say.
    sandbox.file("rows.csv", ",label\n0,A\n1,A\n2,B\n3,B\n");
    let says =
        ["rows.csv: has no column id", "points.csv calls its samples", "leave the index out"];
    sandbox.refused(&format!("{cluster} --labels rows.csv --out none"), &says);
    let given = given.replace("classes", "rows");
    sandbox.refused(&format!("{given} --out none"), &["rows.csv: has no column id"]);
}

/// Two groups, whose ids a person named. In the files, a column `id` says something else.
#[test]
fn other_files_of_a_run_have_its_ids_where_it_had_them() {
    let sandbox = Sandbox::new();
    sandbox.file("points.csv", "id,code,a,b\n0,p,0,0\n1,q,0,1\n2,r,9,9\n3,s,9,8\n");
    sandbox.done("cluster points.csv --id-column code -k 2 --member k-means --models 3 --no-curve --quiet --out run");
    assert_eq!(sandbox.json("run/recipe.json")["id_column"], json!("code"));
    // By `id`, two of the four would be wrong; `code` is right.
    sandbox.file("classes.csv", "id,code,label\n0,s,B\n1,q,A\n2,p,A\n3,r,B\n");
    for found in ["run", "run/assignments.csv", "run/pseudo_labels.csv"] {
        let told = told(&sandbox, &format!("evaluate classes.csv {found}"));
        assert_eq!((&told["acc"], &told["paired_by"]), (&json!(1.0), &json!("ids")), "{found}");
    }
    let voted = "pseudo-label run -k 2 --labels classes.csv --out voted --no-curve --quiet";
    assert_eq!(told(&sandbox, voted)["acc"], json!(1.0));
    // What a person says counts, and what may be rows or ids is refused.
    sandbox.refused("evaluate classes.csv run --id-column id", &["is not in"]);
    sandbox.file("rows.csv", "index,label\n0,A\n1,A\n2,B\n3,B\n");
    let says = ["rows.csv: has no column code", "leave the index out"];
    sandbox.refused("evaluate rows.csv run", &says);
    sandbox.refused(&voted.replace("classes", "rows").replace("voted", "none"), &says);
}

#[test]
fn a_view_has_its_ids_where_the_data_have_theirs() {
    let sandbox = Sandbox::new();
    let line = |row: usize, id: usize| {
        let (group, noise) = (row % 2, row * 7 % 17);
        format!("{id},k{row:02},{},{}\n", 100 * group + noise, 1000 * group + noise * noise)
    };
    let table = |rows: Vec<usize>| -> String {
        let lines = rows.into_iter().enumerate().map(|(id, row)| line(row, id));
        format!("row_id,doc_id,a,b\n{}", lines.collect::<String>())
    };
    sandbox.file("data.csv", table((0..60).collect()).replace("row_id", "width"));
    sandbox.file("view.csv", table((0..60).rev().collect()));
    let line =
        "cluster data.csv -k 2 --ignore-column width --effort quick --view view.csv --out run";
    let output = sandbox.run(line);
    let told = stderr(&output);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{told}");
    assert!(told.contains("view view.csv: 2 features, joined with the data by ids"), "{told}");
    // An index that has the data's numbers may be ids or rows.
    let called = |rows: Vec<usize>, id: &str| {
        table(rows).replace("row_id,doc_id", &format!("{id},width")).replace(",k", ",")
    };
    sandbox.file("data.csv", called((0..60).collect(), "doc_id"));
    sandbox.file("view.csv", called((0..60).rev().collect(), "index"));
    let line = line.replace("out run", "out none");
    sandbox.refused(&line, &["view.csv: has no column doc_id", "leave the index out"]);
}

/// One rule: it says which sample a row is. In data, what it is called; where the data's ids are elsewhere, which row of them.
#[test]
fn a_column_sample_is_no_feature() {
    let sandbox = Sandbox::new();
    let cluster = "-k 2 --member k-means --models 3 --no-curve --quiet --out";
    sandbox.file("points.csv", "sample,a,b\n3,0,0\n1,0,1\n2,9,9\n0,9,8\n");
    sandbox.done(&format!("cluster points.csv {cluster} run"));
    let recipe = sandbox.json("run/recipe.json");
    assert_eq!(
        (&recipe["id_column"], &recipe["feature_names"]),
        (&json!("sample"), &json!(["a", "b"]))
    );
    // Rows and ids, as the run writes them, and ids alone, as others do.
    assert!(sandbox.text("run/assignments.csv").starts_with("sample,id,cluster,confidence\n0,3,"));
    sandbox.file("classes.csv", "sample,label\n0,B\n1,A\n2,B\n3,A\n");
    for found in ["run", "run/assignments.csv"] {
        let told = told(&sandbox, &format!("evaluate classes.csv {found}"));
        assert_eq!((&told["acc"], &told["paired_by"]), (&json!(1.0), &json!("ids")), "{found}");
    }
    let labelled = format!("cluster points.csv --labels classes.csv {cluster} labelled");
    assert_eq!(told(&sandbox, &labelled)["acc"], json!(1.0));
    // The labels that a run wrote are labels of its data.
    let labelled = format!("cluster points.csv --labels run/assignments.csv {cluster} again");
    assert_eq!(told(&sandbox, &labelled)["acc"], json!(1.0));
    // Another file with both columns is none that a run wrote: a person's word counts.
    sandbox.file("p.csv", "id,sample,a,b\n0,3,0,0\n1,1,0,1\n2,2,9,9\n3,0,9,8\n");
    sandbox.file("t.csv", "id,sample,label\n3,1,A\n1,0,B\n2,3,A\n0,2,B\n");
    let said = format!("cluster p.csv --id-column sample --labels t.csv {cluster} said");
    assert_eq!(told(&sandbox, &said)["acc"], json!(1.0), "0.5 by the column id");
    // Where the data have ids, numbers are rows.
    sandbox.file("named.csv", "id,sample,a,b\np,7,0,0\nq,7,0,1\nr,7,9,9\ns,7,9,8\n");
    sandbox.file("rows.csv", "sample,label\n3,B\n2,B\n1,A\n0,A\n");
    let named = told(&sandbox, &format!("cluster named.csv --labels rows.csv {cluster} named"));
    assert_eq!(named["acc"], json!(1.0));
    assert_eq!(sandbox.json("named/recipe.json")["feature_names"], json!(["a", "b"]));
    // By itself it is all that there is.
    sandbox.file("alone.csv", "sample,label\n0.5,A\n0.25,B\n");
    assert!(sandbox.done("data info alone.csv").contains("2 samples x 1 feature"));
    // Others that count the rows are named before they are clustered.
    sandbox.file("counted.csv", "no,a,b\n1,0,0\n2,0,1\n3,9,9\n4,9,8\n");
    let output = sandbox
        .run("cluster counted.csv -k 2 --member k-means --models 3 --no-curve --out counted");
    assert!(stderr(&output).contains("no counts the rows: --ignore-column, or --id-column"));
}
