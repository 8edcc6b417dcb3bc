//! Reads `[model]`.

use std::fmt;

use crate::spec::convert::{self, Bounds, Choice};
use crate::spec::diagnostic::Problem;
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
        ("dinov2", Self::Dinov2),
        ("segformer", Self::Segformer),
    ];
}

impl Choice for Head {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("deeplabv3plus", Self::DeepLabV3Plus),
        ("pspnet", Self::PspNet),
        ("deeplabv2", Self::DeepLabV2),
        ("linear", Self::Linear),
        ("mlp", Self::Mlp),
    ];
}

impl fmt::Display for Backbone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The official output stride, and the one that costs a quarter of it in the deep layers.
const OUTPUT_STRIDES: [u64; 2] = [8, 16];

/// The widest network that makes sense.
const WIDEST: f64 = 4.0;

/// Reads `[model]`; what is left out is the paper's DeepLabV3+ with ResNet-50, without pretrained weights, and on a
/// frozen backbone the head that its authors use.
pub fn model(reader: Reader<'_>) -> Model {
    let backbone = reader.choice("backbone", Backbone::Resnet50);
    let usual = match backbone {
        Backbone::Dinov2 => Head::Linear,
        Backbone::Segformer => Head::Mlp,
        _ => Head::DeepLabV3Plus,
    };
    let head = reader.choice("head", usual);
    check_pair(&reader, backbone, head);
    let model = Model {
        backbone,
        head,
        width: reader.number("width", 1.0, Bounds::up_to(WIDEST).without_zero()),
        output_stride: output_stride(&reader, backbone),
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

/// A frozen backbone needs weights and a head that reads frozen features, and such a head a frozen backbone.
fn check_pair(reader: &Reader<'_>, backbone: Backbone, head: Head) {
    if backbone.is_frozen() != head.reads_frozen() {
        let (what, heads) = if backbone.is_frozen() {
            ("is not trained, and this head only learns together with its backbone", "\"linear\" or \"mlp\"")
        } else {
            (
                "is trained, and this head reads frozen features",
                "\"deeplabv3plus\", \"pspnet\" or \"deeplabv2\"",
            )
        };
        let (backbone, word) = (backbone.word(), head.word());
        let problem = Problem::new(format!("`{}` is \"{word}\" on \"{backbone}\"", reader.full("head")));
        let problem = problem.at(&reader.origin("head")).label(format!("\"{backbone}\" {what}"));
        let help = format!("write head = {heads}, or choose a frozen backbone: \"dinov2\" or \"segformer\"");
        let other =
            format!("write head = {heads}, or choose a backbone that is trained, such as \"resnet50\"");
        reader.report(problem.help(if head.reads_frozen() { help } else { other }));
    }
    if backbone.is_frozen() && !reader.has("weights") {
        let problem = Problem::new(format!("`{}` is missing", reader.full("weights")));
        let label = format!("\"{}\" is not trained: without weights its features are noise", backbone.word());
        let file = if backbone == Backbone::Dinov2 {
            "Meta's dinov2_vits14_pretrain.pth, or another size of it"
        } else {
            "model.safetensors of Hugging Face's nvidia/mit-b0, or another size of it"
        };
        let problem = problem.at(&reader.origin("backbone")).label(label);
        reader.report(problem.help(format!("write weights = \"…\": the path of {file}")));
    }
}

fn output_stride(reader: &Reader<'_>, backbone: Backbone) -> usize {
    if backbone.is_frozen() {
        reader.unused(
            &["output_stride"],
            &format!("by the frozen \"{}\", which has its own strides", backbone.word()),
        );
        return OUTPUT_STRIDES[0] as usize;
    }
    let read = reader.read("output_stride", |path, node| {
        let value = convert::whole(path, node, &(1..=convert::MANY))?;
        if OUTPUT_STRIDES.contains(&value) {
            return Ok(value);
        }
        let problem = Problem::new(format!("`{path}` is {value}, but must be 8 or 16"));
        Err(problem.at(&node.origin).label("8 or 16"))
    });
    let value = read.unwrap_or(OUTPUT_STRIDES[0]);
    reader.line("output_stride", whole_line(value), &Origin::Default);
    value as usize
}
