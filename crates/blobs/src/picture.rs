//! Pictures: decoded within limits, turned upright, and encoded anew from their pixels alone.
//!
//! Whatever else the file held (EXIF with a place and a time, colour profiles, comments, a second file
//! behind the first) is gone, and no decoder of a reader ever sees bytes that an uploader chose.

use std::io::{BufReader, Cursor, Write};
use std::path::Path;

use bytes::Bytes;
use hallpass_core::file::{BANNER, ContentHash, SQUARES};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::codecs::webp::WebPEncoder;
use image::imageops::FilterType as Resize;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits};

use crate::prepare::{PictureLimits, Rejected, hash_of};

/// The longest side: what formats and encoders share.
const MAX_SIDE: u32 = 16_383;
/// The most frames of an animation.
const MAX_FRAMES: u64 = 2_000;
/// JPEG quality of uploads, and of the small squares.
const QUALITY: u8 = 90;
const SQUARE_QUALITY: u8 = 85;

/// What sizes of a picture are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// [`SQUARES`], cut from the middle.
    Squares,
    /// One, no longer than [`BANNER`].
    Banner,
}

/// One size of a picture.
#[derive(Clone, Debug)]
pub struct Square {
    /// Which: one of [`SQUARES`], or [`BANNER`].
    pub px: u32,
    /// JPEG, or PNG if anything shows through.
    pub content_type: &'static str,
    /// The picture.
    pub bytes: Bytes,
    /// Its SHA-256.
    pub hash: ContentHash,
}

fn rejected(error: ImageError) -> Rejected {
    match error {
        ImageError::Limits(_) => Rejected::TooManyPixels,
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::StorageFull => Rejected::Io(error),
        _ => Rejected::Unreadable,
    }
}

fn format(kind: &str) -> Result<ImageFormat, Rejected> {
    ImageFormat::from_mime_type(kind).ok_or(Rejected::Unreadable)
}

fn decode(
    kind: &str,
    reader: impl std::io::BufRead + std::io::Seek,
    limits: PictureLimits,
) -> Result<(DynamicImage, Orientation), Rejected> {
    let mut reader = ImageReader::with_format(reader, format(kind)?);
    let mut bounds = Limits::default();
    bounds.max_image_width = Some(MAX_SIDE);
    bounds.max_image_height = Some(MAX_SIDE);
    // Four bytes a pixel and room for what decoders need besides.
    bounds.max_alloc = Some(limits.max_pixels * 4 + (64 << 20));
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(rejected)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(Rejected::TooManyPixels);
    }
    // A broken EXIF block turns nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((DynamicImage::from_decoder(decoder).map_err(rejected)?, orientation))
}

/// Writes a picture anew, in its own format; animated GIFs with their frames, other animations with
/// their first.
pub(crate) fn rewrite(
    kind: &str,
    source: &Path,
    out: &mut impl Write,
    limits: PictureLimits,
) -> Result<(), Rejected> {
    let source = BufReader::new(std::fs::File::open(source)?);
    if kind == "image/gif" {
        return rewrite_gif(source, out, limits);
    }
    let (mut picture, orientation) = decode(kind, source, limits)?;
    picture.apply_orientation(orientation);
    match kind {
        "image/jpeg" => encode_jpeg(&picture, out, QUALITY),
        "image/webp" => {
            let picture = if picture.color().has_alpha() {
                DynamicImage::ImageRgba8(picture.into_rgba8())
            } else {
                DynamicImage::ImageRgb8(picture.into_rgb8())
            };
            picture.write_with_encoder(WebPEncoder::new_lossless(out)).map_err(rejected)
        }
        _ => encode_png(&picture, out),
    }
}

fn encode_png(picture: &DynamicImage, out: &mut impl Write) -> Result<(), Rejected> {
    let encoder = PngEncoder::new_with_quality(out, CompressionType::Default, FilterType::Adaptive);
    picture.write_with_encoder(encoder).map_err(rejected)
}

fn encode_jpeg(picture: &DynamicImage, out: &mut impl Write, quality: u8) -> Result<(), Rejected> {
    let encoder = JpegEncoder::new_with_quality(out, quality);
    match picture {
        DynamicImage::ImageLuma8(_) => picture.write_with_encoder(encoder).map_err(rejected),
        _ => DynamicImage::ImageRgb8(picture.to_rgb8()).write_with_encoder(encoder).map_err(rejected),
    }
}

/// Frame by frame with its own colours: a new palette would cost quality and minutes.
fn rewrite_gif(
    source: impl std::io::Read,
    out: &mut impl Write,
    limits: PictureLimits,
) -> Result<(), Rejected> {
    let unreadable = |_| Rejected::Unreadable;
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    options.check_frame_consistency(true);
    options.set_memory_limit(gif::MemoryLimit::Bytes(
        std::num::NonZeroU64::new(limits.max_pixels).unwrap_or(std::num::NonZeroU64::MIN),
    ));
    let mut decoder = options.read_info(source).map_err(unreadable)?;
    let (width, height) = (decoder.width(), decoder.height());
    if u64::from(width) * u64::from(height) > limits.max_pixels || u32::from(width.max(height)) > MAX_SIDE {
        return Err(Rejected::TooManyPixels);
    }
    let palette = decoder.global_palette().unwrap_or_default().to_vec();
    let mut encoder = gif::Encoder::new(out, width, height, &palette).map_err(|_| Rejected::Unreadable)?;
    encoder.set_repeat(decoder.repeat()).map_err(|_| Rejected::Unreadable)?;
    let (mut pixels, mut frames) = (0, 0);
    while let Some(frame) = decoder.read_next_frame().map_err(unreadable)? {
        frames += 1;
        pixels += u64::from(frame.width) * u64::from(frame.height);
        if frames > MAX_FRAMES || pixels > limits.max_pixels * 4 {
            return Err(Rejected::TooManyPixels);
        }
        encoder.write_frame(frame).map_err(|_| Rejected::Unreadable)?;
    }
    if frames == 0 { Err(Rejected::Unreadable) } else { Ok(()) }
}

/// Makes the sizes of a picture that was [prepared](crate::prepare) before. Blocks.
///
/// # Errors
/// [`Rejected`] if it does not decode within the limits.
pub fn squares(
    kind: &str,
    bytes: &[u8],
    shape: Shape,
    limits: PictureLimits,
) -> Result<Vec<Square>, Rejected> {
    let (mut picture, orientation) = decode(kind, Cursor::new(bytes), limits)?;
    picture.apply_orientation(orientation);
    let clear = picture.color().has_alpha() && picture.to_rgba8().pixels().any(|pixel| pixel.0[3] < u8::MAX);
    // What eyes see; and half the memory where the file had sixteen bits.
    let picture = if clear {
        DynamicImage::ImageRgba8(picture.into_rgba8())
    } else {
        DynamicImage::ImageRgb8(picture.into_rgb8())
    };
    let encode = |px, picture: &DynamicImage| {
        let mut out = Vec::new();
        let content_type = if clear {
            encode_png(picture, &mut out)?;
            "image/png"
        } else {
            encode_jpeg(picture, &mut out, SQUARE_QUALITY)?;
            "image/jpeg"
        };
        Ok::<_, Rejected>(Square { px, content_type, hash: hash_of(&out), bytes: out.into() })
    };
    match shape {
        Shape::Banner if picture.width().max(picture.height()) <= BANNER => {
            Ok(vec![encode(BANNER, &picture)?])
        }
        Shape::Banner => Ok(vec![encode(BANNER, &picture.resize(BANNER, BANNER, Resize::Triangle))?]),
        Shape::Squares => {
            let shorter = picture.width().min(picture.height());
            // From the largest down: each from the one before, which is far smaller than the original.
            let mut source = picture;
            let mut made = Vec::new();
            for px in SQUARES.into_iter().rev() {
                // Never larger than it is: made-up pixels only cost.
                let side = px.min(shorter);
                source = source.resize_to_fill(side, side, Resize::Triangle);
                made.push(encode(px, &source)?);
            }
            Ok(made)
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    const LIMITS: PictureLimits = PictureLimits { max_pixels: 1 << 20 };

    /// Left half red, right half blue.
    fn halves(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(
            width,
            height,
            |x, _| if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) },
        )
    }

    fn encoded(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    fn rewritten(kind: &str, bytes: &[u8]) -> Result<Vec<u8>, Rejected> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("draft");
        std::fs::write(&path, bytes).unwrap();
        let mut out = Vec::new();
        rewrite(kind, &path, &mut out, LIMITS).map(|()| out)
    }

    /// A JPEG with an EXIF block that says "turn me by 90 degrees" and names a place.
    fn with_exif(jpeg: &[u8]) -> Vec<u8> {
        let tiff = [
            &b"MM\0*\0\0\0\x08"[..],
            b"\0\x02",
            b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
            b"\x88\x25\0\x02\0\0\0\x0c\0\0\0\x26",
            b"\0\0\0\0",
            b"GPS 52.5 N\0\0",
        ]
        .concat();
        let block = [b"Exif\0\0", &tiff[..]].concat();
        let length = u16::try_from(block.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], b"\xff\xe1", &length, &block, &jpeg[2..]].concat()
    }

    #[test]
    fn a_photo_is_turned_upright_and_loses_where_it_was_taken() {
        let jpeg = with_exif(&encoded(&halves(64, 32), ImageFormat::Jpeg));
        assert!(jpeg.windows(4).any(|window| window == b"GPS "));
        let out = rewritten("image/jpeg", &jpeg).unwrap();
        assert!(!out.windows(4).any(|window| window == b"GPS " || window == b"Exif"));
        let picture = image::load_from_memory(&out).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (32, 64), "turned");
        let (top, bottom) = (picture.get_pixel(16, 4), picture.get_pixel(16, 60));
        assert!(top.0[0] > 200 && bottom.0[2] > 200, "{top:?} {bottom:?}");
    }

    #[test]
    fn what_hides_behind_or_in_a_picture_is_gone() {
        let script = b"<script>alert(1)</script>";
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
            let kind = format.to_mime_type();
            let polyglot = [&encoded(&halves(8, 8), format)[..], script].concat();
            let out = rewritten(kind, &polyglot).unwrap();
            assert!(!out.windows(8).any(|window| window == b"<script>"), "{kind}");
            assert_eq!(image::load_from_memory_with_format(&out, format).unwrap().width(), 8, "{kind}");
        }
    }

    #[test]
    fn broken_and_oversized_pictures_are_rejected() {
        let png = encoded(&halves(64, 64), ImageFormat::Png);
        for broken in [&png[..png.len() / 2], &png[..8], b"\x89PNG\r\n\x1a\n<html>"] {
            assert!(matches!(rewritten("image/png", broken), Err(Rejected::Unreadable)));
        }
        // The head alone claims 20,000 by 20,000 pixels: refused before any is made.
        let mut bomb = png.clone();
        bomb[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
        assert!(matches!(rewritten("image/png", &bomb), Err(Rejected::TooManyPixels | Rejected::Unreadable)));
        let large = encoded(&halves(2048, 1024), ImageFormat::Png);
        assert!(matches!(rewritten("image/png", &large), Err(Rejected::TooManyPixels)));
        assert!(rewritten("image/gif", b"GIF89a\xff\xff\xff\xff\0\0\0;").is_err());
        assert!(matches!(rewritten("image/gif", b"GIF89a\x01\0\x01\0\0\0\0;"), Err(Rejected::Unreadable)));
    }

    #[test]
    fn an_animation_keeps_its_frames_and_loses_its_comments() {
        let mut bytes = Vec::new();
        {
            let mut encoder = gif::Encoder::new(&mut bytes, 2, 1, &[255, 0, 0, 0, 0, 255]).unwrap();
            encoder.set_repeat(gif::Repeat::Infinite).unwrap();
            for delay in [5, 7] {
                encoder
                    .write_frame(&gif::Frame {
                        delay,
                        width: 2,
                        height: 1,
                        buffer: vec![0, 1].into(),
                        ..gif::Frame::default()
                    })
                    .unwrap();
            }
            encoder.write_raw_extension(gif::AnyExtension(0xfe), &[b"a comment"]).unwrap();
        }
        let out = rewritten("image/gif", &bytes).unwrap();
        assert!(!out.windows(9).any(|window| window == b"a comment"));
        let mut decoder = gif::DecodeOptions::new().read_info(&out[..]).unwrap();
        let mut delays = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            delays.push(frame.delay);
        }
        assert_eq!(delays, [5, 7]);
        assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
    }

    #[test]
    fn squares_are_cut_from_the_middle_and_never_blown_up() {
        let png = encoded(&halves(900, 600), ImageFormat::Png);
        let made = squares("image/png", &png, Shape::Squares, LIMITS).unwrap();
        let sizes: Vec<(u32, &str)> = made.iter().map(|square| (square.px, square.content_type)).collect();
        assert_eq!(sizes, [512, 256, 128, 64].map(|px| (px, "image/jpeg")));
        for square in &made {
            let picture = image::load_from_memory(&square.bytes).unwrap();
            assert_eq!((picture.width(), picture.height()), (square.px, square.px));
        }
        let clear = RgbaImage::from_pixel(100, 50, Rgba([1, 2, 3, 4]));
        let mut out = Cursor::new(Vec::new());
        clear.write_to(&mut out, ImageFormat::Png).unwrap();
        let made = squares("image/png", out.get_ref(), Shape::Squares, LIMITS).unwrap();
        assert!(made.iter().all(|square| square.content_type == "image/png"));
        let widths: Vec<u32> =
            made.iter().map(|square| image::load_from_memory(&square.bytes).unwrap().width()).collect();
        assert_eq!(widths, [50; 4]);
        let banner = squares("image/png", &png, Shape::Banner, LIMITS).unwrap();
        assert_eq!(image::load_from_memory(&banner[0].bytes).unwrap().width(), 900);
    }
}
