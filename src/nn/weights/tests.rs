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
