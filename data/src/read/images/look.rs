//! What is known of an image before it is decoded.

/// What an image is, before it is decoded.
pub(crate) struct Look {
    /// Rows and columns, upright.
    pub(crate) size: [usize; 2],
    pub(crate) has_color: bool,
    /// Whether it may be transparent.
    pub(crate) has_alpha: bool,
    /// Whether a channel has more than 8 bits.
    pub(crate) is_deep: bool,
}

/// Whether a file starts as a PNG or JPEG does.
pub(crate) fn is_image(start: &[u8]) -> bool {
    start.starts_with(b"\x89PNG\r\n\x1a\n") || start.starts_with(&[0xff, 0xd8, 0xff])
}
