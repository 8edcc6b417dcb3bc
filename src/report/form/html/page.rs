//! The template around the report, and the policy that forbids everything that is not in the file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use sha2::{Digest as _, Sha256};

use super::body::body;
use super::heading::contents;
use super::picture::{self, Pictures};
use super::text::escape;

const TEMPLATE: &str = include_str!("../../templates/report.html.jinja");
const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");

/// Writes a report as one HTML file, from its Markdown and from the pictures that the Markdown names by their link.
///
/// `title` is the name of the window, and the heading of a report that has none. A picture in a paragraph of its own
/// becomes a figure. A link to a picture that is not among `pictures` becomes its alternative text. The same input gives
/// the same bytes.
pub fn html(markdown: &str, title: &str, pictures: &Pictures) -> String {
    let body = body(markdown, title, pictures);
    let (style, script) = (sheltered(STYLE), sheltered(SCRIPT));
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let page = environment
        .template_from_str(TEMPLATE)
        .and_then(|page| {
            page.render(context! {
                title => escape(title),
                policy => policy(&style, &script, pictures),
                style => style,
                script => script,
                contents => contents(&body.headings),
                body => body.html,
            })
        })
        .expect("the template and its values are part of the program, and every branch of it is tested");
    page + "\n"
}

/// A style or a script as XML takes it, which would read `<` and `&` in it as markup. To HTML the marks are comments.
fn sheltered(text: &str) -> String {
    format!("/*<![CDATA[*/\n{text}/*]]>*/")
}

/// What a browser may do with the page: apply the styles and run the script that are known by their digests, show images
/// that are in the page, and nothing else.
fn policy(style: &str, script: &str, pictures: &Pictures) -> String {
    let mut styles: Vec<String> =
        std::iter::once(style).chain(picture::styles(pictures)).map(source).collect();
    styles.sort();
    styles.dedup();
    format!(
        "default-src 'none'; img-src data:; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        styles.join(" "),
        source(script)
    )
}

fn source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())))
}
