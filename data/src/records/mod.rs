//! A source as a stream of typed batches of rows, whatever its format.
//!
//! A format opens a file and gives [`Records`]: a [`Schema`] and a stream. [`roles`] alone decides what each column is for; the
//! stream is then asked for the columns that are used ([`Wanted`]) and gives them in a [`Batch`]. Reading whole is collecting
//! the stream ([`Samples`]).
//!
//! Nothing here knows a format; a format knows nothing of roles.

mod batch;
pub(crate) mod cells;
mod id_columns;
mod info;
mod label_roles;
pub(crate) mod labels;
mod named_columns;
mod offsets;
pub(crate) mod one_hot;
mod pairing;
mod request;
pub(crate) mod roles;
mod rows;
mod sample_labels;
mod samples;
mod schema;
pub(crate) mod survey;
mod table;
mod usual_names;

pub(crate) use self::batch::{Batch, Numbers, Places, Wanted, Width, rounds, text_rounds};
pub(crate) use self::id_columns::may_count_rows;
pub use self::info::{ColumnInfo, ImagesInfo, PartInfo};
pub use self::label_roles::LabelsAs;
pub(crate) use self::label_roles::{LabelRoles, VoteRoles};
pub(crate) use self::named_columns::NamedColumns;
pub use self::offsets::Offsets;
pub(crate) use self::offsets::{Narrow, ROWS};
pub use self::pairing::{PairedBy, SampleKeys};
pub(crate) use self::pairing::{are_rows, pair, pair_ids};
pub(crate) use self::request::{Fitted, Like, Request};
pub(crate) use self::roles::{Features, Roles};
pub(crate) use self::rows::{Again, Records, Rows};
pub use self::sample_labels::{Paired, SampleLabels};
pub(crate) use self::samples::Samples;
pub use self::schema::Role;
pub(crate) use self::schema::{Array, Column, Kind, Place, Schema, some, unique};
pub(crate) use self::table::Table;
