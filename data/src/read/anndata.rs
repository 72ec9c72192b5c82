//! AnnData's `.h5ad`: a matrix of cells in HDF5, dense or sparse, with tables of what is known of the cells and of its columns.
//!
//! The layout is that of <https://anndata.readthedocs.io/en/latest/fileformat-prose.html>.

use std::path::{Path, PathBuf};

use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, Group, Location};

use super::array::{Blocks, Opened};
use super::h5::{Slabs, cells, check_size, column_kind, corrupt, format, kind, open};
use super::numbers::whole_numbers;
use super::sparse::{Csr, Stored};
use super::strings::Cells;
use crate::DataError;
use crate::records::{Column, Kind, PartInfo, Records};

/// The table of the cells, and that of the columns of `X`.
const OBS: &str = "obs";
const VAR: &str = "var";

/// Opens `X`, or the matrix that is named (`obsm/X_pca`, `layers/counts`), with the columns of `obs` beside it. `None` if the file
/// isn't one of AnnData, or something else is named.
pub(super) fn open_records(
    path: &Path,
    member: Option<&str>,
) -> Result<Option<Records>, DataError> {
    let file = open(path)?;
    let member = member.unwrap_or("X").trim_start_matches('/');
    let is_matrix =
        member == "X" || ["obsm/", "layers/"].iter().any(|group| member.starts_with(group));
    let Ok(obs) = file.group(OBS) else { return Ok(None) };
    if !is_matrix || !file.link_exists(member) {
        return Ok(None);
    }
    let file_name = path.display().to_string();
    let name = format!("{file_name}:/{member}");
    let (mut info, blocks) = match file.group(member) {
        Ok(group) => sparse(&group, &file_name, &name)?,
        Err(_) => {
            let dataset = file.dataset(member).map_err(|error| corrupt(&error, &name))?;
            let kind = kind(&dataset, &name)?;
            let info = PartInfo::new(&file_name, format(&dataset, kind), &dataset.shape());
            (info, Box::new(Slabs::new(dataset, &name, kind)?) as Box<dyn Blocks>)
        }
    };
    info.format = format!("AnnData, {}", info.format);
    info.member = Some(format!("/{member}"));
    let n_rows = info.shape.first().copied().unwrap_or(0);
    let width = info.shape.iter().skip(1).product();
    let mut opened = Opened::alone(name, info, blocks);
    if !member.starts_with("obsm/")
        && let Ok(var) = file.group(VAR)
        && let Some(index) = index(&var)
        && let Ok(Cells::Words(names)) = column(&var, &index, width, &file_name)
    {
        opened.item_names = Some(names);
    }
    add_columns(&mut opened, &obs, n_rows);
    let names: Vec<String> = opened.columns.iter().map(|column| column.name.clone()).collect();
    let path: PathBuf = path.into();
    opened.beside = Box::new(move |place| {
        let obs = open(&path)?.group(OBS).map_err(|error| corrupt(&error, &file_name))?;
        Ok(column(&obs, &names[place], n_rows, &file_name)?.into_words())
    });
    opened.records().map(Some)
}

/// What a text attribute says.
fn text(location: &Location, attribute: &str) -> Option<String> {
    Some(location.attr(attribute).ok()?.read_scalar::<VarLenUnicode>().ok()?.as_str().to_owned())
}

/// The column of a table that names its rows.
fn index(table: &Group) -> Option<String> {
    let said = text(table, "_index").unwrap_or_else(|| "_index".into());
    table.link_exists(&said).then_some(said)
}

/// A matrix whose parts are datasets of a group.
fn sparse(
    group: &Group,
    file_name: &str,
    name: &str,
) -> Result<(PartInfo, Box<dyn Blocks>), DataError> {
    let bad =
        |problem: &str| DataError::BadSparse { source_name: name.into(), problem: problem.into() };
    let part = |part: &str| -> Result<Cells, DataError> {
        let dataset = group.dataset(part).map_err(|_| bad(&format!("no dataset {part}")))?;
        cells(&dataset, &format!("{name}/{part}"))
    };
    let integers = |part_name: &str| match part(part_name)? {
        Cells::Numbers(numbers) => {
            whole_numbers(&numbers).map_err(|_| bad(&format!("{part_name} are not integers")))
        }
        Cells::Words(_) => Err(bad(&format!("{part_name} are not integers"))),
    };
    let shape = group.attr("shape").ok().and_then(|shape| shape.read_raw::<i64>().ok());
    let shape: Option<Vec<usize>> =
        shape.and_then(|shape| shape.into_iter().map(|side| usize::try_from(side).ok()).collect());
    let shape: [usize; 2] = shape
        .and_then(|shape| shape.try_into().ok())
        .ok_or_else(|| bad("attribute shape is not two lengths"))?;
    let (indptr, indices) = (integers("indptr")?, integers("indices")?);
    let (stored, words) = match text(group, "encoding-type").as_deref() {
        Some("csc_matrix") => (Stored::Csc { indptr, indices }, "CSC"),
        Some("csr_matrix") => (Stored::Csr { indptr, indices }, "CSR"),
        found => return Err(bad(&format!("encoding-type is {found:?}"))),
    };
    let Cells::Numbers(data) = part("data")? else { return Err(bad("data are not numbers")) };
    let data = data.into_iter().map(|value| value.float()).collect();
    let matrix = Csr::new(shape, stored, data, name)?;
    let info = PartInfo::new(file_name, format!("HDF5, sparse ({words})"), &shape);
    Ok((info, matrix.blocks(name)))
}

/// The columns of a table with a value for each row.
fn add_columns(opened: &mut Opened, table: &Group, n_rows: usize) {
    let index = index(table);
    for name in table.member_names().unwrap_or_default() {
        let kind = match (table.dataset(&name), table.group(&name)) {
            (Ok(dataset), _) if dataset.shape() == [n_rows] => column_kind(&dataset),
            (Ok(dataset), _) => Kind::Other(format!("shape {:?}", dataset.shape())),
            (_, Ok(group)) if group.link_exists("categories") && group.link_exists("codes") => {
                Kind::Words
            }
            _ => Kind::Other("a group".into()),
        };
        if Some(&name) == index.as_ref() {
            opened.index.push(opened.columns.len());
        }
        opened.columns.push(Column::new(name, kind));
    }
}

/// The values of a column, categories by their words.
fn column(table: &Group, name: &str, n_rows: usize, file_name: &str) -> Result<Cells, DataError> {
    let source_name = format!("{file_name}:{}/{name}", table.name());
    let bad = |problem: String| DataError::Corrupt { source_name: source_name.clone(), problem };
    let dataset = |group: &Group, name: &str| -> Result<Dataset, DataError> {
        let dataset = group.dataset(name).map_err(|error| corrupt(&error, &source_name))?;
        check_size(&dataset, 1, &source_name)?;
        Ok(dataset)
    };
    let found = match table.group(name) {
        Err(_) => cells(&dataset(table, name)?, &source_name)?,
        Ok(group) => {
            let words = cells(&dataset(&group, "categories")?, &source_name)?.into_words();
            let Cells::Numbers(codes) = cells(&dataset(&group, "codes")?, &source_name)? else {
                return Err(bad("codes that are no numbers".into()));
            };
            let codes = whole_numbers(&codes);
            let codes = codes.map_err(|(_, code)| bad(format!("the code {code}")))?;
            let word = |&code: &i64| match usize::try_from(code) {
                // A missing value.
                Err(_) => Ok(String::new()),
                Ok(code) => {
                    let word = words.get(code).cloned().flatten();
                    word.ok_or_else(|| {
                        bad(format!("the code {code} of {} categories", words.len()))
                    })
                }
            };
            Cells::Words(codes.iter().map(word).collect::<Result<_, _>>()?)
        }
    };
    let count = match &found {
        Cells::Numbers(numbers) => numbers.len(),
        Cells::Words(words) => words.len(),
    };
    if count == n_rows { Ok(found) } else { Err(bad(format!("{count} values for {n_rows}"))) }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use hdf5::types::VarLenUnicode;
    use hdf5::{File, Group, Location};

    use crate::{ReadOptions, read_dataset, read_dataset_with};

    fn word(word: &str) -> VarLenUnicode {
        word.parse().unwrap()
    }

    fn say(location: &Location, attribute: &str, text: &str) {
        let attribute = location.new_attr::<VarLenUnicode>().create(attribute).unwrap();
        attribute.write_scalar(&word(text)).unwrap();
    }

    fn words(group: &Group, name: &str, words: &[&str]) {
        let words: Vec<VarLenUnicode> = words.iter().map(|text| word(text)).collect();
        group.new_dataset_builder().with_data(&words).create(name).unwrap();
    }

    /// As `anndata.AnnData(...).write_h5ad` writes it.
    fn write(folder: &tempfile::TempDir, encoding: &str) -> PathBuf {
        let path = folder.path().join("x.h5ad");
        let file = File::create(&path).unwrap();
        let x = file.create_group("X").unwrap();
        say(&x, "encoding-type", encoding);
        let shape = x.new_attr::<i64>().shape([2]).create("shape").unwrap();
        shape.write(&[3_i64, 3]).unwrap();
        let new = |name: &str, values: &[i32]| {
            x.new_dataset_builder().with_data(values).create(name).unwrap();
        };
        new("indptr", &[0, 1, 3, 4]);
        new("indices", &[1, 0, 2, 1]);
        x.new_dataset_builder().with_data(&[1.0_f32, 2.0, 3.0, 4.0]).create("data").unwrap();
        let obs = file.create_group("obs").unwrap();
        say(&obs, "_index", "barcode");
        words(&obs, "barcode", &["AAC", "CAG", "TTG"]);
        let cell_type = obs.create_group("cell_type").unwrap();
        words(&cell_type, "categories", &["B", "T"]);
        cell_type.new_dataset_builder().with_data(&[1_i8, 0, 1]).create("codes").unwrap();
        let var = file.create_group("var").unwrap();
        say(&var, "_index", "_index");
        words(&var, "_index", &["g1", "g2", "g3"]);
        let obsm = file.create_group("obsm").unwrap();
        let pca = ndarray::array![[1.0_f64, 2.0], [3.0, 4.0], [5.0, 6.0]];
        obsm.new_dataset_builder().with_data(&pca).create("X_pca").unwrap();
        path
    }

    #[test]
    fn matrices_and_what_is_known_of_their_cells() {
        let folder = tempfile::tempdir().unwrap();
        let by_row = [0.0, 1.0, 0.0, 2.0, 0.0, 3.0, 0.0, 4.0, 0.0];
        let by_column = [0.0, 2.0, 0.0, 1.0, 0.0, 4.0, 0.0, 3.0, 0.0];
        let options =
            ReadOptions { label_column: Some("cell_type".into()), ..ReadOptions::default() };
        for (encoding, expected) in [("csr_matrix", by_row), ("csc_matrix", by_column)] {
            let path = write(&folder, encoding);
            let data = read_dataset_with(std::slice::from_ref(&path), &[], &options).unwrap();
            assert_eq!(data.features.as_slice(), expected);
            assert_eq!(data.ids.unwrap(), ["AAC", "CAG", "TTG"]);
            assert_eq!(data.recipe.feature_names.unwrap(), ["g1", "g2", "g3"]);
            let truth = data.truth.unwrap();
            assert_eq!((truth.names().len(), truth.n_samples()), (2, 3));
            let pca = PathBuf::from(format!("{}:/obsm/X_pca", path.display()));
            let data = read_dataset_with(&[pca], &[], &options).unwrap();
            assert_eq!(data.features.as_slice(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
            assert_eq!(data.ids.unwrap().len(), 3);
        }
        let message = read_dataset(&[write(&folder, "dia_matrix")], &[]).unwrap_err().to_string();
        assert!(message.contains("encoding-type is Some(\"dia_matrix\")"), "{message}");
    }
}
