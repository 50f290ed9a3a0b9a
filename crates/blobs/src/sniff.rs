//! What content is, by how it begins: a table of marks, so that nothing has to be believed.
//!
//! Only types that are served as themselves are looked for. Text is what [`Text`] lets through; all else
//! is octets. HTML, SVG and XML are text that begins with markup, and so octets, too.

/// How much of the beginning is looked at.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// The type that the beginning of a file bears the mark of, if one of those we know.
pub(crate) fn sniff(head: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 8] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF87a", "image/gif"),
        (b"GIF89a", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"fLaC", "audio/flac"),
        (b"ID3", "audio/mpeg"),
        (b"PK\x05\x06", "application/zip"),
    ];
    if let Some((_, kind)) = STARTS.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some(kind);
    }
    match head {
        [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] if form.starts_with(b"WEBP") => Some("image/webp"),
        [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] if form.starts_with(b"WAVE") => Some("audio/wav"),
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => iso_media(brand),
        _ if head.starts_with(b"\x1a\x45\xdf\xa3") => within(head, 64, b"webm").then_some("video/webm"),
        _ if head.starts_with(b"OggS") => {
            Some(if within(head, 256, b"theora") { "video/ogg" } else { "audio/ogg" })
        }
        _ if head.starts_with(b"PK\x03\x04") => Some(archive(head)),
        // An MPEG audio frame, layer III: the sync bits, then no reserved bit rate or sampling rate.
        [0xff, second, third, ..]
            if second & 0xe6 == 0xe2 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c && third & 0xf0 != 0 =>
        {
            Some("audio/mpeg")
        }
        _ => None,
    }
}

/// ISO base media (ISO/IEC 14496-12): the major brand says which.
fn iso_media(brand: &[u8]) -> Option<&'static str> {
    match brand.get(..4)? {
        b"qt  " => Some("video/quicktime"),
        b"M4A " | b"M4B " => Some("audio/mp4"),
        b"isom" | b"iso2" | b"iso3" | b"iso4" | b"iso5" | b"iso6" | b"mp41" | b"mp42" | b"avc1" | b"M4V "
        | b"dash" | b"MSNV" | b"f4v " | b"3gp4" | b"3gp5" | b"3gp6" => Some("video/mp4"),
        _ => None,
    }
}

/// A zip, or an office document, which is one with parts of certain names.
fn archive(head: &[u8]) -> &'static str {
    const OFFICE: [(&[u8], &str); 3] = [
        (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ];
    const OPEN: [(&[u8], &str); 3] = [
        (b"application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.text"),
        (b"application/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.spreadsheet"),
        (
            b"application/vnd.oasis.opendocument.presentation",
            "application/vnd.oasis.opendocument.presentation",
        ),
    ];
    let mut names = entry_names(head).peekable();
    if let Some((b"mimetype", content)) = names.peek()
        && let Some((_, kind)) = OPEN.iter().find(|(mark, _)| content.starts_with(mark))
    {
        return kind;
    }
    let mut types = false;
    let mut kind = None;
    for (name, _) in names {
        types |= name == b"[Content_Types].xml";
        kind = kind.or_else(|| OFFICE.iter().find(|(part, _)| name.starts_with(part)).map(|(_, kind)| *kind));
    }
    kind.filter(|_| types).unwrap_or("application/zip")
}

/// The names of a zip's entries and what follows each, as far as the beginning shows them.
fn entry_names(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let at = find(rest, b"PK\x03\x04")?;
        let entry = &rest[at..];
        rest = &entry[4..];
        let length =
            |at: usize| Some(usize::from(u16::from_le_bytes([*entry.get(at)?, *entry.get(at + 1)?])));
        let (name, extra) = (length(26)?, length(28)?);
        Some((entry.get(30..30 + name)?, entry.get(30 + name + extra..).unwrap_or_default()))
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn within(head: &[u8], first: usize, wanted: &[u8]) -> bool {
    find(&head[..head.len().min(first)], wanted).is_some()
}

/// Whether all of a file is plain text, fed in pieces.
#[derive(Default)]
pub(crate) struct Text {
    refused: bool,
    begun: bool,
    /// The bytes of a character that the last piece ended in the middle of.
    open: Vec<u8>,
}

impl Text {
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        if self.refused {
            return;
        }
        let joined = [&self.open[..], piece].concat();
        let valid = match std::str::from_utf8(&joined) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => {
                self.refused = true;
                return;
            }
        };
        let control =
            |byte: &u8| (*byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c)) || *byte == 0x7f;
        self.refused = joined[..valid].iter().any(control);
        if !self.begun {
            let text = String::from_utf8_lossy(&joined[..valid]);
            let start = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
            self.begun = !start.is_empty();
            // Markup of any kind: what some reader might take for a page.
            self.refused |= start.starts_with('<');
        }
        self.open = joined[valid..].to_vec();
    }

    pub(crate) fn is_text(&self) -> bool {
        !self.refused && self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_text(pieces: &[&[u8]]) -> bool {
        let mut text = Text::default();
        for piece in pieces {
            text.feed(piece);
        }
        text.is_text()
    }

    #[test]
    fn types_are_known_by_their_marks() {
        let zip = |names: &[&str]| {
            let mut bytes = Vec::new();
            for name in names {
                bytes.extend_from_slice(b"PK\x03\x04");
                bytes.extend_from_slice(&[0; 22]);
                bytes.extend_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
                bytes.extend_from_slice(&[0, 0]);
                bytes.extend_from_slice(name.as_bytes());
            }
            bytes
        };
        let odt = [&zip(&["mimetype"])[..], b"application/vnd.oasis.opendocument.text"].concat();
        for (head, kind) in [
            (b"\x89PNG\r\n\x1a\n".to_vec(), Some("image/png")),
            (b"\xff\xd8\xff\xe0".to_vec(), Some("image/jpeg")),
            (b"GIF89a".to_vec(), Some("image/gif")),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ".to_vec(), Some("image/webp")),
            (b"RIFF\x01\x02\x03\x04WAVEfmt ".to_vec(), Some("audio/wav")),
            (b"RIFF\x01\x02\x03\x04AVI LIST".to_vec(), None),
            (b"\0\0\0\x20ftypisom".to_vec(), Some("video/mp4")),
            (b"\0\0\0\x20ftypqt  ".to_vec(), Some("video/quicktime")),
            (b"\0\0\0\x20ftypavif".to_vec(), None),
            (b"\0\0\0\x20ftyp".to_vec(), None),
            (b"\x1a\x45\xdf\xa3\x01\x42\x82\x84webm".to_vec(), Some("video/webm")),
            (b"\x1a\x45\xdf\xa3\x01\x42\x82\x88matroska".to_vec(), None),
            (b"OggS\0\x02OpusHead".to_vec(), Some("audio/ogg")),
            (b"\xff\xfb\x90\x00".to_vec(), Some("audio/mpeg")),
            (b"\xff\xff\xff\xff".to_vec(), None),
            (b"%PDF-1.7".to_vec(), Some("application/pdf")),
            (b" %PDF-1.7".to_vec(), None),
            (zip(&["a.txt", "b/c"]), Some("application/zip")),
            (
                zip(&["[Content_Types].xml", "_rels/.rels", "word/document.xml"]),
                Some("application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
            ),
            (zip(&["word/document.xml"]), Some("application/zip")),
            (odt, Some("application/vnd.oasis.opendocument.text")),
            (b"<html>".to_vec(), None),
            (b"MZ\x90\x00".to_vec(), None),
            (Vec::new(), None),
        ] {
            assert_eq!(sniff(&head), kind, "{:?}", String::from_utf8_lossy(&head));
        }
    }

    #[test]
    fn text_is_text_from_beginning_to_end() {
        assert!(is_text(&[b"hello\r\n\tworld", "gr\u{fc}\u{df}e".as_bytes()]));
        assert!(is_text(&["\u{4e16}".as_bytes().split_at(1).0, "\u{4e16}".as_bytes().split_at(1).1]));
        assert!(!is_text(&[b"hello\0"]), "a NUL");
        assert!(!is_text(&[b"fine", b"\xff\xfe"]), "not UTF-8, later");
        assert!(!is_text(&["\u{4e16}".as_bytes().split_at(2).0]), "cut within a character");
        for markup in ["<!doctype html>", "  \n<svg xmlns='x'>", "\u{feff}<?xml version='1.0'?>", "<script>"]
        {
            assert!(!is_text(&[markup.as_bytes()]), "{markup}");
        }
        assert!(!is_text(&[b" \n ", b" <html>"]), "markup behind much white space");
        assert!(is_text(&[b"a < b"]));
    }
}
