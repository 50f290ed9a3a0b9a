//! Immutable copies under their SHA-256: written once, read in ranges, removed with their last user.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use hallpass_core::file::ContentHash;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    ClientOptions, GetOptions, MultipartUpload as _, ObjectStore, ObjectStoreExt as _, PutPayload,
    RetryConfig,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::AsyncReadExt as _;

use crate::BlobError;

/// Larger files are written in parts of this size: S3 wants at least five mebibytes.
const PART_BYTES: usize = 8 << 20;

/// A file's bytes as they come.
pub type ByteStream = BoxStream<'static, Result<Bytes, BlobError>>;

/// An S3-compatible store and where in it the files go.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// `https://s3.example.com`; none for AWS.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Both, or none for the machine's own role.
    pub credentials: Option<(String, SecretString)>,
    /// Whether the endpoint may be without TLS.
    pub allow_http: bool,
}

/// The store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs(Arc<dyn ObjectStore>);

impl Blobs {
    /// In a folder, which is made.
    ///
    /// # Errors
    /// [`BlobError`] if it cannot be made.
    pub fn in_folder(folder: &Path) -> Result<Self, BlobError> {
        std::fs::create_dir_all(folder)?;
        Ok(Self(Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))))
    }

    /// In memory, for whoever keeps no files.
    pub fn in_memory() -> Self {
        Self(Arc::new(InMemory::new()))
    }

    /// In a bucket. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`BlobError`] if its settings contradict each other.
    pub fn in_bucket(bucket: &Bucket) -> Result<Self, BlobError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(bucket.allow_http)
                    .with_connect_timeout(Duration::from_secs(5))
                    .with_timeout(Duration::from_mins(1)),
            )
            .with_retry(RetryConfig {
                max_retries: 3,
                retry_timeout: Duration::from_secs(20),
                ..RetryConfig::default()
            });
        if let Some(endpoint) = &bucket.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        if let Some((id, secret)) = &bucket.credentials {
            builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
        }
        Ok(Self(Arc::new(builder.build()?)))
    }

    /// Copies a file of this machine to its place. The same content again is the same place.
    ///
    /// # Errors
    /// [`BlobError`]; nothing is there then, or what was there before.
    pub async fn put_file(&self, hash: ContentHash, file: &Path) -> Result<(), BlobError> {
        let mut file = tokio::fs::File::open(file).await?;
        let first = read_part(&mut file).await?;
        if first.len() < PART_BYTES {
            return self.put_bytes(hash, first).await;
        }
        let mut upload = self.0.put_multipart(&key(hash)).await?;
        let mut part = first;
        let outcome: Result<(), BlobError> = async {
            while !part.is_empty() {
                upload.put_part(PutPayload::from(part)).await?;
                part = read_part(&mut file).await?;
            }
            upload.complete().await?;
            Ok(())
        }
        .await;
        if outcome.is_err()
            && let Err(_left) = upload.abort().await
        {
            // Parts without an end take room until the bucket's own rule removes them.
        }
        outcome
    }

    /// Puts bytes in their place.
    ///
    /// # Errors
    /// [`BlobError`].
    pub async fn put_bytes(&self, hash: ContentHash, bytes: Bytes) -> Result<(), BlobError> {
        self.0.put(&key(hash), PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// The bytes of a range, as they come.
    ///
    /// # Errors
    /// [`BlobError`] if they are not there, or the store does not answer.
    pub async fn read(&self, hash: ContentHash, range: Range<u64>) -> Result<ByteStream, BlobError> {
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let found = self.0.get_opts(&key(hash), options).await?;
        Ok(found.into_stream().map(|chunk| chunk.map_err(BlobError::from)).boxed())
    }

    /// The whole of a blob.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub async fn read_whole(&self, hash: ContentHash) -> Result<Bytes, BlobError> {
        Ok(self.0.get(&key(hash)).await?.bytes().await?)
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// [`BlobError`] if the store does not answer.
    pub async fn has(&self, hash: ContentHash) -> Result<bool, BlobError> {
        match self.0.head(&key(hash)).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes it; what is not there is removed already.
    ///
    /// # Errors
    /// [`BlobError`] if the store does not answer.
    pub async fn remove(&self, hash: ContentHash) -> Result<(), BlobError> {
        match self.0.delete(&key(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Two levels of folders: file systems do not like millions of names in one.
fn key(hash: ContentHash) -> Key {
    let hex = hash.to_string();
    Key::from(format!("blobs/{}/{}/{hex}", &hex[..2], &hex[2..4]))
}

async fn read_part(file: &mut tokio::fs::File) -> Result<Bytes, BlobError> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part).await?;
    Ok(part.into())
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::*;

    async fn collected(stream: ByteStream) -> Vec<u8> {
        stream
            .try_fold(Vec::new(), |all, chunk| async move { Ok([&all[..], &chunk].concat()) })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn what_is_put_is_read_in_ranges_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(&folder.path().join("made/here")).unwrap();
        let large: Vec<u8> = (0..PART_BYTES * 2 + 5).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for (n, content) in [(1, b"small".to_vec()), (2, large)] {
            let hash = ContentHash([n; 32]);
            assert!(!blobs.has(hash).await.unwrap());
            let source = folder.path().join("source");
            std::fs::write(&source, &content).unwrap();
            for _ in 0..2 {
                blobs.put_file(hash, &source).await.unwrap();
            }
            let whole = blobs.read(hash, 0..content.len() as u64).await.unwrap();
            assert!(collected(whole).await == content);
            assert!(blobs.read_whole(hash).await.unwrap() == content);
            assert_eq!(collected(blobs.read(hash, 1..4).await.unwrap()).await, content[1..4]);
            for _ in 0..2 {
                blobs.remove(hash).await.unwrap();
                assert!(!blobs.has(hash).await.unwrap());
            }
            assert!(blobs.read(hash, 0..1).await.is_err());
        }
    }
}
