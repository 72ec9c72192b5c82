//! Charts as SVG, drawn by plotters. Text is in the reader's own fonts; colours are those of light pages, and the style sheet
//! has others for dark ones.

use plotters::coord::Shift;
use plotters::prelude::*;

/// Width and height in pixels: legible on a phone, two beside one another elsewhere.
const SIZE: (u32, u32) = (440, 270);
/// Family and size; plotters makes them a quarter smaller.
const LETTERS: (&str, u32) = ("sans-serif", 17);
const INK: RGBColor = RGBColor(0x5b, 0x63, 0x70);
const GRID: RGBColor = RGBColor(0xe3, 0xe6, 0xea);
/// Blue, orange, green and pink that colour-blind readers tell apart (Okabe and Ito, 2008). Marks differ, too.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
];

/// Of a line that points something out.
const DASHES: u8 = 24;

/// A line with its points.
pub(super) struct Series {
    pub(super) name: &'static str,
    /// Ascending in x; y in 0..=1.
    pub(super) points: Vec<(f64, f64)>,
}

/// What an axis says.
pub(super) struct Axis {
    pub(super) title: &'static str,
    /// Whole numbers, the first and the last.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Lines of shares against whole numbers. `marked`: an x to point out.
pub(super) fn lines(alt: &str, axis: &Axis, series: &[Series], marked: Option<f64>) -> String {
    drawn(alt, |area| {
        let (from, to) = (number(axis.from), number(axis.to));
        let margin = ((to - from) * 0.06).max(0.25);
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(14)
            .x_label_area_size(48)
            .y_label_area_size(54)
            .build_cartesian_2d(from - margin..to + margin, 0.0..1.02)?;
        let steps = axis.to - axis.from;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(LETTERS.into_font().color(&INK))
            .axis_desc_style(LETTERS.into_font().color(&INK))
            .x_desc(axis.title)
            .x_labels(steps.clamp(2, 8) + 1)
            .x_label_formatter(&|x| {
                if x.fract() == 0.0 { format!("{x:.0}") } else { String::new() }
            })
            .y_labels(6)
            .y_label_formatter(&|y| format!("{:.0} %", y * 100.0))
            .draw()?;
        if let Some(x) = marked {
            let dashes = (0..DASHES).map(|dash| f64::from(dash) / f64::from(DASHES));
            let long = 0.5 / f64::from(DASHES);
            chart.draw_series(dashes.map(|y| PathElement::new([(x, y), (x, y + long)], INK)))?;
        }
        for (at, one) in series.iter().enumerate() {
            let colour = COLOURS[at % COLOURS.len()];
            let line = one.points.iter().copied();
            chart.draw_series([PathElement::new(
                line.collect::<Vec<_>>(),
                colour.stroke_width(2),
            )])?;
            for &point in &one.points {
                match at % COLOURS.len() {
                    0 => chart.draw_series([Circle::new(point, 4, colour.filled())])?,
                    1 => chart.draw_series([TriangleMarker::new(point, 5, colour.filled())])?,
                    2 => chart.draw_series([Circle::new(point, 4, colour.stroke_width(2))])?,
                    _ => chart.draw_series([Cross::new(point, 4, colour.stroke_width(2))])?,
                };
            }
        }
        Ok(())
    })
}

/// Bars over 0..=1 in equal parts.
pub(super) fn histogram(alt: &str, title: &str, counts: &[usize]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let width = 1.0 / number(counts.len().max(1));
    drawn(alt, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(8)
            .margin_right(14)
            .x_label_area_size(48)
            .y_label_area_size(64)
            .build_cartesian_2d(0.0..1.0, 0.0..number(most) * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(LETTERS.into_font().color(&INK))
            .axis_desc_style(LETTERS.into_font().color(&INK))
            .x_desc(title)
            .x_labels(6)
            .x_label_formatter(&|x| format!("{:.0} %", x * 100.0))
            .y_labels(5)
            .y_label_formatter(&|y| if y.fract() == 0.0 { thousands(*y) } else { String::new() })
            .draw()?;
        chart.draw_series(counts.iter().enumerate().filter(|&(_, &count)| count > 0).map(
            |(bin, &count)| {
                let left = number(bin) * width;
                let corners = [(left + width * 0.06, 0.0), (left + width * 0.94, number(count))];
                Rectangle::new(corners, COLOURS[0].filled())
            },
        ))?;
        Ok(())
    })
}

/// Axes have room for seven characters.
fn thousands(count: f64) -> String {
    if count >= 1e6 { format!("{}k", count / 1e3) } else { format!("{count:.0}") }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

fn drawn(alt: &str, draw: impl FnOnce(&Area<'_>) -> Drawn) -> String {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
    draw(&area).and_then(|()| area.present()).expect("a text in memory takes everything");
    drop(area);
    // The figure's own words are beside it; `alt` is a fixed text.
    svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{alt}\" "), 1)
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn number(count: usize) -> f64 {
    count as f64
}
