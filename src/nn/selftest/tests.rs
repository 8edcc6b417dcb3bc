use super::*;
use crate::nn::ops::activation::Activation;
use crate::nn::ops::batch_norm::{Form, batch_norm};

#[test]
fn on_this_cpu_every_operation_is_within_the_bound() {
    for finding in selftest(&Device::Cpu) {
        assert!(finding.problems.is_empty(), "{}: {:?}", finding.op, finding.problems);
    }
}

#[test]
fn every_module_of_operations_is_tested() {
    let modules = include_str!("../ops/mod.rs").lines().filter_map(|line| line.strip_prefix("pub mod "));
    for module in modules.map(|line| line.trim_end_matches(';')) {
        let below = ["exp", "gemm", "memory"].contains(&module);
        let used = include_str!("cases.rs").contains(&format!("ops::{module}::"));
        assert!(below || used, "the self-test has no case of `ops::{module}`");
    }
}

#[test]
fn no_input_of_an_activation_is_at_a_bend() -> Result<()> {
    // There, the gradient would depend on the last bit.
    for case in CASES.iter().filter(|case| case.op == "batch norm") {
        let x = inputs(case)?.iter().map(|x| x.to_dtype(DType::F64)).collect::<Result<Vec<_>>>()?;
        let form = Form::with(Activation::Identity);
        let out = batch_norm(&Tape::of_tensor_operations(), &x[0], (&x[1], &x[2]), x.get(3), form)?.0;
        for value in Values::of(&out)?.values {
            assert!(value.abs() > 1e-5 && (value - 6.0).abs() > 1e-5, "{}: {value}", case.what);
        }
    }
    Ok(())
}

#[test]
fn a_difference_is_relative_to_the_largest_value() -> Result<()> {
    let values = |values: &[f64]| Values { dims: vec![values.len()], values: values.to_vec() };
    let exact = values(&[1.0, -4.0]);
    assert_eq!(difference(&values(&[1.0, -4.0]), &exact)?, 0.0);
    assert_eq!(difference(&values(&[2.0, -4.0]), &exact)?, 0.25);
    assert_eq!(difference(&values(&[f64::NAN, -4.0]), &exact)?, f64::INFINITY);
    assert_eq!(difference(&values(&[f64::NAN, -4.5]), &exact)?, f64::INFINITY);
    assert_eq!(difference(&values(&[0.0]), &values(&[0.0]))?, 0.0);
    assert_eq!(difference(&values(&[1e-30]), &values(&[0.0]))?, f64::INFINITY);
    assert!(difference(&values(&[1.0]), &exact).is_err());
    Ok(())
}

#[test]
fn what_is_wrong_is_named() {
    let mut finding = Finding { op: "a", cases: 1, values: 0.0, gradients: None, problems: Vec::new() };
    finding.take_in(&CASES[0], &Errors { values: 1e-6, gradients: vec![1e-7, 3e-7], repeats: true });
    assert_eq!((finding.values, finding.gradients, finding.problems.len()), (1e-6, Some(3e-7), 0));
    finding.take_in(&CASES[0], &Errors { values: 1e-3, gradients: vec![f64::INFINITY], repeats: false });
    let said = finding.problems.join("\n");
    assert_eq!(said.matches("1×1: ").count(), 3, "{said}");
    for part in ["values off by 1.0e-3", "a gradient off by inf", "other bits when run again"] {
        assert!(said.contains(part), "{said}");
    }
}
