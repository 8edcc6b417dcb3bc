//! The pictures of a report: plain numbers in, one deterministic SVG document out.
//!
//! | picture | the question it answers |
//! |---|---|
//! | [`curves`] | How did training go, and did the runs of an arm go alike? |
//! | [`forest`] | How large is each difference to the baseline, and is it beyond the noise? |
//! | [`classes`] | In which classes does a gain arise, and do the runs agree? |
//! | [`reliability`] | Does a criterion find the images whose pseudo labels are good? |
//! | [`calibration`] | Is a model as often right as it is confident, and where are its pixels? |
//! | [`budget`] | How many pixels does each selection keep, and how good are their labels? |
//! | [`confusion`] | Which class is taken for which? |
//! | [`graph`] | What does each arm compute, and which stages do arms share? |
//!
//! Each is a struct of strings and numbers with a method `picture`, which takes an [`About`] and gives a [`Picture`]: a
//! file beside `report.md`, and a part of an HTML page. A picture knows nothing of studies and stores. Values are in
//! points (0 to 100) where a report has points, and fractions where they are shares; each field says which. A number
//! that cannot be drawn is left out: NaN, an infinity, one beyond 10¹².
//!
//! # How one is made
//!
//! [`svg`] writes elements, escapes text and has one form for numbers. [`axis`] finds round ticks, [`panel`] draws axes
//! and puts panels side by side, [`legend`] says what marks mean, [`arm`] makes an arm look the same everywhere, and
//! [`theme`] holds the colours and the one style sheet. [`text`] knows how wide a text is without a screen, and
//! [`digits`] how numbers are written. [`apart`] and [`place`] keep labels from overlapping, [`layered`] places the
//! boxes of a graph, [`thin`] leaves out points that nobody could see.
//!
//! # In a page
//!
//! Many pictures can stand in one page: ids carry the picture's name, which must be unique there, and classes begin
//! with `stpp-`. A picture has no script, no link, no font of its own and no `style` attribute. Its style element holds
//! the text of [`theme::style`], so that one digest allows them all. It shrinks with its column; a page for small
//! screens had better let it scroll. `data-theme` on the page's root chooses light or dark, else the system does.
//!
//! The laws that every picture keeps, whatever its input, are tests in `laws.rs`: well-formed, inside its edges, no text
//! over another.

pub mod apart;
pub mod arm;
pub mod axis;
pub mod budget;
pub mod calibration;
pub mod classes;
pub mod confusion;
pub mod curves;
pub mod digits;
pub mod forest;
pub mod graph;
#[cfg(test)]
mod laws;
pub mod layered;
pub mod legend;
pub mod panel;
pub mod place;
pub mod reliability;
pub mod svg;
pub mod text;
pub mod theme;
pub mod thin;

pub use arm::Arm;
pub use svg::{About, Picture};
