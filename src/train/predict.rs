//! What a network says of one whole image: at one scale, summed over test-time augmentation, or through windows.
//!
//! The network's logits are small: a head works at a quarter of the image's resolution or less. Probabilities at full
//! size are several times larger than anything before them (19 classes of 1024×2048 pixels are 160 MB, at every scale),
//! so they are never whole: [`Prediction::strips`] makes them some rows at a time, on the CPU, to the same bits as if
//! they were made at once.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use crate::data::augment::normalize_into;
use crate::data::image::Rgb;
use crate::nn::network::Network;
use crate::nn::ops::resize::{Corners, Resizing, bilinear};
use crate::nn::ops::softmax::probabilities;
use crate::nn::tape::Tape;
use crate::spec::evaluate::Windows;
use crate::spec::method::Tta;

/// Values of a strip, about.
const STRIP: usize = 1 << 19;

/// Pixels beyond which an image and its mirror image go through the network one after the other.
const LARGE: usize = 1 << 20;

/// How a network looks at an image.
#[derive(Debug, Clone, Copy)]
pub enum Looking<'a> {
    /// Whole, at its own scale.
    Whole,
    /// Whole, at several scales, and mirrored (official code: `model/semseg/base.py`, `forward(x, tta=True)`).
    ///
    /// Each scale s resizes the normalised image to (floor(H·s), floor(W·s)) and the softmax back to (H, W), both
    /// bilinear with aligned corners. The mean over all of them; the sum in the official code has the same argmax.
    Augmented(&'a Tta),
    /// Through overlapping windows, whose probabilities are summed where they overlap.
    Windows(Windows),
}

/// What a network says of one image.
pub struct Prediction {
    classes: usize,
    height: usize,
    width: usize,
    views: Vec<View>,
}

/// The image as the network saw it once.
struct View {
    /// (C, h, w).
    logits: Vec<f32>,
    /// Rows of `logits`.
    rows: usize,
    /// From the logits to the size that the network saw.
    up: Resizing,
    /// From there to the image's size, where it is another.
    back: Option<Resizing>,
    mirrored: bool,
    /// What part of the image it is.
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

/// Probabilities of some rows of an image.
#[derive(Debug, Clone)]
pub struct Strip {
    /// Classes C.
    pub classes: usize,
    /// The image's rows.
    pub rows: Range<usize>,
    /// Columns W.
    pub width: usize,
    /// `(C, rows, W)`, row-major; each pixel sums to 1, or, through windows, to the number of windows it is in.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// Runs the network on an image.
    ///
    /// # Errors
    /// Whatever the network reports.
    pub fn of(network: &Network, image: &Rgb, looking: Looking<'_>, device: &Device) -> Result<Self> {
        let mut data = vec![0.0; image.data.len()];
        normalize_into(image, &network.normalisation(), &mut data);
        let (height, width) = (image.height, image.width);
        let x = Tensor::from_vec(data, (1, 3, height, width), device)?;
        let whole = Place { top: 0, left: 0, height, width };
        let views = match looking {
            Looking::Whole => views(network, &x, false, whole)?,
            Looking::Augmented(tta) => {
                let tape = Tape::silent(device);
                let side = |pixels: usize, scale: f64| ((pixels as f64 * scale) as usize).max(1);
                let look = |&scale: &f64| {
                    let (h, w) = (side(height, scale), side(width, scale));
                    views(network, &bilinear(&tape, &x, h, w, Corners::Aligned)?, tta.flip, whole)
                };
                tta.scales.iter().map(look).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect()
            }
            Looking::Windows(windows) => {
                let mut views_of_all = Vec::new();
                for (top, h) in windows.along(height) {
                    for (left, w) in windows.along(width) {
                        let part = x.narrow(2, top, h)?.narrow(3, left, w)?.contiguous()?;
                        let place = Place { top, left, height: h, width: w };
                        views_of_all.extend(views(network, &part, false, place)?);
                    }
                }
                views_of_all
            }
        };
        let classes = views.first().map_or(0, View::classes);
        if classes == 0 {
            candle_core::bail!("look at an image without a scale or a window")
        }
        Ok(Self { classes, height, width, views })
    }

    /// Makes the probabilities of the image, some rows at a time, and returns what `each` makes of them, top to bottom.
    pub fn strips<T: Send>(&self, each: impl Fn(Strip) -> T + Sync) -> Vec<T> {
        let rows = (STRIP / (self.classes * self.width)).clamp(1, self.height);
        let starts: Vec<usize> = (0..self.height).step_by(rows).collect();
        let strip = |start: usize| self.strip(start..(start + rows).min(self.height));
        starts.into_par_iter().map(|start| each(strip(start))).collect()
    }

    /// The most probable class of every pixel; of equal ones the first.
    pub fn classes(&self) -> Vec<u8> {
        self.strips(|strip| strip.argmax()).concat()
    }

    fn strip(&self, rows: Range<usize>) -> Strip {
        let pixels = rows.len() * self.width;
        let mut sum = vec![0.0; self.classes * pixels];
        let overlapping =
            self.views.iter().any(|view| (view.height, view.width) != (self.height, self.width));
        for view in &self.views {
            let own = rows.start.max(view.top)..rows.end.min(view.top + view.height);
            if own.is_empty() {
                continue;
            }
            let values = view.strip(own.start - view.top..own.end - view.top);
            for (to, from) in sum.chunks_exact_mut(pixels).zip(values.chunks_exact(own.len() * view.width)) {
                for (row, from) in own.clone().zip(from.chunks_exact(view.width)) {
                    let to = &mut to[(row - rows.start) * self.width + view.left..][..view.width];
                    if view.mirrored {
                        to.iter_mut().zip(from.iter().rev()).for_each(|(t, f)| *t += f);
                    } else {
                        to.iter_mut().zip(from).for_each(|(t, f)| *t += f);
                    }
                }
            }
        }
        if self.views.len() > 1 && !overlapping {
            let share = 1.0 / self.views.len() as f32;
            sum.iter_mut().for_each(|v| *v *= share);
        }
        Strip { classes: self.classes, rows, width: self.width, probabilities: sum }
    }
}

/// What part of an image a view is of.
#[derive(Clone, Copy)]
struct Place {
    top: usize,
    left: usize,
    height: usize,
    width: usize,
}

/// The network's look at `x` (1, 3, h, w), and at its mirror image if `flip`.
fn views(network: &Network, x: &Tensor, flip: bool, place: Place) -> Result<Vec<View>> {
    let (_, _, h, w) = x.dims4()?;
    let small = if !flip {
        vec![network.forward_small(x)?]
    } else if h * w > LARGE {
        vec![network.forward_small(x)?, network.forward_small(&mirror(x)?)?]
    } else {
        let both = network.forward_small(&Tensor::cat(&[x, &mirror(x)?], 0)?)?;
        vec![both.narrow(0, 0, 1)?, both.narrow(0, 1, 1)?]
    };
    let Place { top, left, height, width } = place;
    let view = |(mirrored, logits): (bool, Tensor)| {
        let (_, _, rows, columns) = logits.dims4()?;
        Ok(View {
            logits: logits.flatten_all()?.to_vec1()?,
            rows,
            up: Resizing::new((rows, columns), (h, w), network.corners()),
            back: ((h, w) != (height, width))
                .then(|| Resizing::new((h, w), (height, width), Corners::Aligned)),
            mirrored,
            top,
            left,
            height,
            width,
        })
    };
    [false, true].into_iter().zip(small).map(view).collect()
}

impl View {
    fn classes(&self) -> usize {
        self.logits.len() / (self.rows * self.up.columns_in())
    }

    /// Probabilities (C, rows, width) of some of its rows.
    fn strip(&self, rows: Range<usize>) -> Vec<f32> {
        let seen = self.back.as_ref().map_or(rows.clone(), |back| back.reads(rows.clone()));
        let held = self.up.reads(seen.clone());
        let columns = self.up.columns_in();
        let planes = self.logits.chunks_exact(self.rows * columns);
        let logits: Vec<f32> =
            planes.flat_map(|plane| &plane[held.start * columns..held.end * columns]).copied().collect();
        let logits = self.up.strip(&logits, held, seen.clone());
        let classes = self.classes();
        let values = probabilities(&logits, (1, classes, 1, logits.len() / classes));
        match &self.back {
            None => values,
            Some(back) => back.strip(&values, seen, rows),
        }
    }
}

impl Strip {
    /// The most probable class of every pixel; of equal ones the first.
    pub fn argmax(&self) -> Vec<u8> {
        let pixels = self.rows.len() * self.width;
        let (first, rest) = self.probabilities.split_at(pixels);
        let mut best = first.to_vec();
        let mut classes = vec![0u8; pixels];
        for (class, plane) in (1u8..).zip(rest.chunks_exact(pixels)) {
            for ((best, class_of), &value) in best.iter_mut().zip(&mut classes).zip(plane) {
                if value > *best {
                    *best = value;
                    *class_of = class;
                }
            }
        }
        classes
    }
}

/// Left and right exchanged.
fn mirror(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(3)? as u32;
    let columns: Vec<u32> = (0..width).rev().collect();
    x.contiguous()?.index_select(&Tensor::from_vec(columns, width as usize, x.device())?, 3)
}

#[cfg(test)]
mod tests;
