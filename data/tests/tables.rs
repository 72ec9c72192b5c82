//! Tables with more than features in them: ids, labels, texts, vectors.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;

use common::{Folder, assert_says, assert_truth, load, npy, npy_f32, npz, rows};
use consilience_data::{
    Dataset, ReadOptions, Recipe, read_dataset, read_dataset_as, read_dataset_with,
};

const NAMED: &str = "id,x0,x1,label\na 1,0,1,cat\n\"b, 2\",2,3,dog\nc,4,5,cat\n";

fn with(path: PathBuf, options: ReadOptions) -> Result<Dataset, String> {
    read_dataset_with(&[path], &[], &options).map_err(|error| error.to_string())
}

fn names(dataset: &Dataset) -> Vec<&str> {
    dataset.recipe.feature_names.iter().flatten().map(String::as_str).collect()
}

fn ids(dataset: &Dataset) -> Vec<&str> {
    dataset.ids.iter().flatten().map(String::as_str).collect()
}

#[test]
fn ids_and_labels_are_no_features() {
    let folder = Folder::new();
    let dataset = load(&folder.file("a.csv", NAMED));
    assert_eq!(rows(&dataset), [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]);
    assert_eq!((names(&dataset), ids(&dataset)), (vec!["x0", "x1"], vec!["a 1", "b, 2", "c"]));
    assert_truth(dataset.truth.as_ref().unwrap(), &["cat", "dog", "cat"]);
    let info = &dataset.parts[0];
    assert_eq!(info.ids_from.as_deref(), Some("column id"));
    assert_eq!(info.truth_from.as_deref(), Some("column label"));

    // Numbers that are called ids, or classes, are.
    let dataset = load(&folder.file("b.tsv", "ID\tx\ty\tTarget\n7\t1\t2\t0\n9\t3\t4\t1\n"));
    assert_eq!(
        (rows(&dataset), ids(&dataset)),
        (vec![vec![1.0, 2.0], vec![3.0, 4.0]], vec!["7", "9"])
    );
    assert_truth(dataset.truth.as_ref().unwrap(), &["0", "1"]);
    // A name is an id if it is a word, a `y` without an `x` the truth.
    let dataset = load(&folder.file("c.csv", "a,name,y\n1,2,0\n3,4,1\n"));
    assert_eq!((names(&dataset), dataset.ids.is_some()), (vec!["a", "name"], false));
    assert!(dataset.truth.is_some());
    // Row numbers of pandas.
    let dataset = load(&folder.file("d.csv", ",a,b\n0,1,2\n1,3,4\n"));
    assert_eq!((names(&dataset), ids(&dataset)), (vec!["a", "b"], vec!["0", "1"]));
    let dataset = load(&folder.file("e.csv", "\"\",\"a\"\n\"Mazda RX4\",1\n\"Fiat\",2\n"));
    assert_eq!(ids(&dataset), ["Mazda RX4", "Fiat"]);
}

#[test]
fn a_target_that_is_no_class_is_left_aside() {
    let folder = Folder::new();
    for text in ["a,target\n1,0.5\n2,0.7\n", "a,target\n1,\n2,cat\n"] {
        let dataset = load(&folder.file("a.csv", text));
        assert_eq!((names(&dataset), dataset.truth.is_none()), (vec!["a"], true));
        assert_says(&dataset.parts[0].left_aside.join(","), &["column target", "not a class"]);
        assert!(!dataset.parts[0].has_truth);
    }
    let label_column = Some("target".into());
    let options = ReadOptions { label_column, ..ReadOptions::default() };
    let path = folder.file("a.csv", "a,target\n1,cat\n2,\n");
    assert_says(&with(path, options).unwrap_err(), &["a.csv: line 3 has no label"]);
}

#[test]
fn columns_are_what_a_person_says() {
    let folder = Folder::new();
    let path = || folder.file("a.csv", "city,id,kind,label\nRome,1,x,5\nOslo,2,y,6\n");
    let said = ReadOptions {
        id_column: Some("city".into()),
        label_column: Some("kind".into()),
        ..ReadOptions::default()
    };
    // What is called an id or a label is still no feature.
    assert_says(&with(path(), said.clone()).unwrap_err(), &["no columns with features", "kind"]);
    let path = || folder.file("a.csv", "city,id,kind,size\nRome,1,x,5\nOslo,2,y,6\n");
    let dataset = with(path(), said.clone()).unwrap();
    assert_eq!((names(&dataset), ids(&dataset)), (vec!["size"], vec!["Rome", "Oslo"]));
    assert_eq!(dataset.parts[0].left_aside, ["column id"]);
    assert_truth(dataset.truth.as_ref().unwrap(), &["x", "y"]);

    let ignored = ReadOptions { ignored_columns: vec!["city".into()], ..ReadOptions::default() };
    let broken = || folder.file("c.csv", "city,id,size\n\"Rome,\nold\",1,5\nOslo,2,6\n");
    let dataset = with(broken(), ignored.clone()).unwrap();
    assert_eq!((names(&dataset), ids(&dataset)), (vec!["size"], vec!["1", "2"]));
    assert_eq!(dataset.parts[0].left_aside, ["column city"]);
    let message = with(folder.file("d.csv", "a,b\n1,2\n"), ignored).unwrap_err();
    assert_says(&message, &["d.csv: no column city"]);

    let missing = ReadOptions { id_column: Some("town".into()), ..said.clone() };
    let message = with(path(), missing).unwrap_err();
    assert_says(&message, &["a.csv: no column town; it has city, id, kind, size"]);
    let message = with(folder.file("b.csv", "1,2\n"), said).unwrap_err();
    assert_says(&message, &["no column city", "no header line"]);
    let message = with(path(), ReadOptions::default()).unwrap_err();
    assert_says(&message, &["words in city (2 distinct: Oslo, Rome)", "--id-column"]);
}

#[test]
fn lists_in_a_column_of_text_are_vectors() {
    let folder = Folder::new();
    let text = "id,n,embedding\na,3,\"[0.5, 1e-1]\"\nb,4,\"[2.0, 3]\"\n";
    let dataset = load(&folder.file("a.csv", text));
    assert_eq!(rows(&dataset), [[0.5, 0.1], [2.0, 3.0]]);
    assert_eq!(dataset.parts[0].left_aside, ["column n"]);
    let ragged = folder.file("b.csv", "id,v\na,\"[1, 2]\"\nb,\"[3]\"\n");
    let message = read_dataset(&[ragged], &[]).unwrap_err().to_string();
    assert_says(&message, &["b.csv: line 3 has a vector of 1 numbers", "have 2"]);
}

#[test]
fn texts_may_have_line_breaks_and_quotes() {
    let folder = Folder::new();
    let text = "text,label\n\"red \"\"apple\"\",\nripe\",a\ngreen pear,b\n\n\"no end,c\n";
    let text_column = Some("text".into());
    let options = ReadOptions { text_column, ..ReadOptions::default() };
    let message = with(folder.file("a.csv", text), options.clone()).unwrap_err();
    assert_says(&message, &["line 6: a quote is not closed"]);
    let dataset = with(folder.file("a.csv", &text[..text.len() - 10]), options).unwrap();
    assert_eq!(names(&dataset), ["apple", "green", "pear", "red", "ripe"]);
    let zero = |row: usize| dataset.features.row(row).iter().filter(|value| **value == 0.0).count();
    assert_eq!((zero(0), zero(1)), (2, 3));
    assert_truth(dataset.truth.as_ref().unwrap(), &["a", "b"]);
}

#[test]
fn columns_meet_by_name() {
    let folder = Folder::new();
    let first = folder.file("a.csv", "x0,x1\n0,1\n");
    let second = folder.file("b.csv", "x1,extra,x0\n3,9,2\n");
    let dataset = read_dataset(&[first.clone(), second.clone()], &[]).unwrap();
    assert_eq!(rows(&dataset), [[0.0, 1.0], [2.0, 3.0]]);
    assert_eq!(dataset.parts[1].left_aside, ["column extra"]);
    let other = folder.file("c.csv", "x0,z\n0,1\n");
    let message = read_dataset(&[first, other.clone()], &[]).unwrap_err().to_string();
    assert_says(&message, &["c.csv: no column x1; it has x0, z"]);

    // As read before, from its recipe as JSON.
    let named = load(&folder.file("d.csv", NAMED));
    let json = serde_json::to_string(&named.recipe).unwrap();
    let recipe: Recipe = serde_json::from_str(&json).unwrap();
    let read = |path: &PathBuf| read_dataset_as(std::slice::from_ref(path), &[], &recipe);
    assert_eq!(rows(&read(&second).unwrap()), [[2.0, 3.0]]);
    assert_eq!(read(&second).unwrap().recipe, named.recipe);
    assert!(read(&other).unwrap_err().to_string().contains("no column x1"));
    // Without names there is but the order.
    assert_eq!(rows(&read(&folder.file("e.csv", "7,8\n")).unwrap()), [[7.0, 8.0]]);
}

#[test]
fn archives_name_their_features_and_samples() {
    let folder = Folder::new();
    let names = npy("|S3", false, &[2], b"ab\0cde");
    let letters: Vec<u8> = "x\0y2".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let members = [
        ("X", npy_f32(&[2, 2], &[1.0, 2.0, 3.0, 4.0])),
        ("vocabulary", names),
        ("ids", npy("<U2", false, &[2], &letters)),
    ];
    let first = folder.file("a.npz", npz(&members));
    let dataset = load(&first);
    assert_eq!(self::names(&dataset), ["ab", "cde"]);
    assert_eq!(
        (ids(&dataset), dataset.parts[0].ids_from.as_deref()),
        (vec!["x", "y2"], Some("member ids"))
    );
    // Sparse, its columns in another order.
    let mut sparse = common::csr("csr");
    sparse[3].1 = common::npy_i64(&[2], &[2, 3]);
    sparse.push(("feature_names", npy("|S3", false, &[3], b"cdeq\0\0ab\0")));
    sparse.push(("ids", npy("|S1", false, &[2], b"pq")));
    let dataset = read_dataset(&[first, folder.file("b.npz", npz(&sparse))], &[]).unwrap();
    assert_eq!(rows(&dataset)[2..], [[0.0, 0.0], [6.0, 7.0]]);
}

/// What two readers of the code found.
#[test]
fn first_rows_that_look_like_headers_stay_rows() {
    let folder = Folder::new();
    let n_rows = |text: &str, options: ReadOptions| {
        let path = folder.file("x.csv", text);
        read_dataset_with(&[path], &[], &options).unwrap().features.n_samples()
    };
    let column = |name: &str| Some(name.to_owned());
    let texts = |header: Option<bool>| ReadOptions {
        label_column: column("2"),
        text_column: column("1"),
        header,
        ..ReadOptions::default()
    };
    assert_eq!(
        n_rows("I love this thing,4\nI hate that thing,0\ngood good thing,4\n", texts(None)),
        3
    );
    let titles = "# first heading,news\nsecond text,sport\nthird text,news\n";
    assert_eq!(n_rows(titles, texts(Some(false))), 3);
    let cabins = "5.1,3.5,C85\n4.9,3.0,\n4.7,3.2,\n4.6,3.1,E4\n";
    let ignored = vec!["3".to_owned()];
    assert_eq!(n_rows(cabins, ReadOptions { ignored_columns: ignored, ..Default::default() }), 4);
    let path = folder.file("open.csv", "x,y,name\n1,2,\"abc\n3,4,d\n5,6,e\n");
    let error = read_dataset(&[path], &[]).unwrap_err().to_string();
    common::assert_says(&error, &["open.csv: line 2", "a quote is not closed"]);
}

#[test]
fn ids_are_taken_in_one_order() {
    let folder = Folder::new();
    // As docs/formats.md has it, the best first.
    let order = ["ID", "uuid", "sample_id", "index", "name", "file", "doc_no_id", "", "sample"];
    for (at, &best) in order.iter().enumerate() {
        for &other in &order[at + 1..] {
            // What has no name is the first column.
            let columns = if other.is_empty() { [other, best] } else { [best, other] };
            for columns in [columns, [columns[1], columns[0]]] {
                if columns[1].is_empty() {
                    continue;
                }
                let cells = columns.map(|name| if name == best { "p" } else { "q" });
                let header = columns.join(",");
                let [first, second] = cells;
                let text = format!("{header},v\n{first}1,{second}1,1\n{first}2,{second}2,2\n");
                let dataset = load(&folder.file("a.csv", text));
                assert_eq!(
                    (ids(&dataset), names(&dataset)),
                    (vec!["p1", "p2"], vec!["v"]),
                    "{header}"
                );
            }
        }
    }
}

#[test]
fn ids_are_in_the_column_that_other_files_have_them_in() {
    let folder = Folder::new();
    let run = load(&folder.file("run.csv", "key,v\np,1\nq,2\n"));
    assert_eq!(run.recipe.id_column.as_deref(), Some("key"));
    let again =
        |text: &str| read_dataset_as(&[folder.file("new.csv", text)], &[], &run.recipe).unwrap();
    assert_eq!(ids(&again("id,key,v\n1,r,3\n2,s,4\n")), ["r", "s"]);
    assert_eq!(ids(&again("id,Key,v\n1,r,3\n2,s,4\n")), ["r", "s"]);
    let lost = again("id,v\n1,3\n2,4\n");
    assert_eq!((lost.ids, lost.parts[0].notes.len()), (None, 1));
    assert_says(&lost.parts[0].notes[0], &["no column key", "these have no ids"]);
    // Files of one data set, too.
    let paths = [folder.path("run.csv"), folder.path("new.csv")];
    let mixed = read_dataset(&paths, &[]).unwrap_err();
    assert_says(&mixed.to_string(), &["run.csv has ids", "new.csv has none"]);
    // What a number named is found by its name.
    let first = ReadOptions { id_column: Some("1".into()), ..ReadOptions::default() };
    let run = with(folder.file("run.csv", "k,v\np,1\nq,2\n"), first).unwrap();
    let turned = folder.file("turned.csv", "v,k\n1,p\n2,q\n");
    assert_eq!(ids(&read_dataset_as(&[turned], &[], &run.recipe).unwrap()), ["p", "q"]);
    // Recipes of runs from before know of no such column.
    let mut old = serde_json::to_value(&run.recipe).unwrap();
    old.as_object_mut().unwrap().remove("id_column").unwrap();
    assert_eq!(serde_json::from_value::<Recipe>(old).unwrap().id_column, None);
}

/// There, the first column is called as an index without a name is.
#[test]
fn an_index_without_a_name_is_not_looked_for_in_files_without_names() {
    let folder = Folder::new();
    let run = load(&folder.file("run.csv", ",a,b\n5,1,2\n6,3,4\n7,5,6\n"));
    assert_eq!(run.recipe.id_column.as_deref(), Some("column 1"));
    let again = |name: &str, text: &str| {
        read_dataset_as(&[folder.file(name, text)], &[], &run.recipe).unwrap()
    };
    let found = again("bare.csv", "7,8\n9,10\n");
    assert_eq!((rows(&found), found.ids), (vec![vec![7.0, 8.0], vec![9.0, 10.0]], None));
    // Where columns have names, in whatever way it was written.
    assert_eq!(ids(&again("next.csv", ",a,b\nr,1,2\ns,3,4\n")), ["r", "s"]);
    assert_eq!(ids(&again("next.csv", "Unnamed: 0,a,b\nr,1,2\ns,3,4\n")), ["r", "s"]);
    let labels = |text: &str, column: Option<&str>| {
        let labels_column = column.map(Into::into);
        let options = ReadOptions { labels_column, ..ReadOptions::default() };
        let paths = [folder.path("run.csv")];
        let read = read_dataset_with(&paths, &[folder.file("labels.csv", text)], &options);
        read.unwrap().truth.unwrap()
    };
    assert_truth(&labels("A,x\nB,y\nA,z\n", Some("1")), &["A", "B", "A"]);
    assert_truth(&labels(",label\n7,A\n6,B\n5,C\n", None), &["C", "B", "A"]);
    // What a person named by its number is there, too.
    let first = ReadOptions { id_column: Some("1".into()), ..ReadOptions::default() };
    let run = with(folder.file("run.csv", "p,1,2\nq,3,4\n"), first).unwrap();
    let new = folder.file("new.csv", "r,5,6\ns,7,8\n");
    let found = read_dataset_as(&[new], &[], &run.recipe).unwrap();
    assert_eq!((ids(&found), rows(&found)[1].clone()), (vec!["r", "s"], vec![7.0, 8.0]));
}

#[test]
fn points_beside_decimal_commas_are_no_decimal_points() {
    let folder = Folder::new();
    let comma = || ReadOptions { decimal_comma: true, ..ReadOptions::default() };
    let path = folder.file("a.csv", "turnover;cost\n1.250;0,5\n980;1,5\n12.500;2,5\n");
    let message = with(path, comma()).unwrap_err();
    assert_says(
        &message,
        &["turnover has numbers", "digits in groups", "\"1.250\"", "--ignore-column turnover"],
    );
    assert!(!message.contains("cost"), "{message}");
    let lists = with(folder.file("b.csv", "v;w\n[1.5, 2];a\n[2.5, 3];b\n"), comma()).unwrap();
    assert_eq!(rows(&lists), [[1.5, 2.0], [2.5, 3.0]]);
    // The comma isn't between cells of a single column.
    let single = with(folder.file("c.csv", "x\n1,5\n2,5\n9,25\n"), comma()).unwrap();
    assert_eq!(
        (rows(&single), names(&single)),
        (vec![vec![1.5], vec![2.5], vec![9.25]], vec!["x"])
    );
}

#[test]
fn a_name_with_a_comma_is_advised_by_its_number() {
    let folder = Folder::new();
    let path = folder.file("a.csv", "v,\"first,second\"\n1,a\n2,b\n3,a\n");
    assert_says(
        &with(path, ReadOptions::default()).unwrap_err(),
        &["words in first,second", "--one-hot 2;"],
    );
}

#[test]
fn a_name_has_what_separates_others_and_years_are_names() {
    let folder = Folder::new();
    for (text, expected) in [
        ("id,width;mm,height\np,1,2\nq,3,4\n", ["width;mm", "height"]),
        ("id;width, mm;height\np;1;2\nq;3;4\n", ["width, mm", "height"]),
        ("id,2019,2020\np,1,2\nq,3,4\n", ["2019", "2020"]),
        ("2019,2020,id\n1,2,p\n3,4,q\n", ["2019", "2020"]),
    ] {
        let dataset = load(&folder.file("x.csv", text));
        assert_eq!((names(&dataset), ids(&dataset)), (expected.to_vec(), vec!["p", "q"]), "{text}");
        assert_eq!(rows(&dataset), [[1.0, 2.0], [3.0, 4.0]], "{text}");
    }
    // What is between quotes separates nothing. A single one is an inch.
    let path = folder.file("x.csv", "id,\"na;me\",v\n1,\"2;3\",5\n4,\"5;6\",7\n");
    let ignored_columns = vec!["na;me".into()];
    let dataset = with(path, ReadOptions { ignored_columns, ..ReadOptions::default() }).unwrap();
    assert_eq!((names(&dataset), ids(&dataset)), (vec!["v"], vec!["1", "4"]));
    let path = folder.file("x.csv", "id,size\n5\" pipe,1\n3\" pipe,2\n");
    assert_eq!(ids(&load(&path)), ["5\" pipe", "3\" pipe"]);
    // Where no line has as many as the first, the first of them is what it is.
    let ragged = common::data_error(&folder.file("x.csv", "a;b,c\n1;2\n3;4;5\n"));
    common::assert_says(&ragged, &["x.csv: line 3"]);
    // Measurements beside a word are a row, even if another row has a usual name in its place.
    // And so are counts: only years that go up are names.
    let options = ReadOptions { id_column: Some("1".into()), ..ReadOptions::default() };
    for (text, n_samples) in [
        ("class,1.5,2.5\nfile,3.5,4.5\n", 2),
        ("class,1,2\nfile,3,4\nfoo,5,6\n", 3),
        ("class,2020,2019\nfile,3,4\nfoo,5,6\n", 3),
        ("class,2019,2020\nfile,3,4\nfoo,5,6\n", 2),
    ] {
        let dataset = with(folder.file("x.csv", text), options.clone()).unwrap();
        assert_eq!(dataset.features.n_samples(), n_samples, "{text}");
    }
}
