//! `[files]`: where uploads go and what may be uploaded.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use hallpass_app::files::{Blobs, Bucket, FileStorage, FilesPolicy, Quarantine, TYPES};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::{PublicUrl, Section};

/// Where uploads go and what may be uploaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FilesConfig {
    pub(crate) folder: PathBuf,
    pub(crate) quarantine_folder: PathBuf,
    pub(crate) public_url: String,
    pub(crate) max_bytes: u64,
    pub(crate) max_pixels: u64,
    #[serde(deserialize_with = "super::list::list")]
    pub(crate) types: Vec<String>,
    pub(crate) keep_unused_days: u32,
    pub(crate) s3_bucket: String,
    pub(crate) s3_endpoint: String,
    pub(crate) s3_region: String,
    pub(crate) s3_access_key_id: String,
    pub(crate) s3_secret_access_key: Secret,
    pub(crate) s3_secret_access_key_file: PathBuf,
    pub(crate) s3_allow_http: bool,
}

impl Default for FilesConfig {
    fn default() -> Self {
        let policy = FilesPolicy::default();
        Self {
            folder: PathBuf::new(),
            quarantine_folder: PathBuf::new(),
            public_url: String::new(),
            max_bytes: policy.max_bytes,
            max_pixels: policy.max_pixels,
            types: policy.types,
            keep_unused_days: 30,
            s3_bucket: String::new(),
            s3_endpoint: String::new(),
            s3_region: "us-east-1".to_owned(),
            s3_access_key_id: String::new(),
            s3_secret_access_key: Secret::default(),
            s3_secret_access_key_file: PathBuf::new(),
            s3_allow_http: false,
        }
    }
}

impl Section for FilesConfig {
    const NAME: &'static str = "files";
    const ABOUT: &'static str = "Uploads: in a folder, or in a bucket of any S3-compatible store.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "folder",
            "Where they lie. Empty: `files` in the data folder. Not used with s3_bucket.\nWith several nodes: a bucket, or a folder that they share.",
        ),
        (
            "quarantine_folder",
            "Where a node keeps what is arriving. Empty: `quarantine` in the data folder, else a new\ntemporary folder. Of this node alone.",
        ),
        (
            "public_url",
            "Another origin to serve files from, such as https://files.example.com, which reaches this\nserver too. Empty: http.public_url.",
        ),
        ("max_bytes", "The largest upload."),
        ("max_pixels", "The largest picture, once unpacked."),
        (
            "types",
            "The types that are served as themselves; everything else is served as octets, to be saved.",
        ),
        ("keep_unused_days", "How long a file is kept that nothing uses: no picture, no message."),
        ("s3_bucket", "Its name. Empty: no S3."),
        ("s3_endpoint", "The store's address, such as https://s3.example.com. Empty: AWS."),
        ("s3_region", "The region that requests are signed for."),
        ("s3_access_key_id", "Empty: the machine's own role."),
        ("s3_secret_access_key", "The secret to it."),
        ("s3_secret_access_key_file", "A file that holds it, instead."),
        ("s3_allow_http", "Whether the endpoint may be without TLS."),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if self.max_bytes == 0 {
            bail!("files.max_bytes: at least 1");
        }
        if !(1..=400_000_000).contains(&self.max_pixels) {
            bail!("files.max_pixels: from 1 to 400000000");
        }
        if !(1..=36_500).contains(&self.keep_unused_days) {
            bail!("files.keep_unused_days: from 1 to 36500");
        }
        if let Some(unknown) = self.types.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
            bail!("files.types: {unknown:?} is not told apart; there are {}", TYPES.join(", "));
        }
        if !self.public_url.is_empty() {
            PublicUrl::parse(&self.public_url).map_err(|error| {
                anyhow::anyhow!("files.public_url: {}", error.to_string().replace("http.public_url: ", ""))
            })?;
        }
        if self.s3_bucket.is_empty() {
            let lonely = [
                ("s3_endpoint", !self.s3_endpoint.is_empty()),
                ("s3_access_key_id", !self.s3_access_key_id.is_empty()),
                ("s3_secret_access_key", !self.s3_secret_access_key.is_empty()),
            ];
            if let Some((key, _)) = lonely.iter().find(|(_, set)| *set) {
                bail!("files.{key}: is set without files.s3_bucket");
            }
        } else if self.s3_endpoint.starts_with("http://") && !self.s3_allow_http {
            bail!("files.s3_endpoint: is without TLS; set files.s3_allow_http if that is meant");
        }
        self.secret().map(drop)
    }
}

impl FilesConfig {
    fn secret(&self) -> anyhow::Result<Option<Secret>> {
        let secret = self
            .s3_secret_access_key
            .or_file("files.s3_secret_access_key", &self.s3_secret_access_key_file)?;
        if secret.is_some() == self.s3_access_key_id.is_empty() {
            bail!("files.s3_access_key_id and files.s3_secret_access_key: set both or neither");
        }
        Ok(secret)
    }

    /// Opens what files need, in or beside the data folder.
    pub(crate) fn open(&self, data: Option<&Path>) -> anyhow::Result<FileStorage> {
        let blobs = if self.s3_bucket.is_empty() {
            let folder = match (self.folder.as_os_str().is_empty(), data) {
                (false, _) => self.folder.clone(),
                (true, Some(data)) => data.join("files"),
                (true, None) => {
                    let folder = PathBuf::from("./data/files");
                    tracing::warn!(
                        folder = %folder.display(),
                        "files lie on this node alone, and other nodes cannot serve them: set files.s3_bucket, or \
                         files.folder to one that all nodes share"
                    );
                    folder
                }
            };
            Blobs::in_folder(&folder)
                .with_context(|| format!("files.folder: cannot use {}", folder.display()))?
        } else {
            let none_if_empty = |text: &String| (!text.is_empty()).then(|| text.clone());
            let credentials = self
                .secret()?
                .map(|secret| (self.s3_access_key_id.clone(), secret.expose().to_owned().into()));
            let bucket = Bucket {
                name: self.s3_bucket.clone(),
                endpoint: none_if_empty(&self.s3_endpoint),
                region: self.s3_region.clone(),
                credentials,
                allow_http: self.s3_allow_http,
            };
            Blobs::in_bucket(&bucket).context("files: cannot use the bucket")?
        };
        let quarantine = match (self.quarantine_folder.as_os_str().is_empty(), data) {
            (false, _) => self.quarantine_folder.clone(),
            (true, Some(data)) => data.join("quarantine"),
            // Of this process alone: two workers on one draft would spoil it.
            (true, None) => std::env::temp_dir().join(format!("hallpass-quarantine-{}", std::process::id())),
        };
        Ok(FileStorage {
            blobs,
            quarantine: Quarantine::open(&quarantine)
                .with_context(|| format!("files.quarantine_folder: cannot use {}", quarantine.display()))?,
            policy: FilesPolicy {
                max_bytes: self.max_bytes,
                max_pixels: self.max_pixels,
                types: self.types.clone(),
                public_url: (!self.public_url.is_empty()).then(|| self.public_url.clone()),
                keep_unused: SignedDuration::from_hours(i64::from(self.keep_unused_days) * 24),
            },
        })
    }
}
