//! The polynomial learning rate schedule.

/// The learning rate that optimiser step `step` of `total`, counted from 0, is taken with:
/// `base_lr · (1 - step / total)^power`.
///
/// Official code, `main.py`: after each optimiser step `iters += 1`, then `lr = args.lr * (1 - iters / total_iters)
/// ** 0.9`. So the first step is taken with `base_lr`, and the rate 0, computed after the last one, is never used.
/// `pow` is that of the `libm` crate, hence the same on every machine.
pub fn poly(base_lr: f64, step: u64, total: u64, power: f64) -> f64 {
    if step >= total {
        return 0.0;
    }
    base_lr * libm::pow(1.0 - step as f64 / total as f64, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_the_base_rate_and_never_reaches_zero_within_a_training() {
        assert_eq!(poly(0.001, 0, 880, 0.9), 0.001);
        assert!(poly(0.001, 879, 880, 0.9) > 0.0);
        assert_eq!(poly(0.001, 880, 880, 0.9), 0.0);
    }

    #[test]
    fn it_is_the_formula_of_the_official_code() {
        // Python: [0.01 * (1 - i / 7) ** 0.9 for i in range(7)]
        let expected = [
            0.01,
            0.008_704_581_368_591_592,
            0.007_387_283_529_495_573,
            0.006_043_183_144_790_013,
            0.004_664_669_656_672_158,
            0.003_238_461_661_916_278,
            0.001_735_448_634_341_524_5,
        ];
        for (step, expected) in (0..).zip(expected) {
            let lr = poly(0.01, step, 7, 0.9);
            assert!((lr - expected).abs() < 1e-17, "step {step}: {lr} {expected}");
        }
    }

    #[test]
    fn a_power_of_zero_keeps_the_rate() {
        assert_eq!(poly(0.5, 99, 100, 0.0), 0.5);
    }
}
