//! Links that speak for themselves: where an upload goes, and where a private file is read.
//!
//! | link | text | signed |
//! |---|---|---|
//! | upload | `file_….MAX_BYTES.SIGNATURE` | file, length, end |
//! | reading | `biz_….user_….SIGNATURE` or `biz_….apik_….SIGNATURE` | file, reader, end |
//!
//! Each text has one spelling, and each kind a key of its own.

use hallpass_core::id::{ApiKeyId, CompanyId, FileId, UserId};
use jiff::Timestamp;

use crate::seal::MasterKey;
use crate::signature::{InvalidSignature, TypedSigner};

/// The longest text of a link.
pub const MAX_LINK_LEN: usize = 160;

/// Makes and opens links.
#[derive(Debug, Clone)]
pub struct FileLinks {
    upload: TypedSigner,
    reading: TypedSigner,
}

/// What an upload link allows: to send this file, no longer than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadLink {
    /// Which file.
    pub file: FileId,
    /// How long it may be.
    pub max_bytes: u64,
}

/// For whom a reading link was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// A user in a company.
    User(CompanyId, UserId),
    /// A company, by a key.
    Key(CompanyId, ApiKeyId),
}

impl Reader {
    fn texts(self) -> (String, String) {
        match self {
            Self::User(company, user) => (company.to_string(), user.to_string()),
            Self::Key(company, key) => (company.to_string(), key.to_string()),
        }
    }
}

/// The three parts of a link.
fn parts(text: &str) -> Option<[&str; 3]> {
    if text.len() > MAX_LINK_LEN {
        return None;
    }
    let mut parts = text.split('.');
    let three = [parts.next()?, parts.next()?, parts.next()?];
    parts.next().is_none().then_some(three)
}

impl FileLinks {
    /// The links of an installation.
    pub fn derive(master: &MasterKey) -> Self {
        Self {
            upload: TypedSigner::derive(master, "upload"),
            reading: TypedSigner::derive(master, "file_link"),
        }
    }

    /// Makes an upload link.
    pub fn upload(&self, link: UploadLink, expires_at: Timestamp) -> String {
        let (file, max) = (link.file.to_string(), link.max_bytes.to_string());
        let signature = self.upload.sign(&[file.as_bytes(), max.as_bytes()], expires_at);
        format!("{file}.{max}.{signature}")
    }

    /// Opens an upload link.
    ///
    /// # Errors
    /// [`InvalidSignature`], which says `Expired` only of a genuine one.
    pub fn open_upload(&self, text: &str, now: Timestamp) -> Result<UploadLink, InvalidSignature> {
        let [file, max, signature] = parts(text).ok_or(InvalidSignature::Mismatch)?;
        // The texts are what is signed: another spelling of the same number does not match.
        self.upload.verify(&[file.as_bytes(), max.as_bytes()], signature, now)?;
        let file = file.parse().map_err(|_| InvalidSignature::Mismatch)?;
        let max_bytes = max.parse().map_err(|_| InvalidSignature::Mismatch)?;
        Ok(UploadLink { file, max_bytes })
    }

    /// Makes a link for reading a file.
    pub fn reading(&self, file: FileId, reader: Reader, expires_at: Timestamp) -> String {
        let (file, (company, who)) = (file.to_string(), reader.texts());
        let signature = self.reading.sign(&[file.as_bytes(), company.as_bytes(), who.as_bytes()], expires_at);
        format!("{company}.{who}.{signature}")
    }

    /// Opens a link for reading a file.
    ///
    /// # Errors
    /// [`InvalidSignature`], which says `Expired` only of a genuine one.
    pub fn open_reading(&self, file: FileId, text: &str, now: Timestamp) -> Result<Reader, InvalidSignature> {
        let [company, who, signature] = parts(text).ok_or(InvalidSignature::Mismatch)?;
        let file = file.to_string();
        self.reading.verify(&[file.as_bytes(), company.as_bytes(), who.as_bytes()], signature, now)?;
        let mismatch = InvalidSignature::Mismatch;
        let company = company.parse().map_err(|_| mismatch)?;
        match (who.parse::<UserId>(), who.parse::<ApiKeyId>()) {
            (Ok(user), _) => Ok(Reader::User(company, user)),
            (_, Ok(key)) => Ok(Reader::Key(company, key)),
            _ => Err(mismatch),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{all_values, alterations};

    fn links() -> FileLinks {
        FileLinks::derive(&MasterKey::from_bytes([1; 32]))
    }
    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }
    const UPLOAD: UploadLink = UploadLink { file: FileId::from_bits(7), max_bytes: 100 };
    const READERS: [Reader; 2] = [
        Reader::User(CompanyId::from_bits(1), UserId::from_bits(2)),
        Reader::Key(CompanyId::from_bits(1), ApiKeyId::from_bits(2)),
    ];

    #[test]
    fn links_open_until_their_end() {
        let upload = links().upload(UPLOAD, at(100));
        assert_eq!(links().open_upload(&upload, at(99)), Ok(UPLOAD));
        assert_eq!(links().open_upload(&upload, at(100)), Err(InvalidSignature::Expired));
        for reader in READERS {
            let link = links().reading(UPLOAD.file, reader, at(100));
            assert!(link.len() <= MAX_LINK_LEN && upload.len() <= MAX_LINK_LEN);
            assert_eq!(links().open_reading(UPLOAD.file, &link, at(99)), Ok(reader));
            assert_eq!(links().open_reading(UPLOAD.file, &link, at(100)), Err(InvalidSignature::Expired));
            let other = links().open_reading(FileId::from_bits(8), &link, at(0));
            assert_eq!(other, Err(InvalidSignature::Mismatch));
        }
    }

    #[test]
    fn threat_09_neither_link_stands_in_for_the_other() {
        let upload = links().upload(UPLOAD, at(100));
        assert_eq!(links().open_reading(UPLOAD.file, &upload, at(0)), Err(InvalidSignature::Mismatch));
        for reader in READERS {
            let link = links().reading(UPLOAD.file, reader, at(100));
            assert_eq!(links().open_upload(&link, at(0)), Err(InvalidSignature::Mismatch));
        }
    }

    #[test]
    fn threats_11_and_12_altered_links_are_refused() {
        for altered in alterations(&links().upload(UPLOAD, at(100)), all_values) {
            assert_eq!(links().open_upload(&altered, at(0)), Err(InvalidSignature::Mismatch), "{altered:?}");
        }
        for reader in READERS {
            for altered in alterations(&links().reading(UPLOAD.file, reader, at(100)), all_values) {
                let opened = links().open_reading(UPLOAD.file, &altered, at(0));
                assert_eq!(opened, Err(InvalidSignature::Mismatch), "{altered:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_is_opened_without_panic(text: String) {
            prop_assert_eq!(links().open_upload(&text, at(0)), Err(InvalidSignature::Mismatch));
            prop_assert_eq!(links().open_reading(UPLOAD.file, &text, at(0)), Err(InvalidSignature::Mismatch));
        }
    }
}
