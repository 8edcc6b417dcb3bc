//! Zeros on both sides of an image, for a library that only knows equally many on each.

use candle_core::{Result, Tensor};

use super::geometry::Geometry;

/// The same convolution in a form whose output size follows from equally many zeros on opposite sides: where it has
/// more of them below than above, or on the right than on the left, they are written out and become part of `x`.
pub(super) fn even(x: &Tensor, mut g: Geometry) -> Result<(Tensor, Geometry)> {
    let mut x = x.clone();
    let below = surplus(g.height, g.kernel.0, g.padding.0, g.out_height, &g);
    if below > g.padding.0 {
        x = x.pad_with_zeros(2, g.padding.0, below)?;
        (g.height, g.padding.0) = (g.padding.0 + g.height + below, 0);
    }
    let right = surplus(g.width, g.kernel.1, g.padding.1, g.out_width, &g);
    if right > g.padding.1 {
        x = x.pad_with_zeros(3, g.padding.1, right)?;
        (g.width, g.padding.1) = (g.padding.1 + g.width + right, 0);
    }
    Ok((x, g))
}

/// The zeros after the last pixel that the last output reads.
fn surplus(size: usize, kernel: usize, before: usize, out: usize, g: &Geometry) -> usize {
    ((out - 1) * g.stride + g.dilation * (kernel - 1) + 1).saturating_sub(before + size)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    use super::super::{Padding, Window};
    use super::*;

    proptest! {
        #[test]
        fn every_convolution_has_an_even_form_of_the_same_size(
            height in 1usize..30, width in 1usize..30, kernel in 1usize..8, stride in 1usize..4, zeros in 0usize..9,
            dilation in 1usize..6, same: bool,
        ) {
            let padding = if same { Padding::Same } else { Padding::Each(zeros) };
            let window = Window { stride, padding, dilation };
            let weight = [1, 1, kernel, kernel];
            let Some(g) = Geometry::new(&[1, 1, height, width], &weight, window) else { return Ok(()) };
            let x = Tensor::zeros((1, 1, height, width), DType::F32, &Device::Cpu).expect("small");
            let (x, even) = even(&x, g).expect("it can be padded");
            prop_assert_eq!(x.dims(), [1, 1, even.height, even.width]);
            prop_assert_eq!((even.out_height, even.out_width), (g.out_height, g.out_width));
            // The size that cuDNN's manual gives.
            let size = |n: usize, zeros: usize| (n + 2 * zeros - (kernel - 1) * dilation - 1) / stride + 1;
            prop_assert_eq!(size(even.height, even.padding.0), g.out_height);
            prop_assert_eq!(size(even.width, even.padding.1), g.out_width);
            if !same {
                prop_assert_eq!(even, g, "PyTorch's padding is even as it is");
            }
        }
    }

    #[test]
    fn the_zeros_stand_where_tensorflow_puts_them() -> Result<()> {
        let x = Tensor::from_vec(vec![1f32, 2., 3., 4., 5., 6.], (1, 1, 2, 3), &Device::Cpu)?;
        let window = Window { stride: 2, padding: Padding::Same, dilation: 1 };
        let g = Geometry::new(x.dims(), &[1, 1, 3, 3], window).expect("it fits");
        let (x, even) = even(&x, g)?;
        // Two rows need one more, below; three columns need one on each side, which stay a number.
        assert_eq!(x.flatten_all()?.to_vec1::<f32>()?, [1., 2., 3., 4., 5., 6., 0., 0., 0.]);
        assert_eq!((even.padding, even.out_height, even.out_width), ((0, 1), 1, 2));
        Ok(())
    }
}
