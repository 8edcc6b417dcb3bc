//! Markdown tables, padded so that they read as plain text too, and text that cannot break them.

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
#[derive(Debug, Clone)]
pub struct Grid {
    aligns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table with its header.
    pub fn new<T: Into<String>>(header: impl IntoIterator<Item = (T, Align)>) -> Self {
        let (header, aligns): (Vec<String>, _) =
            header.into_iter().map(|(title, align)| (line(&title.into()), align)).unzip();
        Self { aligns, rows: vec![header] }
    }

    /// Adds a row.
    ///
    /// # Panics
    /// When it has not as many cells as the header.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let row: Vec<String> = cells.into_iter().map(|text| line(&text)).collect();
        assert_eq!(row.len(), self.aligns.len(), "a row is as wide as its header");
        self.rows.push(row);
    }

    /// Whether there is nothing below the header.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// How its columns are aligned.
    pub fn aligns(&self) -> &[Align] {
        &self.aligns
    }

    /// Its rows, the header first; cells are on one line each.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The table as Markdown, without a final newline.
    pub fn render(&self) -> String {
        let rows: Vec<Vec<String>> =
            self.rows.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> =
            (0..self.aligns.len()).map(|column| width(column).unwrap_or(0).max(3)).collect();
        let rule = self.aligns.iter().zip(&widths).map(|(align, width)| match align {
            Align::Left => format!(":{}", "-".repeat(width - 1)),
            Align::Right => format!("{}:", "-".repeat(width - 1)),
        });
        let mut lines: Vec<String> = rows.iter().map(|row| self.line(row, &widths)).collect();
        lines.insert(1, bars(rule));
        lines.join("\n")
    }

    fn line(&self, row: &[String], widths: &[usize]) -> String {
        bars(row.iter().zip(&self.aligns).zip(widths).map(|((text, align), &width)| match align {
            Align::Left => format!("{text:<width$}"),
            Align::Right => format!("{text:>width$}"),
        }))
    }
}

fn bars(cells: impl Iterator<Item = String>) -> String {
    format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
}

/// Text with nothing that ends a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Text on one line: any run of blanks and line ends is one space, and characters that turn the direction of writing are left
/// out.
pub fn line(text: &str) -> String {
    let turns =
        |c: &char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let kept: String =
        text.chars().filter(|c| !turns(c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Somebody's words on one line, in which Markdown finds no mark of its own.
pub fn plain(text: &str) -> String {
    let text = line(text);
    let mut out = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let opens = at == 0 && matches!(character, '#' | '+' | '-' | '=' | '0'..='9');
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~' | '&')
            || (opens && !character.is_ascii_digit())
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// A name as code.
pub fn code(name: impl AsRef<str>) -> String {
    format!("`{}`", line(name.as_ref()).replace('`', "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_padded_and_cells_cannot_break_out() {
        let mut grid = Grid::new([("arm", Align::Left), ("mIoU", Align::Right)]);
        assert!(grid.is_empty());
        grid.row(["a|b\nc".to_owned(), "61.42 ± 0.37".to_owned()]);
        grid.row(["st".to_owned(), "–".to_owned()]);
        insta::assert_snapshot!(grid.render());
    }

    #[test]
    fn somebodys_words_are_no_markup() {
        let told = ["<!-- todo", "~~~ later", "# Answer", "- a_b *c* [d](e) `f`", "plain & simple, 3 of 4."];
        insta::assert_snapshot!(told.map(plain).join("\n"));
    }

    #[test]
    fn code_cannot_end_early() {
        assert_eq!(code("a`b"), "`a'b`");
    }
}
