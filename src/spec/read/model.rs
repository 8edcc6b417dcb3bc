//! Reads `[model]`.

use crate::spec::convert::{self, Bounds, Choice};
use crate::spec::location::{self, Kind};
use crate::spec::model::{Backbone, Head, Model};
use crate::spec::reader::{Reader, whole_line};
use crate::spec::tree::Origin;

impl Choice for Backbone {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("resnet18", Self::Resnet18),
        ("resnet34", Self::Resnet34),
        ("resnet50", Self::Resnet50),
        ("resnet101", Self::Resnet101),
        ("efficientnet-lite0", Self::EfficientNetLite0),
    ];
}

impl Choice for Head {
    const WORDS: &'static [(&'static str, Self)] =
        &[("deeplabv3plus", Self::DeepLabV3Plus), ("pspnet", Self::PspNet), ("deeplabv2", Self::DeepLabV2)];
}

/// The official output stride, and the one that costs a quarter of it in the deep layers.
const OUTPUT_STRIDES: [u64; 2] = [8, 16];

/// The widest network that makes sense.
const WIDEST: f64 = 4.0;

/// Reads `[model]`; what is left out is the paper's DeepLabV3+ with ResNet-50, without pretrained weights.
pub fn model(reader: Reader<'_>) -> Model {
    let model = Model {
        backbone: reader.choice("backbone", Backbone::Resnet50),
        head: reader.choice("head", Head::DeepLabV3Plus),
        width: reader.number("width", 1.0, Bounds::up_to(WIDEST).without_zero()),
        output_stride: output_stride(&reader),
        weights: reader.read("weights", convert::text).and_then(|text| {
            let origin = reader.origin("weights");
            let base = location::folder_of(reader.context, &origin);
            let key = reader.full("weights");
            let path = location::resolve(reader.context, &key, &text, &origin, &base, Kind::File)?;
            reader.line("weights", path.display().to_string(), &Origin::Default);
            Some(path)
        }),
    };
    reader.finish();
    model
}

fn output_stride(reader: &Reader<'_>) -> usize {
    let read = reader.read("output_stride", |path, node| {
        let value = convert::whole(path, node, &(1..=convert::MANY))?;
        if OUTPUT_STRIDES.contains(&value) {
            return Ok(value);
        }
        let problem =
            crate::spec::diagnostic::Problem::new(format!("`{path}` is {value}, but must be 8 or 16"));
        Err(problem.at(&node.origin).label("8 or 16"))
    });
    let value = read.unwrap_or(OUTPUT_STRIDES[0]);
    reader.line("output_stride", whole_line(value), &Origin::Default);
    value as usize
}
