//! How numbers are written in pictures: points and per cent, with as many decimals as a report's tables have.

/// What stands where there is no number.
pub const NONE: &str = "–";

/// From here on a number is written by its power of ten.
const LARGE: f64 = 1e6;

/// Points with two decimals: `61.42`.
pub fn points(value: f64) -> String {
    let text = if value.abs() < LARGE { format!("{value:.2}") } else { format!("{value:.2e}") };
    minus(&text)
}

/// A difference in points with its sign: `+0.42`, `−1.30`, `0.00`.
pub fn signed(value: f64) -> String {
    let text = points(value);
    if text.starts_with('−') || text == "0.00" { text } else { format!("+{text}") }
}

/// An interval of differences in points: `[−0.10, +0.94]`.
pub fn interval((low, high): (f64, f64)) -> String {
    format!("[{}, {}]", signed(low), signed(high))
}

/// A fraction in per cent with one decimal: `50.0 %`.
pub fn percent(fraction: f64) -> String {
    let text = minus(&format!("{:.1}", fraction * 100.0));
    format!("{text} %")
}

/// A count in groups of three: `12,345`.
pub fn count(value: usize) -> String {
    grouped(&value.to_string())
}

/// A tick of an axis whose ticks are `step` apart, the largest of them `largest` from zero.
///
/// # Panics
/// When `step` is not above 0.
pub fn tick(value: f64, step: f64, largest: f64) -> String {
    assert!(step > 0.0, "ticks are apart");
    let place = libm::floor(libm::log10(step) + 1e-9) as i32;
    if largest >= LARGE {
        let digits = (libm::floor(libm::log10(largest) + 1e-9) as i32 - place).clamp(0, 12) as usize;
        return if value == 0.0 { "0".to_owned() } else { minus(&format!("{value:.digits$e}")) };
    }
    let text = format!("{value:.*}", (-place).clamp(0, 12) as usize);
    match text.split_once('.') {
        Some(_) => minus(&text),
        None => minus(&grouped(&text)),
    }
}

fn grouped(text: &str) -> String {
    let (sign, digits) = text.split_at(usize::from(text.starts_with('-')));
    let mut grouped = sign.to_owned();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A true minus sign, and none before a number that rounds to zero.
fn minus(text: &str) -> String {
    let zero = !text.contains(|c: char| ('1'..='9').contains(&c));
    if zero { text.replace('-', "") } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_the_tables() {
        assert_eq!(signed(-0.001), "0.00");
        assert_eq!(signed(12.84), "+12.84");
        assert_eq!(interval((-9.08, 3.1)), "[−9.08, +3.10]");
        assert_eq!(signed(-2.5e9), "−2.50e9");
        assert_eq!(percent(0.9753), "97.5 %");
        assert_eq!(count(1_944), "1,944");
    }

    #[test]
    fn ticks_have_the_decimals_of_their_step() {
        assert_eq!(tick(0.1 + 0.2, 0.1, 0.4), "0.3");
        assert_eq!(tick(-5.0, 2.5, 5.0), "−5");
        assert_eq!(tick(40_000.0, 10_000.0, 40_000.0), "40,000");
        assert_eq!(tick(1.5e6, 5e5, 2e6), "1.5e6");
        assert_eq!(tick(-0.0, 1.0, 2.0), "0");
    }
}
