//! Reads `[augment]`.

use crate::spec::augment::{Augment, Blur, Cutout, Grayscale, Jitter, Strong, StrongOn, Weak};
use crate::spec::convert::{Bounds, Choice};
use crate::spec::reader::Reader;

impl Choice for StrongOn {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("none", Self::None),
        ("unlabeled", Self::Unlabeled),
        ("labeled", Self::Labeled),
        ("both", Self::Both),
    ];
}

/// Reads `[augment]`; what is left out is as in the official code.
pub fn augment(reader: Reader<'_>) -> Augment {
    let usual = Augment::default();
    let weak = weak(reader.table("weak"), usual.weak);
    let strong = strong(reader.table("strong"), usual.strong);
    reader.finish();
    Augment { weak, strong }
}

fn weak(reader: Reader<'_>, usual: Weak) -> Weak {
    let weak = Weak {
        scale: reader.range("scale", usual.scale, Bounds::POSITIVE),
        flip: reader.number("flip", usual.flip, Bounds::UNIT),
    };
    reader.finish();
    weak
}

fn strong(reader: Reader<'_>, usual: Strong) -> Strong {
    let strong = Strong {
        on: reader.choice("on", usual.on),
        jitter: jitter(reader.table("jitter"), usual.jitter),
        grayscale: grayscale(reader.table("grayscale"), usual.grayscale),
        blur: blur(reader.table("blur"), usual.blur),
        cutout: cutout(reader.table("cutout"), usual.cutout),
    };
    reader.finish();
    strong
}

fn jitter(reader: Reader<'_>, usual: Jitter) -> Jitter {
    let jitter = Jitter {
        p: reader.number("p", usual.p, Bounds::UNIT),
        brightness: reader.number("brightness", usual.brightness, Bounds::NOT_NEGATIVE),
        contrast: reader.number("contrast", usual.contrast, Bounds::NOT_NEGATIVE),
        saturation: reader.number("saturation", usual.saturation, Bounds::NOT_NEGATIVE),
        hue: reader.number("hue", usual.hue, Bounds::up_to(0.5)),
    };
    reader.finish();
    jitter
}

fn grayscale(reader: Reader<'_>, usual: Grayscale) -> Grayscale {
    let grayscale = Grayscale { p: reader.number("p", usual.p, Bounds::UNIT) };
    reader.finish();
    grayscale
}

fn blur(reader: Reader<'_>, usual: Blur) -> Blur {
    let blur = Blur {
        p: reader.number("p", usual.p, Bounds::UNIT),
        sigma: reader.range("sigma", usual.sigma, Bounds::NOT_NEGATIVE),
    };
    reader.finish();
    blur
}

fn cutout(reader: Reader<'_>, usual: Cutout) -> Cutout {
    let cutout = Cutout {
        p: reader.number("p", usual.p, Bounds::UNIT),
        area: reader.range("area", usual.area, Bounds::SHARE),
        aspect: reader.range("aspect", usual.aspect, Bounds::POSITIVE),
    };
    reader.finish();
    cutout
}
