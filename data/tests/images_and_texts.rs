//! Folders and archives of images, and texts.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::{Folder, assert_says, assert_truth, data_error, load, rows};
use consilience_data::{
    Dataset, ReadOptions, read_dataset, read_dataset_as, read_dataset_with, read_labels,
};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn reference(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// A folder of files, whose paths may have folders.
fn tree(files: &[(&str, Vec<u8>)]) -> Folder {
    let folder = Folder::new();
    for (path, bytes) in files {
        fs::create_dir_all(folder.path(path).parent().unwrap()).unwrap();
        folder.file(path, bytes);
    }
    folder
}

fn image(name: &str) -> Vec<u8> {
    fs::read(fixture(&format!("images/{name}"))).unwrap()
}

fn sized(path: &Path, image_size: [usize; 2]) -> Dataset {
    let options = ReadOptions { image_size: Some(image_size), ..ReadOptions::default() };
    read_dataset_with(&[path.into()], &[], &options).unwrap()
}

#[test]
fn images_of_every_kind_are_what_another_decoder_says() {
    for (name, known) in reference("images/pixels.json").as_object().unwrap() {
        let folder = tree(&[(name, image(name))]);
        let dataset = load(&folder.path("."));
        let values: Vec<f32> = serde_json::from_value(known["values"].clone()).unwrap();
        let [rows, columns]: [usize; 2] = serde_json::from_value(known["shape"].clone()).unwrap();
        let channels = values.len() / rows / columns;
        assert_eq!(dataset.recipe.image, Some([rows, columns, channels]), "{name}");
        // Decoders of JPEG may round differently.
        let limit = if name.ends_with("jpg") { 3.0 } else { 0.0 };
        for (found, value) in dataset.features.row(0).iter().zip(&values) {
            assert!((found - value).abs() <= limit, "{name}: {found} for {value}");
        }
        assert_eq!(dataset.ids.as_deref().unwrap(), [name.as_str()]);
    }
}

#[test]
fn folders_and_archives_hold_the_same_images() {
    let files = [
        ("b/10.png", image("l.png")),
        ("a/9.png", image("la.png")),
        ("a/without_extension", image("l16.png")),
        ("README.md", b"about".to_vec()),
        ("a/.DS_Store", b"x".to_vec()),
        ("a/words.txt", b"x".to_vec()),
        ("__MACOSX/a/._9.png", b"x".to_vec()),
    ];
    let folder = tree(&files);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, bytes) in &files {
        zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    let archives = Folder::new();
    let archive = archives.file("images.zip", zip.finish().unwrap().into_inner());
    let ids = ["a/9.png", "a/without_extension", "b/10.png"];
    let [first, second] = [load(&folder.path(".")), load(&archive)];
    assert_eq!(rows(&first), rows(&second));
    for dataset in [first, second] {
        assert_eq!(dataset.ids.as_deref().unwrap(), ids);
        assert_truth(dataset.truth.as_ref().unwrap(), &["a", "a", "b"]);
        let info = &dataset.parts[0];
        assert_eq!(
            info.left_aside,
            ["README.md", "__MACOSX/a/._9.png", "a/.DS_Store", "a/words.txt"]
        );
        assert_eq!((&info.shape[..], info.images.as_ref().unwrap().grey), (&[3, 4, 6, 1][..], 3));
    }
    assert_truth(&read_labels(&[archive]).unwrap(), &["a", "a", "b"]);
}

#[test]
fn images_are_brought_to_one_size_and_one_number_of_channels() {
    let folder = tree(&[("1.png", image("l.png")), ("2.jpg", image("lying.jpg"))]);
    let dataset = load(&folder.path("."));
    assert_eq!(dataset.recipe.image, Some([32, 32, 3]));
    assert_eq!(dataset.recipe.options.image_size, Some([32, 32]));
    let info = dataset.parts[0].images.as_ref().unwrap();
    assert_eq!((info.grey, info.colour, info.read_as), (1, 1, [32, 32, 3]));
    assert_eq!(info.sizes, [([4, 6], 1), ([24, 16], 1)]);
    // Halving averages about a pixel: the middle of a smooth image stays what it was.
    let smooth = tree(&[("x.jpg", image("grey.jpg"))]);
    let (whole, half) = (load(&smooth.path(".")), sized(&smooth.path("."), [8, 12]));
    let (whole, half) = (whole.features.row(0)[8 * 24 + 12], half.features.row(0)[4 * 12 + 6]);
    assert!((whole - half).abs() < 8.0, "{whole} {half}");

    // Read as others were: grey and small.
    let small = sized(&tree(&[("1.png", image("l.png"))]).path("."), [2, 3]);
    let again = read_dataset_as(&[folder.path(".")], &[], &small.recipe).unwrap();
    assert_eq!((again.recipe == small.recipe, again.features.view().dim()), (true, (2, 6)));
    assert_eq!(again.features.row(0), small.features.row(0));
}

#[test]
fn images_that_cannot_be_read_are_named() {
    for (name, bytes, problem) in [
        ("cut.png", image("rgb.png")[..80].to_vec(), ""),
        ("cut.jpg", image("grey.jpg")[..300].to_vec(), ""),
        ("scan.jpg", image("grey.jpg")[..350].to_vec(), "the file ends before"),
        ("not.png", b"hello, world".to_vec(), "neither PNG nor JPEG (first bytes: 68 65 6c"),
        ("empty.jpeg", Vec::new(), "neither PNG nor JPEG"),
    ] {
        let folder = tree(&[("a/good.png", image("l.png")), (&format!("b/{name}"), bytes)]);
        let message = data_error(&folder.path("."));
        assert_says(&message, &[&format!("b/{name}: not an image that can be read"), problem]);
    }
    let folder = tree(&[("song.mp3", b"ID3".to_vec())]);
    assert_says(&data_error(&folder.path(".")), &["no images (PNG, JPEG)", "its 1 files"]);
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("song.mp3", zip::write::SimpleFileOptions::default()).unwrap();
    let archive = folder.file("x.zip", zip.finish().unwrap().into_inner());
    assert_says(&data_error(&archive), &["x.zip: no images (PNG, JPEG)"]);
    let mixed = [tree(&[("1.png", image("l.png"))]), tree(&[("1.txt", b"words".to_vec())])];
    let paths = mixed.each_ref().map(|folder| folder.path("."));
    assert_says(
        &read_dataset(&paths, &[]).unwrap_err().to_string(),
        &["holds texts", "holds images"],
    );
}

#[test]
fn words_are_weighed_as_scikit_learn_does() {
    let reference = reference("texts/tf_idf.json");
    let strings =
        |name: &str| -> Vec<String> { serde_json::from_value(reference[name].clone()).unwrap() };
    let folder = Folder::new();
    // An empty line at the end would be none.
    let path = folder.file("texts.txt", strings("texts").join("\n"));
    let dataset = load(&path);
    let words = dataset.recipe.feature_names.as_ref().unwrap();
    assert_eq!(reference["n_words"], words.len());
    let tricky: Vec<&String> = words.iter().filter(|word| !word.starts_with('w')).collect();
    assert_eq!(tricky, strings("tricky").iter().collect::<Vec<_>>());
    let new = folder.file("new.txt", strings("new").join("\n"));
    let new = read_dataset_as(&[new], &[], &dataset.recipe).unwrap();
    assert_eq!(new.recipe, dataset.recipe);
    for (dataset, rows) in [(dataset, "rows"), (new, "new_rows")] {
        let rows: Vec<Vec<(usize, f32)>> = serde_json::from_value(reference[rows].clone()).unwrap();
        assert!(dataset.features.n_samples() >= rows.len());
        for (sample, row) in rows.iter().enumerate() {
            let mut expected = vec![0.0; dataset.features.n_features()];
            row.iter().for_each(|&(column, value)| expected[column] = value);
            for (found, value) in dataset.features.row(sample).iter().zip(expected) {
                assert!((found - value).abs() < 1e-6, "text {sample}: {found} for {value}");
            }
        }
    }
}

#[test]
fn texts_in_a_folder_have_ids_and_classes() {
    let folder = tree(&[
        ("top/b/1.txt", b"green pears".to_vec()),
        ("top/a/2.txt", b"red apples".to_vec()),
        ("top/a/10.txt", b"red cherries".to_vec()),
        ("notes.md", b"x".to_vec()),
    ]);
    let dataset = load(&folder.path("."));
    assert_eq!(dataset.ids.as_deref().unwrap(), ["top/a/10.txt", "top/a/2.txt", "top/b/1.txt"]);
    assert_truth(dataset.truth.as_ref().unwrap(), &["a", "a", "b"]);
    let words = ["apples", "cherries", "green", "pears", "red"];
    assert_eq!(dataset.recipe.feature_names.as_deref().unwrap(), words);
    assert_eq!(dataset.parts[0].left_aside, ["notes.md"]);

    let folder = Folder::new();
    assert_says(&data_error(&folder.file("x.txt", "the\nand a\n")), &["x.txt: no words"]);
    // Numbers, with or without a header, are a table.
    for table in ["1 2\n3 4\n", "a b\n3 4\n", "a,b\n3,x\n"] {
        let path = folder.file("y.txt", table);
        let texts = read_dataset(&[path], &[])
            .is_ok_and(|data| data.recipe.inverse_document_frequencies.is_some());
        assert!(!texts, "{table}");
    }
}
