//! `consilience compare`: two runs side by side.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{LABELS, Sandbox, id, stderr, write_run};

/// Two runs with ids; in the second, clusters 0 and 1 have each other's number, one sample moved, and two are gone.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    write_run(&sandbox, "one");
    let names = ["config.toml", "metrics.json", "pseudo_labels.csv"];
    std::fs::create_dir(sandbox.path("two")).unwrap();
    for name in names {
        sandbox.file(&format!("two/{name}"), sandbox.text(&format!("one/{name}")));
    }
    let mut assigned = "sample,id,cluster,confidence\n".to_owned();
    // In another order, so that nothing but ids can pair them.
    for (row, sample) in (0..10).rev().enumerate() {
        let cluster = match sample % 3 {
            _ if sample == 6 => 2,
            0 => 1,
            1 => 0,
            other => other,
        };
        assigned += &format!("{row},{},{cluster},0.25\n", id(sample));
    }
    sandbox.file("two/assignments.csv", assigned);
    let header = "sample,id,label,agreement,margin,confidence\n";
    sandbox.file("two/pseudo_labels.csv", format!("{header}9,{}\n", &LABELS[0][2..]));
    sandbox
}

#[test]
fn what_moved_is_told_by_ids() {
    let sandbox = sandbox();
    let text = sandbox.done("compare one two --out moved.csv");
    assert!(text.contains("10 samples in both; 9 stayed with their cluster (90.0 %)"), "{text}");
    assert!(text.contains("2 samples in one alone"), "{text}");
    assert!(text.contains("clusters: 0=1 1=0 2=2"), "{text}");
    let moved =
        format!("sample,id,from,to,confidence_before,confidence_after\n6,{},0,2,0.5,0.25\n", id(6));
    assert_eq!(sandbox.text("moved.csv"), moved);
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.done("compare one two --json")).unwrap();
    assert_eq!(json["n_stayed"], 9);
    assert_eq!(json["moves"][0]["to"], 2);
}

#[test]
fn runs_that_nothing_pairs_are_refused() {
    let sandbox = sandbox();
    let without: String = sandbox
        .text("two/assignments.csv")
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            format!("{},{},{}\n", cells[0], cells[2], cells[3])
        })
        .collect();
    sandbox.file("two/assignments.csv", without);
    let output = sandbox.run("compare one two");
    assert_eq!(output.status.code(), Some(2));
    let error = stderr(&output);
    assert!(
        error.contains("nothing says which sample is which") && error.lines().count() == 1,
        "{error}"
    );
    let output = sandbox.run("compare one one --out points.npy");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// Votes of other tools have no data that would say which sample is which; their order has to do, and is said.
#[test]
fn runs_of_votes_without_ids_are_paired_in_their_order() {
    let sandbox = Sandbox::new();
    let votes = |rows: &[u8]| {
        let lines: String = rows.iter().map(|row| format!("{0},{0},{0}\n", row / 4)).collect();
        format!("m1,m2,m3\n{lines}")
    };
    let rows: Vec<u8> = (0..12).collect();
    sandbox.file("a.csv", votes(&rows));
    let moved: Vec<u8> = rows.iter().map(|&row| if row == 3 { 4 } else { row }).collect();
    sandbox.file("b.csv", votes(&moved));
    sandbox.file("c.csv", votes(&rows[..11]));
    for name in ["a", "b", "c"] {
        sandbox.done(&format!("pseudo-label {name}.csv -k 3 --no-curve --quiet --out {name}"));
    }
    let text = sandbox.done("compare a b --out moved.csv");
    assert!(
        text.contains("12 samples in both, paired row by row, as neither run has ids"),
        "{text}"
    );
    assert!(text.contains("; 11 stayed"), "{text}");
    assert!(sandbox.text("moved.csv").contains("\n3,"), "{}", sandbox.text("moved.csv"));
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.done("compare a b --json")).unwrap();
    assert_eq!(json["paired_by"], "order");
    sandbox.refused("compare a c", &["c: it has 11 samples, a 12", "give votes with ids"]);
}

#[test]
fn samples_that_are_called_the_same_are_refused() {
    let sandbox = sandbox();
    let twice = sandbox.text("two/assignments.csv").replace(&id(9), &id(8));
    sandbox.file("two/assignments.csv", twice);
    let says = ["two", "is there twice", "make ids unique", "--id-column"];
    sandbox.refused("compare one two", &says);
}

/// Of the same data, rows say which sample is which, whatever they are called.
#[test]
fn samples_of_the_same_data_may_be_called_the_same() {
    let sandbox = Sandbox::new();
    for (name, hash) in [("one", 0), ("again", 0), ("other", 1)] {
        write_run(&sandbox, name);
        let config = sandbox.text(&format!("{name}/config.toml"));
        let config = format!("{config}data_hash = 'xxh3:{hash}'\n");
        sandbox.file(&format!("{name}/config.toml"), config);
        let twice = sandbox.text(&format!("{name}/assignments.csv")).replace(&id(9), &id(7));
        sandbox.file(&format!("{name}/assignments.csv"), twice);
    }
    let text = sandbox.done("compare one again");
    assert!(text.contains("12 samples in both; 12 stayed"), "{text}");
    let json: serde_json::Value =
        serde_json::from_str(&sandbox.done("compare one again --json")).unwrap();
    assert_eq!(json["paired_by"], "rows");
    sandbox.refused("compare one other", &["is there twice", "--id-column"]);
}

/// Writes a run without ids of these rows of the data; a row's cluster depends on its number alone.
fn write_rows(sandbox: &Sandbox, name: &str, samples: &[(usize, usize)], more: &str) {
    std::fs::create_dir(sandbox.path(name)).unwrap();
    let config = format!("[run]\ndata = ['d.csv']\nlabels = []\ndevice = 'cpu'\n{more}");
    sandbox.file(&format!("{name}/config.toml"), config);
    let n = samples.len();
    let metrics = format!("{{\"n_clusters\": 3, \"n_samples\": {n}, \"rounds\": []}}");
    sandbox.file(&format!("{name}/metrics.json"), metrics);
    let lines: String =
        samples.iter().map(|(sample, row)| format!("{sample},{},0.5\n", row % 3)).collect();
    sandbox.file(&format!("{name}/assignments.csv"), format!("sample,cluster,confidence\n{lines}"));
    let labels = "sample,label,agreement,margin,confidence\n0,0,4,4,0.9\n";
    sandbox.file(&format!("{name}/pseudo_labels.csv"), labels);
}

/// A run that left a row out was voted on without it, or with it: the number of samples says which.
#[test]
fn rows_that_were_left_out_shift_no_others() {
    let sandbox = Sandbox::new();
    let kept: Vec<usize> = (0..12).filter(|&row| row != 3).collect();
    let as_rows = |rows: &[usize]| rows.iter().map(|&row| (row, row)).collect::<Vec<_>>();
    let hash = "data_hash = 'xxh3:0'\n";
    write_rows(&sandbox, "dropped", &as_rows(&kept), hash);
    // Votes on the same eleven samples, in their order, and on all twelve.
    let in_order: Vec<(usize, usize)> = kept.iter().copied().enumerate().collect();
    write_rows(&sandbox, "eleven", &in_order, "");
    write_rows(&sandbox, "twelve", &as_rows(&(0..12).collect::<Vec<_>>()), "");
    write_rows(&sandbox, "ten", &in_order[..10], "");
    // The same data without the row, so that nothing was left out.
    write_rows(&sandbox, "same", &in_order, hash);
    for other in ["eleven", "same"] {
        for line in [format!("compare dropped {other}"), format!("compare {other} dropped")] {
            let text = sandbox.done(&line);
            assert!(text.contains("11 samples in both"), "{text}");
            assert!(text.contains("; 11 stayed") && text.contains("ARI 1.0000"), "{text}");
            assert!(!text.contains("alone"), "{text}");
        }
    }
    let text = sandbox.done("compare dropped eleven");
    assert!(text.contains("paired row by row, as neither run has ids;"), "{text}");
    let text = sandbox.done("compare dropped twelve");
    assert!(text.contains("11 samples in both"), "{text}");
    assert!(text.contains("; 11 stayed") && text.contains("1 sample in twelve alone"), "{text}");
    let says = ["ten: it has 10 samples, dropped 11", "nothing says which sample is which"];
    sandbox.refused("compare dropped ten", &says);
    write_rows(&sandbox, "twenty", &as_rows(&(0..20).collect::<Vec<_>>()), "");
    let says = ["dropped: it has 11 samples, twenty 20", "nothing says which sample is which"];
    sandbox.refused("compare twenty dropped", &says);
    // Votes that name their samples may be of a few.
    write_rows(&sandbox, "few", &as_rows(&[0, 4, 5]), "");
    let text = sandbox.done("compare twenty few");
    assert!(text.contains("3 samples in both") && text.contains("; 3 stayed"), "{text}");
}
