use super::*;

type Outcome = std::result::Result<(), Box<dyn std::error::Error>>;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nn").join(name)
}

/// The message of an error and of what caused it, without the directory.
fn refusal(name: &str) -> String {
    let error = WeightsFile::read(&fixture(name)).expect_err("it is refused");
    error.to_string().replace(&*fixture("").to_string_lossy(), "")
}

#[test]
fn pth_files_are_read_plain_and_under_the_usual_keys() -> Outcome {
    for name in ["plain.pth", "model.pth", "state_dict.pth"] {
        let file = WeightsFile::read(&fixture(name))?;
        let names: Vec<_> = file.tensors().iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["a.weight", "b"], "{name}");
        let weight = file.tensors().get("a.weight").ok_or("no weight")?;
        assert_eq!(weight.to_vec2::<f32>()?, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
        assert_eq!(file.tensors().get("b").ok_or("no b")?.to_vec1::<f32>()?, [1.0; 4]);
    }
    Ok(())
}

#[test]
fn files_that_are_no_weights_are_explained() {
    insta::assert_snapshot!(refusal("nothing.pth"), @r#"find weights in nothing.pth: no tensors at its top level, under "model" or under "state_dict""#);
    insta::assert_snapshot!(refusal("old.pth"), @r#"read weights from old.pth: it is in PyTorch's old format; convert it with `torch.save(torch.load(path, map_location="cpu"), new_path)`"#);
    insta::assert_snapshot!(refusal("view.pth"), @"read a from view.pth: it is a view into a larger tensor; save `{k: v.clone() for k, v in weights.items()}` instead");
    insta::assert_snapshot!(refusal("absent.pth"), @"read weights from absent.pth");
    insta::assert_snapshot!(refusal("make.safetensors"), @"read weights from make.safetensors");
    insta::assert_snapshot!(refusal("make.py"), @"read weights from make.py: it is neither .safetensors nor a .pth file of PyTorch; a web page may have been saved in its place, so look into it, and download it again");
}

#[test]
fn files_that_end_too_early_are_explained() -> Outcome {
    let folder = tempfile::tempdir()?;
    for name in ["plain.pth", "sgd.safetensors"] {
        let whole = std::fs::read(fixture(name))?;
        for kept in [whole.len() - 1, whole.len() / 2, 9] {
            let path = folder.path().join(name);
            std::fs::write(&path, &whole[..kept])?;
            let said = WeightsFile::read(&path).expect_err("a part of it is not there").to_string();
            assert!(
                said.ends_with("it is damaged or cut short; copy or download it again"),
                "{kept}: {said}"
            );
        }
    }
    Ok(())
}

/// A weights file with names and a value each, and how it fits variables of some names.
fn fit(names: &[&str], own: &[&str]) -> Result<WeightsReport, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = folder.path().join("w.safetensors");
    let zero = || Tensor::zeros(1, DType::F32, &Device::Cpu).expect("one number");
    let state: State = names.iter().map(|name| ((*name).to_owned(), zero())).collect();
    std::fs::write(&path, state.to_bytes().map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    let file = WeightsFile::read(&path).map_err(|e| e.to_string())?;
    let var = Var::from_tensor(&zero()).map_err(|e| e.to_string())?;
    let own = own.iter().map(|name| (*name, &var)).collect();
    let prefix = format!("{}/", folder.path().display());
    file.for_backbone(&own).map(|(_, report)| report).map_err(|e| e.to_string().replace(&prefix, ""))
}

/// Names with a prefix and a number.
fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (10..10 + count).map(|n| format!("{prefix}{n}")).collect()
}

fn refs(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

#[test]
fn a_classifier_in_the_file_is_unused_and_said_to_be() {
    let mut names = numbered("layer", 30);
    let own = names.clone();
    names.push("fc.bias".to_owned());
    let report = fit(&refs(&names), &refs(&own)).expect("they fit");
    insta::assert_snapshot!(report, @"30 tensors fit; 1 unused: fc.bias");
}

#[test]
fn of_a_whole_model_the_backbone_is_taken() {
    let mut names = numbered("backbone.layer", 30);
    names.extend(numbered("head.", 30));
    let report = fit(&refs(&names), &refs(&numbered("layer", 30))).expect("they fit");
    insta::assert_snapshot!(report, @"30 tensors fit; 30 unused: head.10, head.11, head.12, head.13, head.14, head.15, head.16, head.17 and 22 more");
}

#[test]
fn a_deeper_and_a_shallower_network_are_refused() {
    let (long, short) = (numbered("layer", 30), numbered("layer", 20));
    insta::assert_snapshot!(fit(&refs(&short), &refs(&long)).expect_err("too few"), @"use the weights in w.safetensors for this backbone: they are of another network, or of another width: 20 tensors fit; 10 missing: layer30, layer31, layer32, layer33, layer34, layer35, layer36, layer37 and 2 more");
    insta::assert_snapshot!(fit(&refs(&long), &refs(&short)).expect_err("too many"), @"use the weights in w.safetensors for this backbone: they are of another network, or of another width: 20 tensors fit; 10 unused: layer30, layer31, layer32, layer33, layer34, layer35, layer36, layer37 and 2 more");
}

fn state() -> candle_core::Result<State> {
    let mut state = State::default();
    state.insert("b", Tensor::new(&[1.5f32, -0.0, f32::MIN_POSITIVE], &Device::Cpu)?);
    state.insert("a", Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?);
    Ok(state)
}

#[test]
fn a_state_survives_as_bytes_to_the_bit() -> Outcome {
    let bytes = state()?.to_bytes()?;
    let again = State::from_bytes(&bytes, &Device::Cpu)?;
    assert_eq!(again.to_bytes()?, bytes);
    let values = again.get("b").ok_or("no b")?.to_vec1::<f32>()?;
    assert_eq!(
        values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(),
        [1.5f32, -0.0, f32::MIN_POSITIVE].map(f32::to_bits)
    );
    assert!(State::from_bytes(&bytes[..bytes.len() - 1], &Device::Cpu).is_err());
    Ok(())
}

#[test]
fn the_bytes_do_not_depend_on_the_order_of_names() -> Outcome {
    let mut other = State::default();
    for (name, tensor) in state()?.iter().collect::<Vec<_>>().into_iter().rev() {
        other.insert(name, tensor.clone());
    }
    assert_eq!(other.to_bytes()?, state()?.to_bytes()?);
    Ok(())
}

#[test]
fn a_report_names_what_does_not_fit() -> Outcome {
    let var = |n: usize| Var::zeros(n, DType::F32, &Device::Cpu);
    let (a, b, c, d) = (var(2)?, var(3)?, var(1)?, var(1)?);
    let report = state()?.fit(&BTreeMap::from([("a", &a), ("b", &b), ("c", &c), ("d", &d)]));
    insta::assert_snapshot!(report, @"1 tensors fit; 2 missing: c, d; 1 of another shape: a is [2, 1] in the file and [2] here");
    assert_eq!(state()?.fit(&BTreeMap::from([("b", &b)])).unused, ["a"]);
    Ok(())
}
