//! Files and folders that are written aside, held against others, brought safely to the disk, and then given their names.

mod file;
mod lock;
mod names;
mod space;
mod sync;

pub use self::file::{Aside, replace};
pub(crate) use self::lock::{Lock, Taken};
pub(crate) use self::names::{aside_of, check_name, exchange, rename_new};
pub use self::space::{free_bytes, need_space};
pub(crate) use self::sync::{sync_file, sync_folder, sync_tree};
