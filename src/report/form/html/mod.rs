//! The report as one HTML file that needs nothing else: no network, no folder of pictures, no server.
//!
//! It is made of the Markdown and of the pictures that the Markdown names; it adds no sentence of its own about the study.
//!
//! - `body`: the Markdown's events, one after another, as HTML
//! - `heading`: addresses of headings, and the table of contents
//! - `table`: tables that scroll on a narrow screen and that a script can sort
//! - `picture`: pictures in place of links to them
//! - `text`: text that cannot become markup
//! - `page`: the template around it, and the policy that forbids everything that is not in the file
//!
//! What is written is HTML and well-formed XML at once, so that a strict parser can vouch for it in tests. HTML in the
//! Markdown is shown as text: names of arms, classes and images come from users, and none of them may become an element.

mod body;
mod heading;
mod page;
mod picture;
mod table;
mod text;

#[cfg(test)]
mod tests;

pub use page::html;
pub use picture::{Embedded, Pictures};
