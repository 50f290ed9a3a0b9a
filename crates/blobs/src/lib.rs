//! The bytes of files: quarantine for what arrives, a look at what it is, and a store of immutable
//! copies under their SHA-256, in a folder or in any S3-compatible store.
//!
//! What a file is for, and who may have it, is known elsewhere. Only this crate names `object_store`,
//! `image` and `gif`.
//!
//! 1. [`Quarantine`]: an upload is written to a file of this node, no longer than it may be.
//! 2. [`prepare`]: its type is taken from its content, never from its name; pictures are decoded within
//!    limits and encoded anew, so that nothing but pixels is left of them.
//! 3. [`Blobs::put_file`]: the result goes to its immutable place. Only this is ever served.

mod picture;
mod prepare;
mod quarantine;
mod sniff;
mod store;

pub use picture::{Shape, Square, squares};
pub use prepare::{OCTETS, PictureLimits, Prepared, Rejected, TYPES, prepare};
pub use quarantine::{Draft, Quarantine};
pub use store::{Blobs, Bucket, ByteStream};

/// The store of blobs or the quarantine did not do it.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The store does not answer, or refuses.
    #[error("the store of files: {0}")]
    Store(#[from] object_store::Error),
    /// A file of this machine.
    #[error("a file: {0}")]
    Io(#[from] std::io::Error),
    /// The draft is longer than it may be.
    #[error("longer than {limit_bytes} bytes")]
    TooLong {
        /// What it may be.
        limit_bytes: u64,
    },
}
