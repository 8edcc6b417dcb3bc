use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Module};
use candle_nn::VarBuilder;

use super::*;
use crate::nn::ops::fixture::Fixture;

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

const FAMILIES: [(Family, &str, &str); 2] =
    [(Family::Dinov2, "dinov2 ", "dinov2.pth"), (Family::Segformer, "segformer ", "segformer.safetensors")];

fn weights(name: &str) -> std::result::Result<WeightsFile, WeightsError> {
    WeightsFile::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nn").join(name))
}

fn tiny(family: Family) -> std::result::Result<Frozen, WeightsError> {
    let (_, _, file) = FAMILIES.into_iter().find(|known| known.0 == family).expect("both are listed");
    Frozen::new(family, &weights(file)?, &Device::Cpu)
}

fn values(features: &[Tensor]) -> Vec<Vec<u32>> {
    let bits = |map: &Tensor| map.flatten_all().and_then(|map| map.to_vec1::<f32>());
    features
        .iter()
        .map(|map| bits(map).expect("an f32 map").into_iter().map(f32::to_bits).collect())
        .collect()
}

#[test]
fn features_are_those_of_pytorch_at_any_size() -> Outcome {
    let fixture = Fixture::open("frozen");
    for (family, cases, _) in FAMILIES {
        let frozen = tiny(family)?;
        let mut sizes = 0;
        for case in fixture.cases(cases) {
            let maps = frozen.features(&case.tensor("x").to_dtype(DType::F32)?, &[])?;
            let channels = maps.iter().map(|map| map.dim(1)).collect::<Result<Vec<_>>>()?;
            assert_eq!(channels, frozen.channels());
            for (number, map) in maps.iter().enumerate() {
                case.compare(&format!("map{number}"), map)?;
            }
            assert!(!case.has(&format!("map{}", maps.len())));
            sizes += 1;
        }
        assert!(sizes >= 2, "{family:?}");
    }
    Ok(())
}

#[test]
fn the_strides_of_the_maps_are_kept_for_odd_sizes() -> Outcome {
    let x = Tensor::zeros((1, 3, 43, 59), DType::F32, &Device::Cpu)?;
    let sizes = |family| -> std::result::Result<Vec<(usize, usize)>, Box<dyn std::error::Error>> {
        let maps = tiny(family)?.features(&x, &[])?;
        Ok(maps.iter().map(|map| (map.dims()[2], map.dims()[3])).collect())
    };
    assert_eq!(sizes(Family::Dinov2)?, [(4, 5)]);
    assert_eq!(sizes(Family::Segformer)?, [(11, 15), (6, 8), (3, 4), (2, 2)]);
    Ok(())
}

#[test]
fn features_belong_to_the_image_alone_and_are_computed_once_where_it_comes_again() -> Outcome {
    let mut stream = crate::base::stream::Stream::at(3, "test", "", 0, "images");
    let numbers: Vec<f32> = (0..3 * 3 * 40 * 33).map(|_| stream.normal() as f32).collect();
    let x = Tensor::from_vec(numbers, (3, 3, 40, 33), &Device::Cpu)?;
    for (family, ..) in FAMILIES {
        let frozen = tiny(family)?;
        let together = frozen.features(&x, &[])?;
        for index in 0..3 {
            let alone = frozen.features(&x.narrow(0, index, 1)?, &[])?;
            let of_batch = together.iter().map(|map| map.narrow(0, index, 1)).collect::<Result<Vec<_>>>()?;
            assert_eq!(values(&alone), values(&of_batch), "{family:?}");
        }
        assert_eq!(frozen.forwards(), 6);
        for _ in 0..4 {
            assert_eq!(values(&frozen.features(&x, &[true, false, true])?), values(&together), "{family:?}");
        }
        assert_eq!(frozen.forwards(), 6 + 2 + 4);
        assert!(together.iter().all(|map| !map.track_op()));
    }
    Ok(())
}

#[test]
fn features_have_the_same_bits_on_any_number_of_threads() -> Outcome {
    let x = Fixture::open("frozen").case("segformer square").tensor("x").to_dtype(DType::F32)?;
    for (family, ..) in FAMILIES {
        let frozen = tiny(family)?;
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            values(&pool.install(|| frozen.features(&x, &[])).expect("features"))
        };
        let one = on(1);
        assert!([2, 3].into_iter().all(|threads| on(threads) == one), "{family:?}");
    }
    Ok(())
}

/// The message for weights that `change` has worked on.
fn refusal(family: Family, change: impl FnOnce(&mut std::collections::BTreeMap<String, Tensor>)) -> String {
    let (_, _, file) = FAMILIES.into_iter().find(|known| known.0 == family).expect("both are listed");
    let file = weights(file).expect("a fixture");
    let mut tensors = file.tensors().iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    change(&mut tensors);
    let directory = tempfile::tempdir().expect("a folder");
    let path = directory.path().join("weights.safetensors");
    let state: crate::nn::State = tensors.into_iter().collect();
    std::fs::write(&path, state.to_bytes().expect("bytes")).expect("a file");
    let file = WeightsFile::read(&path).expect("it was just written");
    let Err(error) = Frozen::new(family, &file, &Device::Cpu) else { return "none".to_owned() };
    error.to_string().replace(&path.to_string_lossy().into_owned(), "FILE")
}

#[test]
fn weights_that_do_not_fit_are_explained() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let told = [
        refusal(Family::Dinov2, |tensors| {
            tensors.remove("blocks.1.norm1.bias");
            tensors.insert("blocks.0.attn.qkv.bias".to_owned(), zeros(&[64]));
            tensors.insert("register_tokens".to_owned(), zeros(&[1, 4, 64]));
        }),
        refusal(Family::Dinov2, |tensors| {
            tensors.insert("patch_embed.proj.weight".to_owned(), zeros(&[40, 3, 14, 14]));
        }),
        refusal(Family::Dinov2, |tensors| {
            tensors.insert("pos_embed".to_owned(), zeros(&[1, 16, 64]));
        }),
        refusal(Family::Segformer, |tensors| {
            tensors
                .insert("segformer.encoder.patch_embeddings.1.proj.weight".to_owned(), zeros(&[11, 8, 3, 3]));
        }),
        refusal(Family::Segformer, |tensors| {
            tensors.retain(|name, _| !name.contains("patch_embeddings.3"));
        }),
        refusal(Family::Segformer, |tensors| {
            tensors.insert("segformer.encoder.patch_embeddings.0.proj.weight".to_owned(), zeros(&[8]));
        }),
        refusal(Family::Segformer, |_| {}),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn an_image_too_small_for_segformer_is_explained() -> Outcome {
    let x = |side| Tensor::zeros((1, 3, side, 50), DType::F32, &Device::Cpu);
    let frozen = tiny(Family::Segformer)?;
    let error = frozen.features(&x(28)?, &[]).expect_err("a map of 7 rows can't be reduced by 8");
    assert!(error.to_string().contains("at least 29x29 pixels, got 28x50"), "{error}");
    assert_eq!(frozen.features(&x(29)?, &[])?.len(), 4);
    Ok(())
}

/// The tensors of a weights file with some of them changed, for candle's networks.
fn for_candle(
    file: &str,
    changed: &[(&str, Tensor)],
) -> std::result::Result<VarBuilder<'static>, WeightsError> {
    let file = weights(file)?;
    let mut tensors: HashMap<String, Tensor> =
        file.tensors().iter().map(|(name, tensor)| (name.to_owned(), tensor.clone())).collect();
    tensors.extend(changed.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())));
    Ok(VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu))
}

/// The relative distance of the farthest value.
fn distance(found: &Tensor, expected: &Tensor) -> Result<f32> {
    let largest = |t: &Tensor| t.abs()?.flatten_all()?.max(0)?.to_scalar::<f32>();
    Ok(largest(&(found - expected)?)? / largest(expected)?)
}

#[test]
fn candles_segformer_has_the_same_last_map() -> Outcome {
    use candle_transformers::models::segformer::{Config, ImageClassificationModel};
    let config = Config {
        id2label: HashMap::new(),
        num_channels: 3,
        num_encoder_blocks: 4,
        depths: vec![2, 1, 1, 2],
        sr_ratios: vec![8, 4, 2, 1],
        hidden_sizes: vec![8, 12, 20, 24],
        patch_sizes: vec![7, 3, 3, 3],
        strides: vec![4, 2, 2, 2],
        num_attention_heads: vec![1, 2, 5, 8],
        mlp_ratios: vec![2; 4],
        hidden_act: candle_nn::Activation::Gelu,
        layer_norm_eps: 1e-5,
        decoder_hidden_size: 24,
    };
    // A classifier that hands out the mean of the last map, which is all that leaves candle's network.
    let identity = Tensor::eye(24, DType::F32, &Device::Cpu)?;
    let zeros = Tensor::zeros(24, DType::F32, &Device::Cpu)?;
    let changed = [("classifier.weight", identity), ("classifier.bias", zeros)];
    let theirs = ImageClassificationModel::new(&config, 24, for_candle("segformer.safetensors", &changed)?)?;
    let x = Fixture::open("frozen").case("segformer other, not square").tensor("x").to_dtype(DType::F32)?;
    let ours = tiny(Family::Segformer)?.features(&x, &[])?[3].mean((2, 3))?;
    assert!(distance(&ours, &theirs.forward(&x)?)? < 1e-5);
    Ok(())
}

#[test]
fn candles_dinov2_differs_at_its_own_size_by_its_gelu_alone() -> Outcome {
    use candle_transformers::models::dinov2::DinoVisionTransformer;
    let mut stream = crate::base::stream::Stream::at(3, "test", "", 0, "candle");
    let mut draw = |shape: &[usize], scale: f64| {
        let count = shape.iter().product();
        let values: Vec<f32> = (0..count).map(|_| (scale * stream.normal()) as f32).collect();
        Tensor::from_vec(values, shape, &Device::Cpu)
    };
    // 518 pixels are 37 patches, and a perceptron is four times as wide as a token: nothing else can be built.
    let mut changed = vec![("pos_embed", draw(&[1, 1 + 37 * 37, 64], 0.5)?)];
    for (fc1, bias, fc2) in [
        ("blocks.0.mlp.fc1.weight", "blocks.0.mlp.fc1.bias", "blocks.0.mlp.fc2.weight"),
        ("blocks.1.mlp.fc1.weight", "blocks.1.mlp.fc1.bias", "blocks.1.mlp.fc2.weight"),
    ] {
        changed.extend([
            (fc1, draw(&[256, 64], 0.2)?),
            (bias, draw(&[256], 0.2)?),
            (fc2, draw(&[64, 256], 0.1)?),
        ]);
    }
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("weights.safetensors");
    let mut state: crate::nn::State = weights("dinov2.pth")?
        .tensors()
        .iter()
        .map(|(name, tensor)| (name.to_owned(), tensor.clone()))
        .collect();
    changed.iter().for_each(|(name, tensor)| state.insert(*name, tensor.clone()));
    std::fs::write(&path, state.to_bytes()?)?;
    let x = draw(&[1, 3, 518, 518], 1.0)?;
    let ours = Frozen::new(Family::Dinov2, &WeightsFile::read(&path)?, &Device::Cpu)?.features(&x, &[])?;
    changed.extend([("head.weight", draw(&[1000, 128], 0.1)?), ("head.bias", draw(&[1000], 0.1)?)]);
    let theirs = DinoVisionTransformer::new(for_candle("dinov2.pth", &changed)?, 2, 64, 1)?;
    let theirs = theirs.get_intermediate_layers(&x, &[1], true, false, true)?.squeeze(0)?;
    let distance = distance(&ours[0], &theirs)?;
    assert!(distance < 1e-3, "{distance}");
    Ok(())
}
