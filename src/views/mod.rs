//! Other views of the samples: features of other files, or what an encoder makes of the data. On each there are voters beside those on the data.

mod panel;
mod part;
mod prepare;
mod settings;
mod sight;
mod view;
mod voters;

pub(crate) use self::panel::{Ballot, Panel};
pub use self::part::{Part, Voting};
pub use self::prepare::{check_view, prepare_views};
pub use self::settings::{ViewNetworks, ViewSettings};
pub(crate) use self::sight::{Sight, ViewSight};
pub use self::view::{GivenView, View, ViewSource};
pub use self::voters::ViewVoters;
