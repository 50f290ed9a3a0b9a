//! Finding the end of an HTTP/1.1 response (RFC 9112 §6.3).

use anyhow::{Context as _, Result, bail, ensure};

const MAX_HEADERS: usize = 64;

/// One whole response at the start of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Offset of the body, still in its transfer coding.
    pub(crate) body: usize,
    /// Length of the response in bytes.
    pub(crate) end: usize,
    /// The server will close the connection.
    pub(crate) close: bool,
}

/// Finds the response that `buffer` begins with; `None` while it is incomplete.
///
/// # Errors
/// If the bytes are no HTTP/1.1 response, or one whose end only a closed connection would tell.
pub(crate) fn parse(buffer: &[u8]) -> Result<Option<Response>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(body) = head.parse(buffer).context("no HTTP response")? else {
        return Ok(None);
    };
    let status = head.code.context("a response without a status")?;
    let (mut length, mut chunked, mut close) = (None, false, false);
    for header in head.headers.iter() {
        let value = std::str::from_utf8(header.value).context("a header that is not text")?.trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            length = Some(value.parse::<usize>().context("an unreadable content-length")?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            ensure!(value.eq_ignore_ascii_case("chunked"), "transfer-encoding {value}");
            chunked = true;
        } else if header.name.eq_ignore_ascii_case("connection") {
            close = value.eq_ignore_ascii_case("close");
        }
    }
    let end = match (chunked, length) {
        (true, _) => chunks_end(buffer, body)?,
        (false, Some(length)) => (buffer.len() >= body + length).then_some(body + length),
        (false, None) if status == 204 || status == 304 => Some(body),
        (false, None) => bail!("a response of unknown length"),
    };
    Ok(end.map(|end| Response { status, body, end, close }))
}

/// The end of a chunked body without trailers.
fn chunks_end(buffer: &[u8], mut at: usize) -> Result<Option<usize>> {
    loop {
        let Some(rest) = buffer.get(at..) else { return Ok(None) };
        let parsed = httparse::parse_chunk_size(rest).map_err(|_| anyhow::anyhow!("a broken chunk"))?;
        let httparse::Status::Complete((start, size)) = parsed else { return Ok(None) };
        at += start + usize::try_from(size)? + 2;
        if size == 0 {
            return Ok((buffer.len() >= at).then_some(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_ends_where_its_content_length_says() {
        let whole = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\nokHTTP";
        let expected = Response { status: 201, body: 43, end: 45, close: false };
        assert_eq!(parse(whole).unwrap(), Some(expected));
        assert_eq!(parse(&whole[..44]).unwrap(), None);
    }

    #[test]
    fn a_chunked_response_ends_after_its_last_chunk() {
        let whole = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert_eq!(parse(whole).unwrap().unwrap().end, whole.len());
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]).unwrap(), None, "cut at {cut}");
        }
    }

    #[test]
    fn a_response_without_an_end_is_refused() {
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
