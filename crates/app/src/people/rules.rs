//! What a person, an address, a username and a password must be.

use hallpass_core::Entropy;
use hallpass_core::clock::draw;
use hallpass_core::id::{PersonId, UserId};
use hallpass_store::{NewUser, StoreError, Tx};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::error::AppError;

/// The longest username (the contract), in characters.
const MAX_USERNAME_CHARS: usize = 42;
/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 100;
/// The longest address (RFC 5321 §4.5.3.1.3), in bytes.
const MAX_EMAIL_BYTES: usize = 254;
/// The shortest password, in characters.
pub(crate) const MIN_PASSWORD_CHARS: usize = 8;
/// The longest password, in bytes: hashing is not free.
pub(crate) const MAX_PASSWORD_BYTES: usize = 1024;

/// A person about to be stored, checked.
pub(crate) struct NewPerson {
    pub(crate) id: PersonId,
    pub(crate) user: UserId,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) name: Option<String>,
    /// The hash of the password, if they have one.
    pub(crate) phc: Option<String>,
}

impl NewPerson {
    /// Stores the person, their address as verified, their password and their own user.
    pub(crate) async fn insert(&self, tx: &mut Tx, at: Timestamp) -> Result<(), AppError> {
        tx.insert_person(self.id, &self.email, self.phc.as_deref(), at).await.map_err(
            |error| match error {
                StoreError::Conflict => {
                    AppError::unprocessable("email_taken", "email", "a person with this address exists")
                }
                error => error.into(),
            },
        )?;
        let user = NewUser {
            id: self.user,
            person: Some(self.id),
            home: None,
            username: self.username.clone(),
            name: self.name.clone(),
            email: None,
        };
        if tx.insert_user(&user, at).await? {
            Ok(())
        } else {
            Err(AppError::unprocessable("username_taken", "username", "this username is taken"))
        }
    }
}

/// Checks an address as far as it can be without sending mail there.
pub(crate) fn check_email(email: &str) -> Result<(), AppError> {
    let well_formed = email.len() <= MAX_EMAIL_BYTES
        && email
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && !email.chars().any(|c| c.is_whitespace() || c.is_control());
    if well_formed { Ok(()) } else { Err(AppError::invalid("email", "email is not an address")) }
}

/// Letters, digits and hyphens, as the contract wants usernames.
pub(crate) fn check_username(username: &str) -> Result<(), AppError> {
    let well_formed = (1..=MAX_USERNAME_CHARS).contains(&username.len())
        && username.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if well_formed {
        return Ok(());
    }
    Err(AppError::invalid(
        "username",
        format!("a username is 1 to {MAX_USERNAME_CHARS} letters, digits and hyphens"),
    ))
}

/// Checks a password that somebody chose.
pub(crate) fn check_password(password: &SecretString) -> Result<(), AppError> {
    let text = password.expose_secret();
    if text.chars().count() < MIN_PASSWORD_CHARS || text.len() > MAX_PASSWORD_BYTES || text.contains('\0') {
        return Err(AppError::invalid(
            "password",
            format!("a password has {MIN_PASSWORD_CHARS} characters to {MAX_PASSWORD_BYTES} bytes"),
        ));
    }
    Ok(())
}

/// A password for people to copy: 20 characters, 100 bits.
pub(crate) fn generate_password(entropy: &dyn Entropy) -> SecretString {
    SecretString::from(readable::<20>(entropy))
}

/// `N` letters and digits that are not mistaken for each other, five bits each.
pub(crate) fn readable<const N: usize>(entropy: &dyn Entropy) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    draw::<N>(entropy).iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// Checks what somebody is called.
pub(crate) fn check_name(name: Option<&str>) -> Result<(), AppError> {
    match name {
        Some(name) if name.chars().count() > MAX_NAME_CHARS || name.chars().any(char::is_control) => {
            Err(AppError::invalid("name", format!("a name has at most {MAX_NAME_CHARS} characters")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_usernames_and_passwords_are_checked() {
        assert!(check_email("ann@example.com").is_ok());
        for bad in ["", "ann", "@example.com", "ann@", "a@b@c", "a b@c", "ann@example.com\n"] {
            assert!(check_email(bad).is_err(), "{bad:?}");
        }
        assert!(check_username("Ann-2").is_ok());
        for bad in ["", "ann lee", "änn", "a_b", &"a".repeat(43)] {
            assert!(check_username(bad).is_err(), "{bad:?}");
        }
        assert!(check_password(&"long enough".to_owned().into()).is_ok());
        for bad in ["short", "a\0aaaaaaaa", &"a".repeat(1025)] {
            assert!(check_password(&(*bad).to_owned().into()).is_err(), "{bad:?}");
        }
    }
}
