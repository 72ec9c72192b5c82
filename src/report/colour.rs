//! A colour for each cluster, the same all over the page.

/// Ten that are told apart on white and on black, and in black and white as far as ten can be (Tableau 10).
const TEN: [&str; 10] = [
    "#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#ff9da7",
    "#9c755f", "#bab0ac",
];
/// Turns of the wheel of hues that never come near one another (the golden angle), in degrees.
const GOLDEN: usize = 137;

/// The colour of a cluster, as CSS. With more than ten, colours only help: numbers stand beside them.
pub(super) fn of_cluster(cluster: usize, n_clusters: usize) -> String {
    if n_clusters <= TEN.len()
        && let Some(colour) = TEN.get(cluster)
    {
        return (*colour).to_owned();
    }
    let (hue, lightness) = (cluster * GOLDEN % 360, [48, 62, 38][cluster % 3]);
    format!("hsl({hue},55%,{lightness}%)")
}
