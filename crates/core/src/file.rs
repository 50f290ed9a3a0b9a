//! Files: what an upload is, what it is used for, and the rules of names and types. Pure.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::id::{ApiKeyId, AppId, CompanyId, ExperienceId, FileId, MessageId, UserId};

/// The squares that a picture is kept as, in pixels.
pub const SQUARES: [u32; 4] = [64, 128, 256, 512];
/// The square that a picture's plain address shows.
pub const USUAL_SQUARE: u32 = 256;
/// The longer side of a banner, in pixels.
pub const BANNER: u32 = 1600;
/// The longest file name, in bytes: what file systems take.
pub const MAX_FILENAME_BYTES: usize = 255;

/// SHA-256 of a file's content: where it lies in the store of blobs. As text, 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a content hash")]
pub struct InvalidContentHash;

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl FromStr for ContentHash {
    type Err = InvalidContentHash;
    fn from_str(text: &str) -> Result<Self, InvalidContentHash> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(InvalidContentHash),
        };
        let bytes: &[u8; 64] = text.as_bytes().try_into().map_err(|_| InvalidContentHash)?;
        let mut hash = [0; 32];
        for (place, pair) in hash.iter_mut().zip(bytes.chunks_exact(2)) {
            *place = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(hash))
    }
}

/// Who may fetch a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Whoever has its address, which does not change.
    Public,
    /// Whoever has a link that was signed for them, for five minutes.
    Private,
}

/// How far an upload has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadStatus {
    /// Nothing has arrived, or not all of it.
    Pending,
    /// It lies in quarantine and is looked at.
    Processing,
    /// It can be used and fetched. Never changes again.
    Ready,
    /// It is not what it could be; make another.
    Failed,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        impl $name {
            /// As stored and on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text { $($word => Ok(Self::$variant),)* _ => Err(UnknownWord) }
            }
        }
    };
}

/// Not one of the words that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown word")]
pub struct UnknownWord;

words! { Visibility { Public = "public", Private = "private" } }
words! { UploadStatus { Pending = "pending", Processing = "processing", Ready = "ready", Failed = "failed" } }

/// An uploaded file.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields are the contract's")]
pub struct File {
    pub id: FileId,
    /// The company of the credential that made it.
    pub company: CompanyId,
    /// The user that made it; none if the company's key did.
    pub user: Option<UserId>,
    /// The key that made it, or that minted the token that did.
    pub key: Option<ApiKeyId>,
    pub filename: String,
    pub visibility: Visibility,
    pub status: UploadStatus,
    /// What it was found to be.
    pub content_type: Option<String>,
    pub size_bytes: Option<u64>,
    pub created_at: Timestamp,
    /// What used it is gone: it is served to nobody any more.
    pub released: bool,
}

impl File {
    /// A picture that was decoded here.
    pub fn is_picture(&self) -> bool {
        self.content_type.as_deref().is_some_and(|kind| kind.starts_with("image/"))
    }
}

/// One form in which a file's content is kept: as uploaded, or as a picture of some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBlob {
    /// 0 for the file itself, else [`SQUARES`] or [`BANNER`].
    pub px: u32,
    /// Where it lies.
    pub hash: ContentHash,
    /// What it is served as.
    pub content_type: String,
    /// How long it is.
    pub size_bytes: u64,
}

/// What a file is used for. With its last use gone, a file is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileUse {
    /// A user's picture, shown everywhere.
    User(UserId),
    /// A user's picture in one company.
    Override(CompanyId, UserId),
    /// A company's logo.
    Logo(CompanyId),
    /// A company's banner.
    Banner(CompanyId),
    /// An experience's picture.
    Experience(ExperienceId),
    /// An app's icon.
    App(AppId),
    /// An attachment of a message.
    Message(MessageId),
}

impl FileUse {
    /// Its kind as stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Override(..) => "override",
            Self::Logo(_) => "logo",
            Self::Banner(_) => "banner",
            Self::Experience(_) => "experience",
            Self::App(_) => "app",
            Self::Message(_) => "message",
        }
    }

    /// Whose it is, as stored.
    pub fn subject(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
            Self::Override(company, user) => format!("{company}/{user}"),
            Self::Logo(id) | Self::Banner(id) => id.to_string(),
            Self::Experience(id) => id.to_string(),
            Self::App(id) => id.to_string(),
            Self::Message(id) => id.to_string(),
        }
    }

    /// Reads what [`kind`](Self::kind) and [`subject`](Self::subject) wrote.
    pub fn parse(kind: &str, subject: &str) -> Option<Self> {
        Some(match kind {
            "user" => Self::User(subject.parse().ok()?),
            "override" => {
                let (company, user) = subject.split_once('/')?;
                Self::Override(company.parse().ok()?, user.parse().ok()?)
            }
            "logo" => Self::Logo(subject.parse().ok()?),
            "banner" => Self::Banner(subject.parse().ok()?),
            "experience" => Self::Experience(subject.parse().ok()?),
            "app" => Self::App(subject.parse().ok()?),
            "message" => Self::Message(subject.parse().ok()?),
            _ => return None,
        })
    }

    /// Whether the file is shown as a picture, at an address that anyone may fetch.
    pub const fn is_picture(&self) -> bool {
        !matches!(self, Self::Message(_))
    }
}

/// The file name of a path or name as sent: its last part, without what could mislead a person, a
/// header or a file system. Never empty.
pub fn safe_filename(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().map(|c| if is_misleading(c) { '_' } else { c }).collect();
    // No hidden names, no `.` and `..`; a dot or blank at the end is lost on some systems.
    let mut name = name.trim_matches(|c: char| c == '.' || c.is_whitespace()).to_owned();
    if name.len() > MAX_FILENAME_BYTES {
        name = shorten(&name);
    }
    if name.is_empty() { "file".to_owned() } else { name }
}

/// Cut to length, with its extension.
fn shorten(name: &str) -> String {
    const LONGEST_EXTENSION: usize = 16;
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if name.len() - dot <= LONGEST_EXTENSION => name.split_at(dot),
        _ => (name, ""),
    };
    let mut end = stem.len().min(MAX_FILENAME_BYTES - extension.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &stem[..end])
}

/// Controls, characters that reverse or hide others, and those that shells and systems refuse.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '"' | '<' | '>' | '|' | ':' | '*' | '?' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Whether a type is shown in place rather than saved: what browsers show without running anything.
pub fn is_inline(content_type: &str) -> bool {
    const SHOWN: [&str; 5] = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"];
    SHOWN.contains(&content_type) || content_type.starts_with("video/") || content_type.starts_with("audio/")
}

/// `Content-Disposition` for a type and a name (RFC 6266): the name in ASCII, and as it is.
pub fn disposition(content_type: &str, filename: &str) -> String {
    use std::fmt::Write as _;
    let how = if is_inline(content_type) { "inline" } else { "attachment" };
    let plain: String = filename
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let mut text = format!("{how}; filename=\"{plain}\"");
    if plain != filename {
        text.push_str("; filename*=UTF-8''");
        for byte in filename.bytes() {
            // RFC 5987 attr-char.
            if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let _infallible = write!(text, "%{byte:02X}");
            }
        }
    }
    text
}

/// A file name as a segment of a URL (RFC 3986 unreserved characters; the rest in percents).
pub fn url_segment(filename: &str) -> String {
    use std::fmt::Write as _;
    filename.bytes().fold(String::with_capacity(filename.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _infallible = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_survive_their_text() {
        let hash = ContentHash([0xa5; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for bad in ["", "a5", &"A5".repeat(32), &"g0".repeat(32), &"a5".repeat(33)] {
            assert_eq!(bad.parse::<ContentHash>(), Err(InvalidContentHash), "{bad}");
        }
    }

    #[test]
    fn uses_survive_storage() {
        let uses = [
            FileUse::User(UserId::from_bits(1)),
            FileUse::Override(CompanyId::from_bits(2), UserId::from_bits(3)),
            FileUse::Logo(CompanyId::from_bits(4)),
            FileUse::Banner(CompanyId::from_bits(5)),
            FileUse::Experience(ExperienceId::from_bits(6)),
            FileUse::App(AppId::from_bits(7)),
            FileUse::Message(MessageId::from_bits(8)),
        ];
        for each in uses {
            assert_eq!(FileUse::parse(each.kind(), &each.subject()), Some(each));
        }
    }

    #[test]
    fn names_lose_what_misleads() {
        for (sent, kept) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\calc.exe", "calc.exe"),
            ("..", "file"),
            ("", "file"),
            (".htaccess", "htaccess"),
            ("a\r\nSet-Cookie: x=1", "a__Set-Cookie_ x=1"),
            ("evil\u{202e}gnp.exe", "evil_gnp.exe"),
            ("Grüße 世界.pdf", "Grüße 世界.pdf"),
            ("a\"b<c>.txt", "a_b_c_.txt"),
            ("tab\there", "tab_here"),
        ] {
            assert_eq!(safe_filename(sent), kept, "{sent:?}");
        }
        let long = format!("{}.png", "ü".repeat(400));
        let kept = safe_filename(&long);
        assert!(
            kept.len() <= MAX_FILENAME_BYTES
                && kept.rsplit_once('.').is_some_and(|(_, end)| end == "png")
                && kept.starts_with('ü')
        );
    }

    #[test]
    fn a_disposition_is_one_line_of_ascii() {
        assert_eq!(disposition("image/png", "a.png"), "inline; filename=\"a.png\"");
        assert_eq!(disposition("text/plain", "a.txt"), "attachment; filename=\"a.txt\"");
        assert_eq!(
            disposition("application/pdf", "Grüße\r\n\".pdf"),
            "inline; filename=\"Gr__e___.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%0D%0A%22.pdf"
        );
        for kind in ["text/html", "image/svg+xml", "text/xml", "application/octet-stream", "application/zip"]
        {
            assert!(!is_inline(kind), "{kind}");
        }
    }
}
