//! Pictures for uploads, honest and hostile.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A picture whose left half is red and whose right half is blue.
pub fn halves(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
    let picture =
        RgbImage::from_fn(
            width,
            height,
            |x, _| {
                if x < width / 2 { Rgb([250, 0, 0]) } else { Rgb([0, 0, 250]) }
            },
        );
    let mut out = Cursor::new(Vec::new());
    picture.write_to(&mut out, format).expect("a picture encodes");
    out.into_inner()
}

/// As [`halves`], a PNG.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    halves(width, height, ImageFormat::Png)
}

/// As [`halves`], a JPEG with an EXIF block: turned by 90 degrees, and where it was taken.
pub fn photo(width: u32, height: u32) -> Vec<u8> {
    let jpeg = halves(width, height, ImageFormat::Jpeg);
    let tiff: [&[u8]; 6] = [
        b"MM\0*\0\0\0\x08",
        b"\0\x02",
        b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0",
        b"\x88\x25\0\x02\0\0\0\x0c\0\0\0\x26",
        b"\0\0\0\0",
        b"GPS 52.5 N\0\0",
    ];
    let block = [b"Exif\0\0", &tiff.concat()[..]].concat();
    let length = u16::try_from(block.len() + 2).expect("a short block").to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, &block, &jpeg[2..]].concat()
}

/// A PNG whose head claims other dimensions than its content has, with a head that checks out.
pub fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = png(8, 8);
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let sum = crc32(&bytes[12..29]).to_be_bytes();
    bytes[29..33].copy_from_slice(&sum);
    bytes
}

/// CRC-32 as PNG has it (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut sum: u32, byte| {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
        }
        sum
    })
}

/// What bytes decode to.
pub fn decoded(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).expect("a picture")
}

/// Width and height of what bytes decode to.
pub fn size(bytes: &[u8]) -> (u32, u32) {
    let picture = decoded(bytes);
    (picture.width(), picture.height())
}

/// The colour at a place.
pub fn pixel(bytes: &[u8], x: u32, y: u32) -> [u8; 3] {
    decoded(bytes).into_rgb8().get_pixel(x, y).0
}

pub use image::ImageFormat as Format;
