//! Number types that our files are written in.

/// A number type that can be written: `f32`, `f64`, `u8`, `u16`, `u32`, `i32` or `i64`.
pub trait Element: sealed::Sealed {}

macro_rules! element {
    ($($type:ty),*) => {
        $(
            impl Element for $type {}
            impl sealed::Sealed for $type {}
        )*
    };
}

element!(f32, f64, u8, u16, u32, i32, i64);

/// Keeps the libraries' traits out of what others see, so that the libraries can be replaced.
mod sealed {
    #[cfg(feature = "hdf5")]
    pub trait Sealed: npyz::AutoSerialize + hdf5::H5Type + Copy + Default {}
    #[cfg(not(feature = "hdf5"))]
    pub trait Sealed: npyz::AutoSerialize + Copy + Default {}
}
