//! Where two states differ: the first tensor and the first of its values that is not the same to the bit.

use std::fmt;

use safetensors::SafeTensors;

/// The first difference of two states.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// Bytes that are no state at all.
    NoState,
    /// A tensor that only one of them has, or that has another shape or type.
    Shape {
        /// Its name.
        tensor: String,
    },
    /// A value.
    Value {
        /// The tensor's name.
        tensor: String,
        /// Its place in the tensor, row-major.
        index: usize,
        /// How many values of the tensor differ.
        count: usize,
        /// The value in the first.
        first: f32,
        /// The value in the second.
        second: f32,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoState => f.write_str("the bytes are no safetensors any more"),
            Self::Shape { tensor } => write!(f, "the tensor `{tensor}` is missing or has another shape"),
            Self::Value { tensor, index, count, first, second } => write!(
                f,
                "the tensor `{tensor}` first differs at value {index}: {first:e} ({:08x}) in the store, {second:e} \
                 ({:08x}) now; {count} of its values differ",
                first.to_bits(),
                second.to_bits()
            ),
        }
    }
}

/// The first difference of two states in bytes of safetensors, by name and place; none where all values are the same.
pub fn first_difference(first: &[u8], second: &[u8]) -> Option<Difference> {
    let (Ok(a), Ok(b)) = (SafeTensors::deserialize(first), SafeTensors::deserialize(second)) else {
        return Some(Difference::NoState);
    };
    let mut names = [a.names(), b.names()].concat();
    names.sort_unstable();
    names.dedup();
    names.into_iter().find_map(|name| {
        let tensor = || name.to_owned();
        let (Ok(x), Ok(y)) = (a.tensor(name), b.tensor(name)) else {
            return Some(Difference::Shape { tensor: tensor() });
        };
        if x.shape() != y.shape() || x.dtype() != y.dtype() {
            return Some(Difference::Shape { tensor: tensor() });
        }
        let value = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four"));
        let pairs = || x.data().chunks_exact(4).zip(y.data().chunks_exact(4));
        let index = pairs().position(|(x, y)| x != y)?;
        let (first, second) = pairs().nth(index).map(|(x, y)| (value(x), value(y)))?;
        let count = pairs().filter(|(x, y)| x != y).count();
        Some(Difference::Value { tensor: tensor(), index, count, first, second })
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::super::State;
    use super::*;

    fn state(values: [f32; 3]) -> Vec<u8> {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let state: State =
            [("a".to_owned(), tensor(&[1.0, 2.0])), ("b".to_owned(), tensor(&values))].into_iter().collect();
        state.to_bytes().unwrap()
    }

    #[test]
    fn one_bit_is_named_with_its_tensor_and_place() {
        let (one, mut other) = (state([3.0, 4.0, 5.0]), state([3.0, 4.0, 5.0]));
        assert_eq!(first_difference(&one, &other), None);
        // The last value is the last four bytes.
        let last = other.len() - 4;
        other[last] ^= 1;
        let found = first_difference(&one, &other);
        let next = f32::from_bits(5f32.to_bits() + 1);
        let expected =
            Difference::Value { tensor: "b".to_owned(), index: 2, count: 1, first: 5.0, second: next };
        assert_eq!(found, Some(expected));
        assert_eq!(first_difference(&one, b"no state"), Some(Difference::NoState));
    }
}
