//! Our side of every case, through the functions that the stages call.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use stpp::base::progress::Quiet;
use stpp::base::stream::Stream;
use stpp::data::decode::{decode_mask, decode_rgb};
use stpp::data::image::{IGNORE, Mask, Rgb};
use stpp::data::loader::{Batch, Loading, SampleError, Samples, batches};
use stpp::data::reader::{PixelError, Pixels};
use stpp::data::sampler::TrainItem;
use stpp::nn::Network;
use stpp::spec::augment::Augment;
use stpp::spec::method::Tta;
use stpp::spec::model::{Backbone, Head, Model};
use stpp::spec::train::{Length, Train};
use stpp::train::evaluate::{Forgetful, InferenceError, for_each_image};
use stpp::train::fit::{Fit, one_step};
use stpp::train::predict::{Looking, Prediction};
use stpp::train::sgd::Sgd;

use crate::Failure;
use crate::case::{Net, Optimiser, Work};
use crate::talk::Repetition;

/// Why a case can't be done here, if it can't.
pub fn missing(work: &Work) -> Option<String> {
    match work {
        Work::Train { net, .. } | Work::Infer { net, .. } | Work::Label { net, .. } => {
            backbone(net).err().map(|_| format!("this program has no {}", net.backbone))
        }
        Work::Pipeline { .. } => camvid().err().map(|error| error.to_string()),
    }
}

/// Builds what a case needs.
pub fn work(work: &Work) -> Result<Repetition, Failure> {
    match work {
        Work::Train { net, batch, side, optimiser } => train(net, *batch, *side, *optimiser),
        Work::Infer { net, batch, side } => infer(net, *batch, *side),
        Work::Label { net, images, width, height, tta } => {
            label(net, *images, (*width, *height), tta.clone())
        }
        Work::Pipeline { images, base_size, crop, augment } => pipeline(*images, *base_size, *crop, augment),
    }
}

fn train(net: &Net, size: usize, side: usize, optimiser: Optimiser) -> Result<Repetition, Failure> {
    let network = network(net)?;
    let settings = Train {
        length: Length::Iterations(1),
        batch: size,
        base_lr: optimiser.lr,
        head_lr: 10.0,
        momentum: optimiser.momentum,
        weight_decay: optimiser.weight_decay,
        power: 0.9,
        crop: side,
        base_size: side,
        drop_last: true,
        oversample: false,
    };
    let mut stream = Stream::at(0, "bench", "masks", 0, "");
    let class = |_| if stream.chance(0.05) { IGNORE } else { stream.below(net.classes as u64) as u8 };
    let masks = (0..size * side * side).map(class).collect();
    let again = vec![false; size];
    let mut batch =
        Batch { step: 0, epoch: 1, ends_epoch: false, images: images(size, side), masks, again, size };
    let mut sgd = Sgd::new(network.parameters(), optimiser.momentum, optimiser.weight_decay);
    Ok(Box::new(move || {
        batch.step += 1;
        let fit = Fit { seed: 0, role: "bench", train: &settings, steps: u64::MAX };
        let loss = one_step(&network, &mut sgd, &batch, &fit, optimiser.lr, &Device::Cpu)?;
        if loss.is_finite() { Ok(()) } else { Err(format!("the loss is {loss}").into()) }
    }))
}

fn infer(net: &Net, size: usize, side: usize) -> Result<Repetition, Failure> {
    let network = network(net)?;
    let x = Tensor::from_vec(images(size, side), (size, 3, side, side), &Device::Cpu)?;
    Ok(Box::new(move || {
        network.forward(&x)?;
        Ok(())
    }))
}

fn label(net: &Net, count: usize, size: (usize, usize), tta: Tta) -> Result<Repetition, Failure> {
    let network = network(net)?;
    let mut stream = Stream::at(0, "bench", "images", 0, "");
    let pixels = (0..size.0 * size.1 * 3).map(|_| stream.below(256) as u8).collect();
    let image = Same(Arc::new(Rgb::new(size.0, size.1, pixels)));
    let ids: Vec<String> = (0..count).map(|index| index.to_string()).collect();
    Ok(Box::new(move || {
        for_each_image(&ids, &image, &mut Quiet::default(), &mut Forgetful, |id| {
            Prediction::of(&network, &image.0, Looking::Augmented(&tta), &Device::Cpu)
                .map(|prediction| prediction.classes())
                .map_err(|source| InferenceError::Compute { image: id.to_owned(), source })
        })?;
        Ok(())
    }))
}

/// One image under every name.
struct Same(Arc<Rgb>);

impl Pixels for Same {
    fn image(&self, _: &str) -> Result<Arc<Rgb>, PixelError> {
        Ok(Arc::clone(&self.0))
    }

    fn truth(&self, _: &str) -> Result<Option<Arc<Mask>>, PixelError> {
        Ok(None)
    }
}

fn pipeline(images: usize, base_size: usize, crop: usize, augment: &Augment) -> Result<Repetition, Failure> {
    let root = camvid()?;
    let list = std::fs::read_to_string(root.join("splits/train.txt"))?;
    let items =
        list.lines().map(|line| TrainItem { id: line.to_owned(), repeat: 0, strong: true, labeled: true });
    let loading = Loading {
        seed: 0,
        role: "bench".to_owned(),
        batch: images,
        crop,
        base_size,
        normalisation: Backbone::Resnet18.normalisation(),
        drop_last: true,
        weak: augment.weak.clone(),
        strong: augment.strong.clone(),
        first_step: 1,
        total_steps: u64::MAX,
        prefetch: 0,
        pool: None,
    };
    let mut batches = batches(items.collect(), Arc::new(Files { root }), loading);
    Ok(Box::new(move || {
        batches.next().ok_or("there is always a next batch")??;
        Ok(())
    }))
}

/// Decodes each image anew, as the official code does; an id is a line of the list.
struct Files {
    root: PathBuf,
}

impl Samples for Files {
    fn sample(&self, id: &str) -> Result<(Arc<Rgb>, Arc<Mask>), SampleError> {
        let read = || -> Result<_, Failure> {
            let (image, mask) = id.split_once(' ').ok_or("a line names an image and a mask")?;
            let bytes = |name: &str| std::fs::read(self.root.join(name));
            Ok((decode_rgb(&bytes(image)?, image)?, decode_mask(&bytes(mask)?, mask)?))
        };
        match read() {
            Ok((image, mask)) => Ok((Arc::new(image), Arc::new(mask))),
            Err(source) => Err(SampleError { id: id.to_owned(), source }),
        }
    }
}

fn camvid() -> Result<PathBuf, Failure> {
    let data = std::env::var_os("STPP_DATA").ok_or("STPP_DATA is not set")?;
    let root = Path::new(&data).join("camvid");
    if root.is_dir() { Ok(root) } else { Err("there is no folder ${STPP_DATA}/camvid".into()) }
}

fn backbone(net: &Net) -> Result<Backbone, serde_json::Error> {
    serde_json::from_value(net.backbone.into())
}

fn network(net: &Net) -> Result<Network, Failure> {
    let model = Model {
        backbone: backbone(net)?,
        head: Head::DeepLabV3Plus,
        width: net.width,
        output_stride: net.output_stride,
        weights: None,
    };
    Ok(Network::new(&model, net.classes, 0, "bench", &Device::Cpu)?)
}

/// Noise of about the variance of normalised images, `(size, 3, side, side)`.
fn images(size: usize, side: usize) -> Vec<f32> {
    let mut stream = Stream::at(0, "bench", "images", 0, "");
    (0..size * 3 * side * side).map(|_| (stream.unit() - 0.5) * 3.5).collect()
}
