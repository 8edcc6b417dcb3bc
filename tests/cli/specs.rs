//! The specs of these tests: the smallest studies that have every kind of stage.

/// What every spec of scenes shares: 12 training images, 4 of them labeled, 4 steps per training.
pub const BASE: &str = r#"
[data]
kind = "synthetic"
width = 32
height = 32
train = 12
val = 4
test = 4
classes = 4
difficulty = 0.3

[split]
labeled = 4

[model]
backbone = "resnet18"
width = 0.125
output_stride = 16

[train]
iterations = 4
batch = 4
base_lr = 0.02
head_lr = 1.0
crop = 32
base_size = 32

[evaluate]
points = 2

[method.tta]
scales = [1.0]
flip = false
"#;

/// An experiment on the base.
pub fn experiment(method: &str) -> String {
    format!("{BASE}\n[method]\nname = \"{method}\"\n")
}

/// An ablation on the base: a recipe without re-training, with one, with two, and with a rule for pixels.
pub fn ablation(name: &str, seeds: &str) -> String {
    format!("{}{ARMS}", head(name, seeds))
}

/// The head of an ablation on the base; arms are to follow.
pub fn head(name: &str, seeds: &str) -> String {
    format!(
        "name = \"{name}\"\nquestion = \"Does it go through?\"\nbaseline = \"st\"\n\
         factors = [\"method\", \"augment.strong.on\", \"train.iterations\"]\nseeds = {seeds}\n{BASE}"
    )
}

const ARMS: &str = r#"
[arm.supervised]
method.name = "supervised"

[arm.st]
method.name = "st"

[arm.stpp]
method.name = "stpp"

[arm.pixels]
method.name = "st"
method.select = { level = "pixel", rule = "threshold", threshold = 0.3 }
"#;
