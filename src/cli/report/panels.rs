//! `stpp report SPEC --panels`: what each arm made of the images on which the arms differ most, as a page beside the report.
//!
//! It is no part of the report: it needs the data, it shows images that may not be anybody's to give away, and what the
//! report says does not depend on it.

use std::path::{Path, PathBuf};

use crate::base::fs;
use crate::cli::args::{DeviceArgs, ReportArgs, SpecArgs};
use crate::cli::failure::{Failure, FailureKind};
use crate::cli::target;
use crate::data::decode::encode_png_rgb;
use crate::report::form::html::{Embedded, Pictures, html};
use crate::report::grid::{Align, Grid, code, line};
use crate::report::number::points;
use crate::run::panels::{Panel, PanelError, Panels, panels};
use crate::run::{PlannedStudy, numerics};
use crate::store::Store;

/// The page's file in a report's folder.
const FILE: &str = "panels.html";

/// Writes the page.
pub fn write(args: &ReportArgs, folder: &Path) -> Result<PathBuf, Failure> {
    let [spec] = args.names.as_slice() else {
        return Err(Failure::new(FailureKind::Input, "failed to draw panels of several ablations: name one"));
    };
    if !spec.ends_with(".toml") {
        let message = format!(
            "failed to draw panels of `{spec}`: they need the data, which a spec file says where it is"
        );
        return Err(
            Failure::new(FailureKind::Input, message).hint("name the spec file instead of the ablation")
        );
    }
    let ablation = target::ablation(&SpecArgs { spec: spec.into(), sets: Vec::new() })?;
    let chosen = target::device(&DeviceArgs { device: None, threads: None }, &ablation)?;
    let store = Store::open_to_read(&args.store.store)?;
    let study = PlannedStudy::new(ablation, &numerics::class(&chosen.device), &store.cache())?;
    let found = panels(&store, &study, &chosen.device).map_err(|error| {
        let kind = match &error {
            PanelError::NotDone { .. } => FailureKind::Input,
            PanelError::Stage(error) if error.is_damage() => FailureKind::Damage,
            PanelError::Store(error) if error.is_damage() => FailureKind::Damage,
            PanelError::Stage(_) | PanelError::Store(_) => FailureKind::Stage,
        };
        Failure::of(kind, &error)
    })?;
    let (text, pictures) = page(&study.stored.ablation.name, &found);
    let path = folder.join(FILE);
    fs::write_if_changed(
        &path,
        html(&text, &format!("{}: panels", study.stored.ablation.name), &pictures).as_bytes(),
    )?;
    Ok(path)
}

fn page(name: &str, found: &Panels) -> (String, Pictures) {
    let mut pictures = Pictures::new();
    let mut text = format!(
        "# {}: panels\n\nSeed {}, split {}: the images on which the arms differ most. Gray pixels count nowhere or carry no \
         label; numbers are the mIoU of each image alone, in points, for a look: no mean of them is anybody's score. An \
         oracle is drawn and has no say in the choice.\n",
        line(name),
        found.seed,
        code(&found.split),
    );
    let parts = [
        (
            "Predictions",
            "evaluated",
            format!("For {} images: those with the largest range of mIoU over the arms.", found.subset),
            &found.evaluated,
        ),
        (
            "Pseudo labels",
            "unlabeled",
            "For unlabeled images, as the last re-training is given them: those with the largest range of the labels' true \
             mIoU over the arms, or, where no true mask is known, those whose ids have the lowest digests."
                .to_owned(),
            &found.unlabeled,
        ),
    ];
    for (heading, part, about, panels) in parts {
        if panels.is_empty() {
            continue;
        }
        let grid = table(part, panels, &found.arms, &mut pictures);
        text += &format!("\n## {heading}\n\n{about}\n\n{}\n", grid.render());
    }
    (text, pictures)
}

fn table(part: &str, panels: &[Panel], arms: &[String], pictures: &mut Pictures) -> Grid {
    let shown: Vec<usize> =
        (0..arms.len()).filter(|&arm| panels.iter().any(|panel| panel.masks[arm].0.is_some())).collect();
    let mut header = vec!["image".to_owned(), "picture".to_owned(), "truth".to_owned()];
    header.extend(shown.iter().map(|&arm| code(&arms[arm])));
    let mut grid = Grid::new(header.into_iter().map(|title| (title, Align::Left)));
    for (at, panel) in panels.iter().enumerate() {
        let mut put = |what: &str, picture: Option<&crate::data::image::Rgb>| match picture {
            None => "–".to_owned(),
            Some(picture) => {
                let key = format!("panels/{part}-{at}-{what}.png");
                let alt = format!("{what} of {}", line(&panel.image))
                    .replace(['[', ']', '\\', '`', '*', '_', '<'], " ");
                let link = format!("![{alt}]({key})");
                pictures.insert(key, Embedded::Png(encode_png_rgb(picture)));
                link
            }
        };
        let mut row = vec![
            code(&panel.image),
            put("picture", Some(&panel.picture)),
            put("truth", panel.truth.as_ref()),
        ];
        for &arm in &shown {
            let (mask, miou) = &panel.masks[arm];
            let picture = put(&format!("arm-{arm}"), mask.as_ref());
            row.push(match miou {
                Some(miou) => format!("{picture} {}", points(*miou)),
                None => picture,
            });
        }
        grid.row(row);
    }
    grid
}
