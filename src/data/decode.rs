//! PNG and JPEG files to pixels, and pixels to PNG.
//!
//! Images become what Pillow's `convert("RGB")` gives, PNG exactly; masks are read by *index*, never by colour:
//! palettes of segmentation datasets repeat colours, and class ids are what is trained on.

use std::io::Cursor;
use std::path::Path;

use png::{BitDepth, ColorType, Transformations};

use super::image::{Mask, Rgb};

/// More pixels than any photograph has: what a damaged header asks for.
const MAX_PIXELS: u64 = 1 << 28;

/// Why a file cannot be used. Each names the file and fits "failed to {error}".
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The first bytes are of another format.
    #[error("decode `{name}`: it is neither PNG nor JPEG; convert it to one of them")]
    Format {
        /// The file.
        name: String,
    },
    /// The file ends too early.
    #[error("decode `{name}`: the file ends in the middle of the picture; copy or download it again")]
    Truncated {
        /// The file.
        name: String,
    },
    /// The PNG stream is damaged.
    #[error("decode `{name}` as PNG; the file is damaged, copy or download it again")]
    Png {
        /// The file.
        name: String,
        /// What the decoder found.
        #[source]
        source: png::DecodingError,
    },
    /// The JPEG stream is damaged.
    #[error("decode `{name}` as JPEG; the file is damaged, copy or download it again")]
    Jpeg {
        /// The file.
        name: String,
        /// What the decoder found.
        #[source]
        source: image::ImageError,
    },
    /// The header asks for an absurd amount of memory.
    #[error("decode `{name}`: {width}x{height} pixels are more than the limit of {MAX_PIXELS}")]
    TooLarge {
        /// The file.
        name: String,
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// 16-bit grayscale has no agreed meaning in 8 bits (Pillow clips it to white).
    #[error("decode `{name}`: 16-bit grayscale images are ambiguous; save it with 8 bits per channel")]
    DeepGray {
        /// The file.
        name: String,
    },
    /// A mask that is not a PNG.
    #[error(
        "read class ids from `{name}`: a mask must be a PNG file, other formats change or lack class ids"
    )]
    MaskFormat {
        /// The file.
        name: String,
    },
    /// A mask of colours or shades instead of class ids.
    #[error(
        "read class ids from `{name}`: it is {found}, but a mask must have one channel of class ids, as an 8-bit \
         grayscale or a palette PNG (255 = ignore); map what it shows to ids and save it, \
         with Pillow: `Image.fromarray(ids.astype('uint8')).save(path)`"
    )]
    MaskKind {
        /// The file.
        name: String,
        /// Its colour type, in words.
        found: String,
    },
}

/// An image as RGB: gray is repeated, palettes are looked up, 16-bit colour keeps its high byte, alpha is dropped.
///
/// PNG is exact. JPEG is the same on every machine, and differs from libjpeg-turbo in rounding: chroma that was
/// stored at half size is rounded once more. At most 4/255, and more than 3/255 in 5 of 1.46 million values of
/// five VOC photographs (0.03 to 0.2 on average).
///
/// # Errors
/// [`DecodeError`], which calls the file `name`.
pub fn decode_rgb(bytes: &[u8], name: &str) -> Result<Rgb, DecodeError> {
    match kind(bytes) {
        Some(Kind::Png) => png_rgb(bytes, name),
        Some(Kind::Jpeg) => jpeg_rgb(bytes, name),
        None => Err(DecodeError::Format { name: name.into() }),
    }
}

/// A mask of class ids: 8-bit grayscale values, or the indices of a palette PNG of 1, 2, 4 or 8 bits.
///
/// # Errors
/// [`DecodeError`], which calls the file `name`; colours, shades and 16-bit values are refused, not guessed at.
pub fn decode_mask(bytes: &[u8], name: &str) -> Result<Mask, DecodeError> {
    let Some(Kind::Png) = kind(bytes) else {
        return Err(DecodeError::MaskFormat { name: name.into() });
    };
    let mut reader = open_png(bytes, name, Transformations::IDENTITY)?;
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let bits = info.bit_depth as usize;
    match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale, BitDepth::Eight) | (ColorType::Indexed, _) => {}
        (colour, depth) => {
            return Err(DecodeError::MaskKind { name: name.into(), found: in_words(colour, depth) });
        }
    }
    let packed = read_png(&mut reader, name)?;
    if bits == 8 {
        return Ok(Mask::new(width, height, packed));
    }
    let per_byte = 8 / bits;
    let mut ids = Vec::with_capacity(width * height);
    for row in packed.chunks_exact(width.div_ceil(per_byte)) {
        ids.extend((0..width).map(|x| {
            let shift = 8 - bits * (x % per_byte + 1);
            row[x / per_byte] >> shift & ((1 << bits) - 1)
        }));
    }
    Ok(Mask::new(width, height, ids))
}

/// (width, height) of an image file, by its header; nothing where that can't be read.
pub fn size(path: &Path) -> Option<(usize, usize)> {
    let reader = image::ImageReader::open(path).ok()?.with_guessed_format().ok()?;
    // Of other formats nothing is decoded here.
    reader.format().filter(|format| matches!(format, image::ImageFormat::Png | image::ImageFormat::Jpeg))?;
    let (width, height) = reader.into_dimensions().ok()?;
    Some((width as usize, height as usize))
}

/// The image as an RGB PNG; the same bytes for the same pixels.
pub fn encode_png_rgb(image: &Rgb) -> Vec<u8> {
    encode(image.width, image.height, &image.data, None, ColorType::Rgb)
}

/// The image as a lossless WebP; the same bytes for the same pixels.
///
/// # Panics
/// For a side of 0, or of more than 16383 pixels, which the format has no number for.
pub fn encode_webp_rgb(image: &Rgb) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    let side = |pixels: usize| u32::try_from(pixels).expect("an image that fits into memory");
    encoder
        .encode(&image.data, side(image.width), side(image.height), image::ExtendedColorType::Rgb8)
        .expect("small images are what the format is for");
    bytes
}

/// The mask as an 8-bit PNG; the same bytes for the same ids.
///
/// With a `palette` the file shows colours, yet holds the same ids; ids past its end are black.
pub fn encode_png_mask(mask: &Mask, palette: Option<&[[u8; 3]]>) -> Vec<u8> {
    let Some(palette) = palette else {
        return encode(mask.width, mask.height, &mask.data, None, ColorType::Grayscale);
    };
    let mut colours = vec![0; 256 * 3];
    for (colour, given) in colours.chunks_exact_mut(3).zip(palette) {
        colour.copy_from_slice(given);
    }
    encode(mask.width, mask.height, &mask.data, Some(colours), ColorType::Indexed)
}

enum Kind {
    Png,
    Jpeg,
}

fn kind(bytes: &[u8]) -> Option<Kind> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Some(Kind::Png)
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Some(Kind::Jpeg)
    } else {
        None
    }
}

type PngReader<'a> = png::Reader<Cursor<&'a [u8]>>;

fn open_png<'a>(bytes: &'a [u8], name: &str, as_: Transformations) -> Result<PngReader<'a>, DecodeError> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(as_);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let reader = decoder.read_info().map_err(|source| png_error(source, name))?;
    let (width, height) = reader.info().size();
    check_size(width, height, name)?;
    Ok(reader)
}

fn read_png(reader: &mut PngReader<'_>, name: &str) -> Result<Vec<u8>, DecodeError> {
    let size = reader.output_buffer_size().expect("the size of the picture was checked");
    let mut pixels = vec![0; size];
    reader.next_frame(&mut pixels).map_err(|source| png_error(source, name))?;
    Ok(pixels)
}

fn png_error(source: png::DecodingError, name: &str) -> DecodeError {
    let name = name.into();
    match source {
        png::DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::Truncated { name }
        }
        source => DecodeError::Png { name, source },
    }
}

fn png_rgb(bytes: &[u8], name: &str) -> Result<Rgb, DecodeError> {
    let mut reader = open_png(bytes, name, Transformations::normalize_to_color8())?;
    let info = reader.info();
    if (info.color_type, info.bit_depth) == (ColorType::Grayscale, BitDepth::Sixteen) {
        return Err(DecodeError::DeepGray { name: name.into() });
    }
    let (width, height) = (info.width as usize, info.height as usize);
    let pixels = read_png(&mut reader, name)?;
    let data = match reader.output_color_type().0 {
        ColorType::Rgb => pixels,
        ColorType::Rgba => pixels.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect(),
        ColorType::Grayscale => pixels.iter().flat_map(|&v| [v; 3]).collect(),
        ColorType::GrayscaleAlpha => pixels.chunks_exact(2).flat_map(|p| [p[0]; 3]).collect(),
        ColorType::Indexed => unreachable!("palettes are looked up by the decoder"),
    };
    Ok(Rgb::new(width, height, data))
}

fn jpeg_rgb(bytes: &[u8], name: &str) -> Result<Rgb, DecodeError> {
    // The decoder fills what is missing with gray, which must not be trained on.
    if !has_end_of_image(bytes) {
        return Err(DecodeError::Truncated { name: name.into() });
    }
    let damaged = |source| DecodeError::Jpeg { name: name.into(), source };
    let decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).map_err(damaged)?;
    let (width, height) = image::ImageDecoder::dimensions(&decoder);
    check_size(width, height, name)?;
    let pixels = image::DynamicImage::from_decoder(decoder).map_err(damaged)?.into_rgb8();
    Ok(Rgb::new(width as usize, height as usize, pixels.into_raw()))
}

/// Whether the JPEG's own end marker is there; that of a thumbnail in its header does not count.
fn has_end_of_image(bytes: &[u8]) -> bool {
    let next = |from: usize| bytes[from..].iter().position(|&byte| byte == 0xff);
    let mut at = 2;
    while let Some(&[first, marker]) = bytes.get(at..at + 2) {
        at += match (first, marker) {
            (0xff, 0xd9) => return true,
            // Stuffed bytes, restarts and parameterless markers in compressed data.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => 2,
            (0xff, 0xff) => 1,
            (0xff, _) => match bytes.get(at + 2..at + 4) {
                Some(length) => 2 + usize::from(length[0]) * 256 + usize::from(length[1]),
                None => return false,
            },
            // Nearly all of the file.
            _ => match next(at + 1) {
                Some(skipped) => 1 + skipped,
                None => return false,
            },
        };
    }
    false
}

fn check_size(width: u32, height: u32, name: &str) -> Result<(), DecodeError> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(DecodeError::TooLarge { name: name.into(), width, height });
    }
    Ok(())
}

fn in_words(colour: ColorType, depth: BitDepth) -> String {
    let colour = match colour {
        ColorType::Grayscale => "grayscale",
        ColorType::Rgb => "RGB",
        ColorType::Indexed => "palette",
        ColorType::GrayscaleAlpha => "grayscale with alpha",
        ColorType::Rgba => "RGB with alpha",
    };
    format!("{}-bit {colour}", depth as u8)
}

fn encode(width: usize, height: usize, data: &[u8], palette: Option<Vec<u8>>, colour: ColorType) -> Vec<u8> {
    const INVARIANT: &str = "sizes fit and writing to memory does not fail";
    let side = |length: usize| u32::try_from(length).expect(INVARIANT);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side(width), side(height));
    encoder.set_color(colour);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    // Neighbouring ids are equal or unrelated: row filters help photographs only.
    encoder.set_filter(if colour == ColorType::Rgb { png::Filter::Adaptive } else { png::Filter::NoFilter });
    if let Some(palette) = palette {
        encoder.set_palette(palette);
    }
    let mut writer = encoder.write_header().expect(INVARIANT);
    writer.write_image_data(data).expect(INVARIANT);
    writer.finish().expect(INVARIANT);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference::{Reference, difference, file};

    const EXACT: [&str; 12] = [
        "rgb8.png",
        "rgba8.png",
        "gray8.png",
        "gray_alpha8.png",
        "gray1.png",
        "gray2.png",
        "palette8.png",
        "palette4.png",
        "palette_transparent8.png",
        "rgb16.png",
        "rgba16.png",
        "interlaced.png",
    ];

    #[test]
    fn png_of_every_colour_type_is_what_pillow_reads() {
        let pillow = Reference::open("decode");
        for name in EXACT {
            let image = decode_rgb(&file(&format!("decode/{name}")), name).unwrap();
            assert_eq!(difference(&image, &pillow.image(&format!("decode/{name}"))), (0, 0.0), "{name}");
        }
    }

    #[test]
    fn jpeg_differs_from_libjpeg_by_rounding_only() {
        let pillow = Reference::open("decode");
        for (name, most) in [
            ("444.jpg", 2),
            ("422.jpg", 3),
            ("420.jpg", 3),
            ("420_progressive.jpg", 3),
            ("420_q60.jpg", 4), // One value of 18693; blue amplifies a step of chroma by 1.77.
            ("gray.jpg", 1),
            ("cmyk.jpg", 3),
        ] {
            let image = decode_rgb(&file(&format!("decode/{name}")), name).unwrap();
            let theirs = pillow.image(&format!("decode/{name}"));
            let (worst, mean) = difference(&image, &theirs);
            assert!(worst <= most && mean < 0.5, "{name}: at most {worst}, {mean:.3} on average");
            let far = image.data.iter().zip(&theirs.data).filter(|(a, b)| a.abs_diff(**b) > 3).count();
            assert!(far * 10_000 < image.data.len(), "{name}: {far} values are further off than 3");
        }
    }

    #[test]
    fn masks_are_read_by_index_not_by_colour() {
        let pillow = Reference::open("decode");
        for name in ["mask_gray8", "mask_palette8", "mask_palette4", "mask_palette2", "mask_palette1"] {
            let mask = decode_mask(&file(&format!("decode/{name}.png")), name).unwrap();
            assert_eq!(mask, pillow.mask(&format!("decode/{name}.png")), "{name}");
        }
    }

    #[test]
    fn a_mask_of_colours_or_shades_is_refused_with_advice() {
        for name in ["rgb8.png", "rgba8.png", "mask_gray16.png", "gray1.png", "gray_alpha8.png", "420.jpg"] {
            let error = decode_mask(&file(&format!("decode/{name}")), name).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("must"), "{error}");
        }
        let error = decode_mask(&file("decode/rgb8.png"), "masks/7.png").unwrap_err();
        insta::assert_snapshot!(error);
    }

    #[test]
    fn sixteen_bit_gray_is_refused_as_an_image() {
        let error = decode_rgb(&file("decode/mask_gray16.png"), "x.png").unwrap_err();
        assert!(matches!(error, DecodeError::DeepGray { .. }), "{error}");
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        for name in
            ["rgb8.png", "interlaced.png", "palette4.png", "420.jpg", "420_progressive.jpg", "gray.jpg"]
        {
            let whole = file(&format!("decode/{name}"));
            let image_ends =
                if name.ends_with("png") { whole.len() - 12 - 4 - 4 - 1 } else { whole.len() - 1 };
            for length in (0..image_ends).step_by(7).chain([image_ends]) {
                let error = decode_rgb(&whole[..length], name).expect_err("the picture is cut").to_string();
                assert!(error.contains(name), "{error}");
            }
        }
        let mask = file("decode/mask_palette8.png");
        assert!(decode_mask(&mask[..mask.len() / 2], "m").unwrap_err().to_string().contains("`m`"));
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_the_image() {
        let whole = file("decode/420.jpg");
        let thumbnail = [0xff, 0xe1, 0, 6, 0xff, 0xd9, 1, 2];
        let with = [&whole[..2], &thumbnail, &whole[2..]].concat();
        assert!(decode_rgb(&with, "x").is_ok());
        assert!(decode_rgb(&with[..with.len() / 2], "x").is_err());
    }

    #[test]
    fn garbage_is_an_error_not_a_panic() {
        for bytes in
            [&b""[..], b"GIF89a", b"\x89PNG\r\n\x1a\n", &[0xff, 0xd8, 0xff, 0xd9], &[0xff, 0xd8, 0xff]]
        {
            assert!(decode_rgb(bytes, "x").is_err());
            assert!(decode_mask(bytes, "x").is_err());
        }
        for name in ["rgb8.png", "420.jpg"] {
            let whole = file(&format!("decode/{name}"));
            for at in 0..whole.len() {
                let mut damaged = whole.clone();
                damaged[at] ^= 0x55;
                // A damaged JPEG may still be one; what matters is that the decoder returns.
                let _ = decode_rgb(&damaged, name);
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let image = decode_rgb(&file("image.png"), "image").unwrap();
        assert_eq!(decode_rgb(&encode_png_rgb(&image), "x").unwrap(), image);
        let mask = decode_mask(&file("mask.png"), "mask").unwrap();
        assert_eq!(decode_mask(&encode_png_mask(&mask, None), "x").unwrap(), mask);
        let coloured = encode_png_mask(&mask, Some(&[[1, 2, 3], [4, 5, 6]]));
        assert_eq!(decode_mask(&coloured, "x").unwrap(), mask);
        assert_eq!(decode_rgb(&coloured, "x").unwrap().at(1, 0), [1, 2, 3]);
    }
}
