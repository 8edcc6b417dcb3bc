//! The main tables for LaTeX: `\input{results}` in a document that uses `booktabs`.

use crate::report::findings::{Findings, references};
use crate::report::grid::{Align, Grid};
use crate::report::number::counted;
use crate::report::sections;

/// The tables of results and of differences, each as a `table` environment with a label.
///
/// Only `booktabs` is needed; the text is UTF-8 and uses no character beyond what `inputenc` knows.
pub fn latex(findings: &Findings) -> String {
    let study = findings.study;
    let mut text =
        String::from("% Needs \\usepackage{booktabs}. Written by stpp; the report has every digest.\n");
    let single = findings.scores.planned() == 1;
    let units = if study.splits.len() > 1 { "splits" } else { "seeds" };
    let missing = findings.scores.missing().len();
    let design = match missing {
        _ if single => "single runs".to_owned(),
        0 if study.absent.is_empty() => format!(
            "mean $\\pm$ standard deviation over {} $\\times$ {}",
            counted(study.seeds.len(), "seed"),
            counted(study.splits.len(), "split")
        ),
        0 => "mean $\\pm$ standard deviation over n runs".to_owned(),
        missing => format!(
            "\\textbf{{incomplete}}: {missing} of {} are missing; mean $\\pm$ standard deviation over n of them",
            counted(findings.scores.planned_in_all(), "run")
        ),
    };
    let label = |what: &str| format!("tab:{}-{what}", escaped(&study.name));
    let caption = format!(
        "mIoU on the {} images in points, {design}; last epoch. \
         The best look at the validation images is an oracle selection.",
        study.headline
    );
    text += &table(&sections::miou(study, findings.scores), &caption, &label("miou"));
    for against in references(study) {
        let grid = sections::differences(findings, against);
        if grid.is_empty() {
            continue;
        }
        let caption = format!(
            "Differences of {} mIoU to {} in points, paired on seed and split{}. {}\\emph{{These models}}: 95\\,\\% paired \
             bootstrap over images.",
            study.headline,
            inline(&format!("`{against}`")),
            if missing > 0 { ", \\textbf{incomplete}" } else { "" },
            if single {
                String::new()
            } else {
                format!(
                    "\\emph{{The procedure}}: 95\\,\\% $t$ interval over {units}, not adjusted; $p$: exact sign-flip test, \
                     Holm over the arms. "
                )
            },
        );
        text += "\n";
        text += &table(&grid, &caption, &label(&format!("against-{against}")));
    }
    text
}

fn table(grid: &Grid, caption: &str, label: &str) -> String {
    let columns: String =
        grid.aligns().iter().map(|align| if *align == Align::Left { 'l' } else { 'r' }).collect();
    let rows: Vec<String> = grid
        .rows()
        .iter()
        .map(|row| row.iter().map(|cell| inline(cell)).collect::<Vec<_>>().join(" & ") + " \\\\\n")
        .collect();
    let (header, body) = rows.split_first().expect("a grid has a header");
    format!(
        "\\begin{{table}}\n\\centering\n\\small\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{header}\\midrule\n{}\\bottomrule\n\
         \\end{{tabular}}\n\\caption{{{caption}}}\n\\label{{{label}}}\n\\end{{table}}\n",
        body.concat()
    )
}

/// A cell: code spans and emphasis of our own Markdown, everything else as plain text.
fn inline(cell: &str) -> String {
    let mut text = String::new();
    let (mut code, mut emphasis) = (false, false);
    let mut characters = cell.chars();
    while let Some(character) = characters.next() {
        let mut toggle = |on: &mut bool, opens: &str| {
            text += if *on { "}" } else { opens };
            *on = !*on;
        };
        match character {
            '`' => toggle(&mut code, "\\texttt{"),
            '*' if !code => toggle(&mut emphasis, "\\emph{"),
            // What somebody wrote, kept from being a mark of Markdown.
            '\\' if !code => {
                text += &characters.next().map_or_else(String::new, |next| escaped(&next.to_string()))
            }
            other => text += &escaped(&other.to_string()),
        }
    }
    for open in [code, emphasis] {
        text += if open { "}" } else { "" };
    }
    text
}

/// Text in which LaTeX finds no command.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' => out += "\\textless{}",
            '>' => out += "\\textgreater{}",
            '#' | '$' | '%' | '&' | '_' | '{' | '}' => {
                out.push('\\');
                out.push(character);
            }
            '−' => out += "$-$",
            '+' => out += "$+$",
            '±' => out += "$\\pm$",
            '×' => out += "$\\times$",
            '≥' => out += "$\\geq$",
            'ρ' => out += "$\\rho$",
            '–' => out += "--",
            'À'..='ſ' => out.push(character),
            // A name in another script: a document that shows it needs fonts for it, and this one can't know which.
            character if !character.is_ascii() => out += "?",
            character if character.is_control() => out.push(' '),
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_its_meaning_and_no_command() {
        let told: Vec<String> = [
            "`a_b` (baseline)",
            "`x` *oracle*",
            "+0.42",
            "[−0.10, +0.94]",
            "58.29 ± 1.64",
            "50 %\\input{x}",
            "–",
        ]
        .iter()
        .map(|cell| inline(cell))
        .collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
