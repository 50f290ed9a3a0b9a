//! A real S3 server, in this process and a folder.

use std::path::PathBuf;

use hallpass_app::files::{Blobs, Bucket};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;

const BUCKET: &str = "hallpass-files";
const ACCESS_KEY_ID: &str = "test-id";
const SECRET: &str = "test-secret";

/// A running server with one bucket.
pub struct S3 {
    /// Where it listens.
    pub endpoint: String,
    folder: TempDir,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl S3 {
    /// Starts one.
    pub async fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a bucket");
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a folder"));
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY_ID, SECRET));
        let service = builder.build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    // A client that goes away is no failure of the test.
                    drop(connection.await);
                });
            }
        });
        Self { endpoint, folder, serving }
    }

    /// The bucket, for a server under test.
    pub fn blobs(&self) -> Blobs {
        self.blobs_with(SECRET)
    }

    /// The bucket, with some secret.
    pub fn blobs_with(&self, secret: &str) -> Blobs {
        Blobs::in_bucket(&Bucket {
            name: BUCKET.to_owned(),
            endpoint: Some(self.endpoint.clone()),
            region: "eu-central-1".to_owned(),
            credentials: Some((ACCESS_KEY_ID.to_owned(), secret.to_owned().into())),
            allow_http: true,
        })
        .expect("a bucket")
    }

    /// The objects that there are, as files.
    pub fn objects(&self) -> Vec<PathBuf> {
        files_below(&self.folder.path().join(BUCKET))
    }
}

/// Every file below a folder, in order, hidden ones aside.
pub fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false if !hidden => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}
