//! Tables as people have them, from the command line on.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::Sandbox;

#[test]
fn customers_with_named_columns_of_different_units_are_a_table() {
    let sandbox = Sandbox::new();
    // A yearly rhythm in twelve columns that lie beside one another, as curves do, and four that tell two kinds apart.
    let months =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let spend: String = months.map(|month| format!("spend_{month},")).concat();
    let mut text = format!("{spend}calls,returns,visits,complaints\n");
    let noise = |row: usize, column: usize| ((row * 7919 + column * 104_729) % 101) as f64 / 101.0;
    for row in 0..200 {
        let level = 600.0 + 800.0 * noise(row, 50);
        for column in 0..months.len() {
            text += &format!("{:.1},", level + 200.0 * noise(row, column));
        }
        let kind = if row % 2 == 0 { 2.0 } else { 8.0 };
        let cells = (60..64).map(|column| format!("{:.1}", kind + noise(row, column)));
        text += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    sandbox.file("customers.csv", text);
    sandbox.file("truth.txt", (0..200).map(|row| format!("{}\n", row % 2)).collect::<String>());
    sandbox.done("cluster customers.csv -k 2 --models 3 --out run");
    assert!(sandbox.text("run/config.toml").contains("tabular"));
    let scores = sandbox.done("evaluate truth.txt run/assignments.npy --json");
    let scores: serde_json::Value = serde_json::from_str(&scores).unwrap();
    assert_eq!(scores["acc"], 1.0, "{scores}");
}

#[test]
fn penguins_are_told_what_is_in_the_way_and_go_on_with_it() {
    let sandbox = Sandbox::new();
    let mut text = "species,island,bill,mass\n".to_owned();
    for row in 0..60 {
        let (kind, island) = (row % 2, ["Biscoe", "Dream"][row % 2]);
        let mass = if row == 7 { "NA".into() } else { (3000 + 1500 * kind + row).to_string() };
        text += &format!("{},{island},{}.{row},{mass}\n", ["A", "G"][kind], 35 + 12 * kind);
    }
    sandbox.file("penguins.csv", text);
    let output = sandbox.run("cluster penguins.csv -k 2 --label-column species --out run");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), told.trim().lines().count()), (Some(2), 1), "{told}");
    for words in ["words in island", "missing values in mass (1), of 60 rows", "--one-hot island"] {
        assert!(told.contains(words), "{told}");
    }
    let go_on = "--one-hot island --missing drop --config quick.toml";
    let line = format!("cluster penguins.csv -k 2 --label-column species --out run {go_on}");
    let output = sandbox.run(&line);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(0), "{told}");
    assert!(told.contains("1 of 60 rows left out"), "{told}");
    let info =
        sandbox.done("data info penguins.csv --label-column species --ignore-column island,mass");
    for words in ["bill", "feature", "--ignore-column", "labels"] {
        assert!(info.contains(words), "{info}");
    }
}
