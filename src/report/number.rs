//! How numbers are written: mIoU in points of 0.01, differences with their sign, counts in groups of three.

use super::stats::Interval;

/// What stands where there is no number.
pub const NONE: &str = "–";

/// A fraction in points with two decimals: `0.61417` is `61.42`.
pub fn points(fraction: f64) -> String {
    signless_zero(format!("{:.2}", fraction * 100.0)).replace('-', "−")
}

/// A difference of fractions in points, with its sign: `+0.42`, `−1.30`, `0.00`.
pub fn signed(fraction: f64) -> String {
    let text = signless_zero(format!("{:+.2}", fraction * 100.0));
    text.replace('-', "−")
}

/// An interval of differences in points: `[−0.10, +0.94]`.
pub fn interval(interval: Interval) -> String {
    format!("[{}, {}]", signed(interval.low), signed(interval.high))
}

/// A fraction in per cent with one decimal: `50.0 %`.
pub fn percent(fraction: f64) -> String {
    format!("{:.1} %", fraction * 100.0)
}

/// A correlation with two decimals and its sign.
pub fn correlation(value: f64) -> String {
    let text = if format!("{value:.2}").trim_start_matches('-') == "0.00" {
        "0.00".to_owned()
    } else {
        format!("{value:+.2}")
    };
    text.replace('-', "−")
}

/// A probability with three decimals.
pub fn probability(value: f64) -> String {
    format!("{value:.3}")
}

/// A share with two decimals: `0.83`.
pub fn share(value: f64) -> String {
    format!("{value:.2}")
}

/// The level of an interval in per cent, without needless digits: `95 %`, `98.3 %`.
pub fn level(value: f64) -> String {
    let tenths = (value * 1000.0).round();
    let decimals = usize::from(tenths % 10.0 != 0.0);
    format!("{:.decimals$} %", tenths / 10.0)
}

/// A count in groups of three: `12,345`.
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A mean and, where there is one, its standard deviation, in points: `61.42 ± 0.37`.
pub fn mean_and_sd(mean: Option<f64>, sd: Option<f64>) -> String {
    match (mean, sd) {
        (None, _) => NONE.to_owned(),
        (Some(mean), None) => points(mean),
        (Some(mean), Some(sd)) => format!("{} ± {}", points(mean), points(sd)),
    }
}

/// A number written by `form`, or a dash.
pub fn or_none(value: Option<f64>, form: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), form)
}

/// `1 run`, `3 runs`.
pub fn counted(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Two decimals that round to zero have no sign.
fn signless_zero(text: String) -> String {
    if text.ends_with("0.00") && text.trim_start_matches(['+', '-']) == "0.00" {
        "0.00".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_rounds_to_nothing_has_no_sign() {
        assert_eq!(signed(-0.000_01), "0.00");
        assert_eq!(signed(0.0), "0.00");
        assert_eq!(signed(0.100_04), "+10.00");
        assert_eq!(signed(-0.013), "−1.30");
        assert_eq!(correlation(-0.001), "0.00");
        assert_eq!(correlation(-0.406), "−0.41");
    }

    #[test]
    fn numbers_carry_their_units() {
        assert_eq!(points(0.614_17), "61.42");
        assert_eq!(percent(0.5), "50.0 %");
        assert_eq!(mean_and_sd(Some(0.5), Some(0.004)), "50.00 ± 0.40");
        assert_eq!(mean_and_sd(Some(0.5), None), "50.00");
        assert_eq!(mean_and_sd(None, None), "–");
        assert_eq!(interval(Interval { low: -0.001, high: 0.0094, level: 0.95 }), "[−0.10, +0.94]");
    }

    #[test]
    fn counts_are_grouped() {
        let written: Vec<String> = [0, 999, 1_000, 12_345, 1_234_567].map(count).into();
        assert_eq!(written, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn lists_read_as_sentences_do() {
        let list = |words: &[&str]| listed(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(list(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }
}
