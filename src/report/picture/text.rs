//! How wide a text is, and how a long name is made to fit: by a table, because a report has no screen to measure on.
//!
//! The table holds the advance widths of the widest of the fonts that `system-ui` commonly stands for. A narrower font
//! leaves room to spare, and nothing is cut off or overlaps.

use std::borrow::Cow;

/// Height of the letters of every picture, in pixels.
pub const SIZE: f64 = 12.0;

/// Pixels from one line of text to the next.
pub const LINE: f64 = 16.0;

/// Pixels from the middle of a line down to its baseline.
pub const TO_BASELINE: f64 = 4.2;

/// Widths of the characters from space to tilde, in hundredths of the letters' height.
const ASCII: [u8; 95] = [
    32, 41, 46, 84, 64, 96, 78, 28, 40, 40, 50, 84, 32, 37, 32, 34, //
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 56, //
    102, 69, 69, 73, 77, 67, 62, 78, 76, 30, 50, 67, 56, 87, 75, 79, //
    67, 79, 73, 67, 62, 74, 69, 99, 69, 67, 69, 40, 34, 40, 84, 56, //
    50, 62, 64, 55, 64, 62, 36, 64, 64, 28, 28, 58, 28, 98, 64, 62, //
    64, 64, 42, 53, 40, 64, 60, 82, 60, 60, 53, 64, 34, 64, 84,
];

/// What bold letters are wider than others, as a factor.
const BOLD: f64 = 1.27;

/// The width of a text in pixels.
pub fn width(text: &str) -> f64 {
    text.chars().map(|c| f64::from(hundredths(c))).sum::<f64>() * SIZE / 100.0
}

/// The width of a text in bold letters, in pixels.
pub fn bold_width(text: &str) -> f64 {
    width(text) * BOLD
}

/// The width of the widest of some texts in pixels; 0 without any.
pub fn widest<'a>(texts: impl IntoIterator<Item = &'a str>) -> f64 {
    texts.into_iter().map(width).fold(0.0, f64::max)
}

/// A text of at most `room` pixels: a longer one loses its middle, because names differ at their ends.
pub fn shorten(text: &str, room: f64) -> Cow<'_, str> {
    if width(text) <= room {
        return Cow::Borrowed(text);
    }
    let letters: Vec<char> = text.chars().collect();
    let (mut front, mut back) = (0, letters.len());
    let mut left = room * 100.0 / SIZE - f64::from(hundredths('…'));
    while front < back {
        let from_front = front <= letters.len() - back;
        let next = if from_front { letters[front] } else { letters[back - 1] };
        left -= f64::from(hundredths(next));
        if left < 0.0 {
            break;
        }
        if from_front {
            front += 1;
        } else {
            back -= 1;
        }
    }
    let kept = letters[..front].iter().chain(&['…']).chain(&letters[back..]);
    Cow::Owned(kept.collect())
}

/// Words on lines of at most `room` pixels; a longer word has a line to itself.
pub fn wrap(words: &str, room: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line) + width(" ") + width(word) <= room => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn hundredths(letter: char) -> u8 {
    match letter {
        c if c.is_control() => 140,
        ' '..='~' => ASCII[letter as usize - ' ' as usize],
        '–' | '°' => 56,
        '·' => 32,
        '−' | '×' | '±' => 84,
        '…' | '→' => 100,
        'µ' | 'ρ' | 'à'..='ÿ' => 64,
        '\u{80}'..='\u{2FF}' => 90,
        '\u{300}'..='\u{36F}' => 0,
        '\u{370}'..='\u{10FF}' => 110,
        _ => 140,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_name_loses_its_middle() {
        let name = "image-stability-with-class-balance-0.50";
        assert_eq!(shorten(name, 400.0), name);
        assert_eq!(shorten(name, 150.0), "image-stabi…lance-0.50");
        assert_eq!(shorten(name, 3.0), "…");
        assert!((width("stpp") - 26.52).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn a_shortened_name_fits(name in ".{0,60}", room in 12.0..300.0f64) {
            let short = shorten(&name, room);
            prop_assert!(width(&short) <= room + 1e-9);
            prop_assert!(short == name || short.contains('…'));
        }
    }
}
