//! From quarantine to what may be served: the type, the content of it that is kept, and its hash.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use hallpass_core::file::ContentHash;

use crate::picture;
use crate::quarantine::prepared_path;
use crate::sniff::{HEAD_BYTES, Text, sniff};

/// What is served as nothing in particular, and saved.
pub const OCTETS: &str = "application/octet-stream";

/// Every type that is told apart.
pub const TYPES: [&str; 22] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "video/mp4",
    "video/webm",
    "video/quicktime",
    "video/ogg",
    "audio/mpeg",
    "audio/mp4",
    "audio/ogg",
    "audio/wav",
    "audio/flac",
    "application/pdf",
    "text/plain",
    "application/zip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
];

/// How large a picture may be once it is unpacked.
#[derive(Clone, Copy, Debug)]
pub struct PictureLimits {
    /// Width times height; for animations, of four times as many in all frames together.
    pub max_pixels: u64,
}

/// What is to be kept of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The file to copy to the store.
    pub path: PathBuf,
    /// What it is.
    pub content_type: &'static str,
    /// How long it is.
    pub size_bytes: u64,
    /// Its SHA-256.
    pub hash: ContentHash,
}

/// Why an upload is not kept.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    /// It bears the mark of a picture and is none.
    #[error("the picture cannot be read")]
    Unreadable,
    /// A picture of too many pixels.
    #[error("the picture has too many pixels")]
    TooManyPixels,
    /// This machine failed, not the upload.
    #[error("a file: {0}")]
    Io(#[from] io::Error),
}

/// Looks at a draft. Blocks: pictures take seconds.
///
/// # Errors
/// [`Rejected`] for a picture that does not decode within the limits, or if a file cannot be read.
pub fn prepare(draft: &Path, allowed: &[String], limits: PictureLimits) -> Result<Prepared, Rejected> {
    let mut head = Vec::new();
    File::open(draft)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    let allowed = |kind: &&'static str| allowed.iter().any(|each| each == kind);
    let found = sniff(&head).filter(allowed);
    if let Some(kind) = found.filter(|kind| kind.starts_with("image/")) {
        let path = prepared_path(draft);
        let mut out = io::BufWriter::new(File::create(&path)?);
        picture::rewrite(kind, draft, &mut out, limits)?;
        out.flush()?;
        let (hash, size_bytes, _) = read_through(&path)?;
        return Ok(Prepared { path, content_type: kind, size_bytes, hash });
    }
    let (hash, size_bytes, is_text) = read_through(draft)?;
    // What bears a mark we know but may not serve is no text either.
    let text = Some("text/plain").filter(allowed).filter(|_| is_text && sniff(&head).is_none());
    Ok(Prepared { path: draft.to_owned(), content_type: found.or(text).unwrap_or(OCTETS), size_bytes, hash })
}

/// Hash, length, and whether it is text.
fn read_through(path: &Path) -> io::Result<(ContentHash, u64, bool)> {
    let mut reader = BufReader::with_capacity(HEAD_BYTES, File::open(path)?);
    let (mut context, mut text, mut size) = (Context::new(&SHA256), Text::default(), 0);
    let mut piece = vec![0; HEAD_BYTES];
    loop {
        let read = reader.read(&mut piece)?;
        if read == 0 {
            break;
        }
        context.update(&piece[..read]);
        text.feed(&piece[..read]);
        size += read as u64;
    }
    Ok((digest(context), size, text.is_text()))
}

fn digest(context: Context) -> ContentHash {
    ContentHash(context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes"))
}

/// The hash of bytes.
pub(crate) fn hash_of(bytes: &[u8]) -> ContentHash {
    let mut context = Context::new(&SHA256);
    context.update(bytes);
    digest(context)
}
