//! Arithmetic for all others: matrix products, work cut by columns, elementary functions as vector instructions.

pub(crate) mod elementary;
pub(crate) mod matrix;
#[cfg(test)]
pub(crate) mod testing;
