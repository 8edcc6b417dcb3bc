//! Reads a whole experiment, and checks what tables say of each other.

use super::{augment, data, evaluate, method, model, split, train};
use crate::base::canon::MAX_SAFE_INTEGER;
use crate::spec::convert;
use crate::spec::data::{Data, Split};
use crate::spec::diagnostic::Problem;
use crate::spec::experiment::{About, Experiment, RunOn};
use crate::spec::reader::{Context, Reader};
use crate::spec::tree::{Origin, Table};

/// An experiment and the base of its splits.
pub struct Read {
    /// `None` when it has problems, which the context then holds.
    pub experiment: Option<Experiment>,
    /// What an ablation puts other splits in the place of.
    pub base: split::Base,
}

/// Reads an experiment from a composed tree.
pub fn experiment(context: &Context<'_>, tree: &Table) -> Read {
    let reader = Reader::new(context, tree);
    let about = About { description: reader.text("description", ""), tags: reader.texts("tags") };
    let seed = reader.whole("seed", 0, 0..=MAX_SAFE_INTEGER);
    let data = data::data(reader.table("data"));
    let (split, base) = split::split(reader.table("split"), data.as_ref());
    let model = model::model(reader.table("model"));
    let train = train::train(reader.table("train"));
    let retrain = train::retrain(reader.table("retrain"), &train);
    let augment = augment::augment(reader.table("augment"));
    let method = method::method(reader.table("method"), (train.length, &train::said(&reader.table("train"))));
    let has_test = match &data {
        Some(Data::Synthetic(synthetic)) => synthetic.test > 0,
        Some(Data::Listed(listed)) => listed.test.is_some(),
        None => true,
    };
    let shortest = match method.retrainings {
        0 => train.length.units(),
        _ => train.length.units().min(retrain.length.units()),
    };
    let evaluate = evaluate::evaluate(reader.table("evaluate"), has_test, shortest);
    let run = run(reader.table("run"));
    if let (Some(data), Some(split)) = (&data, &split) {
        images_suffice(&reader, data, split, method.retrainings);
    }
    for (table, crop) in [("train", train.crop), ("retrain", retrain.crop)] {
        crop_suffices(&reader, table, crop, model.output_stride);
    }
    reader.finish();
    let experiment = data.zip(split).map(|(data, split)| Experiment {
        seed,
        data,
        split,
        model,
        train,
        retrain,
        augment,
        method,
        evaluate,
        about,
        run,
    });
    Read { experiment, base }
}

/// What `[split]` asks for must be there in `[data]`.
fn images_suffice(reader: &Reader<'_>, data: &Data, split: &Split, retrainings: usize) {
    match (data, split) {
        (Data::Listed(listed), Split::Drawn { .. })
            if listed.train.is_none() && !reader.table("data").has("train") =>
        {
            let problem = Problem::new("`data.train` is missing: a split is drawn from it");
            let problem = problem.at(&reader.origin("data")).label("in this table");
            reader.report(
                problem.help("name the list of all training images, or a folder of lists with `split.lists`"),
            );
        }
        (Data::Synthetic(synthetic), Split::Drawn { labeled, .. })
            if retrainings > 0 && labeled.of(synthetic.train) == synthetic.train =>
        {
            let table = reader.table("split");
            let key = if table.has("labeled") { "labeled" } else { "fraction" };
            let problem = Problem::new(format!("`split.{key}` leaves no image unlabeled"));
            let problem = problem.at(&table.origin(key)).label("all are labeled");
            reader.report(
                problem.help("re-training needs unlabeled images; label fewer, or use \"supervised\""),
            );
        }
        _ => {}
    }
}

/// The deepest features of a crop are at least a pixel.
fn crop_suffices(reader: &Reader<'_>, table: &'static str, crop: usize, output_stride: usize) {
    let reader_of = reader.table(table);
    if crop < output_stride && reader_of.has("crop") {
        let problem = Problem::new(format!("`{table}.crop` is {crop}, less than the output stride"));
        let problem = problem.at(&reader_of.origin("crop")).label(format!("at least {output_stride}"));
        reader.report(problem.help("`model.output_stride` is in pixels of the image"));
    }
}

fn run(reader: Reader<'_>) -> RunOn {
    let usual = RunOn::default();
    let device = reader.read("device", |path, node| {
        let text = convert::text(path, node)?;
        let cuda = text.strip_prefix("cuda:").is_some_and(|index| index.parse::<usize>().is_ok());
        if text == "auto" || text == "cpu" || cuda {
            return Ok(text);
        }
        let problem = Problem::new(format!("`{path}` has no value \"{text}\"")).at(&node.origin);
        Err(problem
            .label("\"auto\", \"cpu\", or \"cuda:N\" with N from 0")
            .suggest(&text, ["auto", "cpu", "cuda:0"]))
    });
    let device = device.unwrap_or(usual.device);
    reader.line("device", device.clone(), &Origin::Default);
    let run = RunOn { device, threads: reader.whole("threads", 0, 0..=1024) as usize };
    reader.finish();
    run
}
