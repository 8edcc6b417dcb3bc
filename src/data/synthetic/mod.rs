//! Scenes drawn by the program: a segmentation problem with nothing to download.
//!
//! A scene is a textured ground with up to a dozen things on it. What a thing *is* (ball, crate, leaf, …) is told by
//! its shape and its texture; pigments are shared between classes, so no colour names a class. Scraps in the same
//! pigments lie about and hide parts of things; they are background. Then the scene is lit and photographed: light
//! falls off, colours are cast, there is haze, defocus and sensor noise. How hard an image is varies around
//! `data.difficulty`, from image to image.
//!
//! Every number comes from the addressed stream of the image, and only `+ - * /`, `sqrt` and integers make pixels,
//! so a scene has the same bytes on every machine.
//!
//! | file | what |
//! |---|---|
//! | [`scene`] | draws one scene: ground, things, scraps; [`scene::render`] is the door |
//! | [`kind`] | the classes: shape, texture, pigments, how often |
//! | [`shape`] | outlines, and where they lie |
//! | [`texture`] | what covers a shape |
//! | [`pigment`] | the shared colours |
//! | [`light`] | light, haze, defocus, noise |
//! | [`canvas`] | pixels while they are still numbers |

pub mod canvas;
pub mod kind;
pub mod light;
pub mod pigment;
pub mod scene;
pub mod shape;
pub mod texture;

pub use kind::{MAX_CLASSES, MIN_CLASSES, class_names};
pub use scene::{MIN_SIDE, VERSION, id, render};
