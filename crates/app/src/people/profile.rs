//! What a person shows of themselves: the profile of their own user.

use hallpass_core::id::PersonId;
use hallpass_store::UserPatch;

use super::{check_name, check_username};
use crate::App;
use crate::error::AppError;
use crate::users::UserProfile;

/// The longest bio, in characters.
const MAX_BIO_CHARS: usize = 1000;

impl App {
    /// A person's own user.
    ///
    /// # Errors
    /// [`AppError::NotFound`] if there is no such person.
    pub async fn own_profile(&self, person: PersonId) -> Result<UserProfile, AppError> {
        let own = self.store.read().await?.find_own_user(person).await?;
        let own = own.ok_or(AppError::NotFound("person"))?;
        self.profile(own.id, None).await
    }

    /// Changes the profile of a person's own user; pictures are changed through the API.
    ///
    /// # Errors
    /// [`AppError::Invalid`], `username_taken`, [`AppError::NotFound`].
    pub async fn update_own_profile(
        &self,
        person: PersonId,
        patch: UserPatch,
    ) -> Result<UserProfile, AppError> {
        if let Some(username) = &patch.username {
            check_username(username)?;
        }
        check_name(patch.name.as_ref().and_then(Option::as_deref))?;
        if patch.bio.iter().flatten().any(|bio| bio.chars().count() > MAX_BIO_CHARS || bio.contains('\0')) {
            let message = format!("a bio has at most {MAX_BIO_CHARS} characters");
            return Err(AppError::invalid("bio", message));
        }
        if patch.picture.flatten().is_some() {
            return Err(AppError::invalid("picture", "a picture is uploaded through the API"));
        }
        let own = self.own_profile(person).await?;
        if patch != UserPatch::default() {
            self.write_global(own.user.id, None, patch).await?;
        }
        self.own_profile(person).await
    }
}
