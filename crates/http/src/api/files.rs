//! Files: made here, sent to a link of their own, and then used by their ids.

use axum::extract::State;
use axum::response::Response;
use hallpass_app::files::{CreateFile, FileDetails};
use hallpass_core::file::Visibility;
use hallpass_core::id::FileId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::extract::{self, Authed, JsonBody, Param, Patch};
use crate::idempotent::{Post, json};
use crate::state::Http;

const MAX_FILENAME: usize = 1024;

/// A file.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileView {
    id: String,
    /// What it was found to be; null until it is ready.
    content_type: Option<String>,
    /// As kept: the last part of what was sent, without characters that mislead.
    filename: Option<String>,
    /// In bytes, as a decimal number; null until it is ready.
    size: Option<String>,
    /// `pending`, `processing`, `ready` or `failed`.
    upload_status: &'static str,
    /// Where it is read: for good, or for five minutes if it is private. Null until it is ready.
    url: Option<String>,
    /// `public` or `private`.
    visibility: &'static str,
}

/// No headers.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadHeaders {}

/// A file that was made, and where to send it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedFileView {
    #[serde(flatten)]
    file: FileView,
    /// `PUT` the content here within an hour, without credentials. Null once it was sent.
    upload_url: Option<String>,
    /// Headers to send with it: none are needed.
    upload_headers: Option<UploadHeaders>,
    #[serde(skip)]
    id: FileId,
}

fn view(details: FileDetails) -> FileView {
    let file = details.file;
    FileView {
        id: file.id.to_string(),
        content_type: file.content_type,
        filename: Some(file.filename),
        size: file.size_bytes.map(|bytes| bytes.to_string()),
        upload_status: file.status.as_str(),
        url: details.url,
        visibility: file.visibility.as_str(),
    }
}

fn created(details: FileDetails) -> CreatedFileView {
    CreatedFileView {
        upload_headers: details.upload_url.is_some().then_some(UploadHeaders {}),
        upload_url: details.upload_url.clone(),
        id: details.file.id,
        file: view(details),
    }
}

/// What file to make.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreateFileBody {
    /// With its extension. Only the part behind the last slash is kept.
    #[schema(value_type = String)]
    filename: Option<String>,
    /// `public` (the default) or `private`. Does not change later.
    visibility: Option<String>,
}

/// Create a file
///
/// Then `PUT` its content to `upload_url` and retrieve the file until it is `ready`.
#[utoipa::path(post, path = "/files", operation_id = "files.create", tag = "Files",
    request_body = CreateFileBody, responses((status = 201, body = CreatedFileView)))]
pub(crate) async fn create(
    post: Post,
    JsonBody { value: body, bytes }: JsonBody<CreateFileBody>,
) -> Result<Response, ApiError> {
    let filename = extract::required("filename", body.filename.as_deref())?;
    let ask = CreateFile {
        filename: extract::text("filename", filename, MAX_FILENAME)?,
        visibility: body
            .visibility
            .map(|word| {
                word.parse::<Visibility>()
                    .map_err(|_| ApiError::invalid("visibility", "visibility is public or private"))
            })
            .transpose()?,
    };
    // Only the id is kept for a repeated request: the link is as good as a credential.
    post.created()
        .once_by_id(
            bytes,
            |made: &CreatedFileView| made.id,
            |app, by, id| async move { Ok(created(app.retrieve_file(&by, id).await?)) },
            move |app, by, ticket| async move { Ok(created(app.create_file(&by, ask, ticket).await?)) },
        )
        .await
}

/// Retrieve a file
///
/// By the key or the user that made it; a 404 for everybody else.
#[utoipa::path(get, path = "/files/{id}", operation_id = "files.retrieve", tag = "Files",
    params(("id" = String, Path)), responses((status = 200, body = FileView)))]
pub(crate) async fn retrieve(
    State(http): State<Http>,
    Authed(caller): Authed,
    Param(id): Param,
) -> Result<Response, ApiError> {
    Ok(json(&view(http.app.retrieve_file(&caller, extract::id("id", &id)?).await?)))
}

/// An uploaded file.
#[derive(Clone, Deserialize, ToSchema)]
pub(crate) struct FileRef {
    /// A file that is `ready` and that the caller made.
    id: Option<String>,
    /// The same as `id`.
    #[serde(default)]
    direct_upload_id: Option<String>,
}

impl FileRef {
    /// Which file; none if it names none.
    pub(crate) fn file(&self, param: &str) -> Result<Option<FileId>, ApiError> {
        match (&self.id, &self.direct_upload_id) {
            (Some(id), Some(other)) if id != other => Err(ApiError::invalid(
                param,
                format!("{param}: id and direct_upload_id are one parameter and differ"),
            )),
            (Some(id), _) | (None, Some(id)) => id
                .parse()
                .map(Some)
                .map_err(|error| ApiError::invalid(param, format!("{param}.id is {error}"))),
            (None, None) => Ok(None),
        }
    }

    /// Which file of a body that makes something; null is none.
    pub(crate) fn given(param: &str, file: Option<&Self>) -> Result<Option<FileId>, ApiError> {
        file.map_or(Ok(None), |file| file.file(param))
    }

    /// Which file of a body that changes something; null clears.
    #[expect(clippy::option_option, reason = "not named, cleared, or set")]
    pub(crate) fn patch(param: &str, patch: Patch<Self>) -> Result<Option<Option<FileId>>, ApiError> {
        match patch.clearable(|file| file.file(param))? {
            None | Some(Some(None)) => Ok(None),
            Some(None) => Ok(Some(None)),
            Some(Some(Some(id))) => Ok(Some(Some(id))),
        }
    }
}
