//! In the place of what decodes images, in a program without it.

use super::look::Look;

const WITHOUT: &str = "this program was built without images; build it with `--features images`";

pub(super) fn look(_: &[u8], _: u64) -> Result<Look, String> {
    Err(WITHOUT.into())
}

pub(super) fn decode(_: &[u8], _: [usize; 3], _: u64) -> Result<Vec<u8>, String> {
    Err(WITHOUT.into())
}
