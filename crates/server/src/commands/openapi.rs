//! `hallpass openapi`: the OpenAPI document, as the server answers it.

use std::process::ExitCode;

use crate::output;

/// Prints it.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    output::line(&hallpass_http::openapi_json())?;
    Ok(ExitCode::SUCCESS)
}
