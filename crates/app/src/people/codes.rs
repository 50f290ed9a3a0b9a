//! One-time codes by e-mail: the address is proved first, and what it opens is told to nobody but who reads
//! its mail.
//!
//! 1. Asking stores a flow and a letter, for any address alike. Where no letter is to go (nobody to reset
//!    for, or too many were sent), a void one is stored, and a code that matches nothing.
//! 2. A code is tried five times at most, within ten minutes, in the browser that asked; the store counts.
//! 3. The right one proves the flow, once. A flow that signs in is used up with it; others open an account
//!    or set a password, once, within thirty minutes, in the same browser.
//!
//! A letter goes to the address in lower case, which is what is compared: what was proved is never merely
//! like what is kept.

use hallpass_core::clock::draw;
use hallpass_core::id::{FlowId, PersonId};
use hallpass_core::mail::Letter;
use hallpass_core::session::Amr;
use hallpass_store::{FlowPurpose, NewFlow, Tx};
use jiff::{SignedDuration, Timestamp};

use super::throttle::{CODES_OF_A_NETWORK, Counting, is_known};
use super::{Admitted, Asker, CodeOutcome, CodePurpose, Newcomer, check_email, code_spent, code_wrong};
use crate::App;
use crate::error::AppError;

/// How long a code may be given.
const CODE_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// How long what it opened stays open.
const PROOF_LIFE: SignedDuration = SignedDuration::from_mins(30);
/// How often a code may be tried.
const MOST_ATTEMPTS: i64 = 5;
const DIGITS: usize = 8;

/// A flow about to begin.
pub(super) struct Begun {
    pub(super) flow: NewFlow,
    /// What is stored of a code that is not sent.
    no_code: [u8; 32],
    letter: Letter,
}

/// What became of a code that was tried.
pub(super) enum Tried {
    /// Over, or never was.
    Spent,
    Wrong,
    Right {
        purpose: FlowPurpose,
        email: String,
        person: Option<PersonId>,
    },
}

/// What a right code did.
enum Given {
    SignedIn(Admitted),
    NewHere(String),
    MayReset(String),
}

impl App {
    /// Sends a code to an address, and says how to give it. The answer is the same, and as fast, whether
    /// anybody has the address. Only how much the asker's own network asks for is told.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for what is no address, [`AppError::RateLimited`].
    pub async fn begin_code(
        &self,
        asker: &Asker,
        email: &str,
        purpose: CodePurpose,
    ) -> Result<FlowId, AppError> {
        let purpose = match purpose {
            CodePurpose::SignIn => FlowPurpose::SignIn,
            CodePurpose::Reset => FlowPurpose::Reset,
        };
        let begun = self.begin_flow(asker, email, purpose, None)?;
        let id = begun.flow.id;
        let data = (self.clone(), *asker, begun, self.clock.now());
        self.store
            .write(data, |(app, asker, begun, at), tx| {
                Box::pin(async move {
                    let throttles = &app.people.throttles;
                    throttles.network(CODES_OF_A_NETWORK, asker).must(tx, *at).await?;
                    let email = &begun.flow.email;
                    let person = tx.find_person_by_address(email).await?;
                    let known = is_known(tx, asker, person, *at).await?;
                    // Counted for everybody alike, and not told: it would be about the address.
                    let is_allowed = throttles.code(tx, asker, email, known, *at).await?;
                    let silent =
                        !is_allowed || (begun.flow.purpose == FlowPurpose::Reset && person.is_none());
                    app.send_code(tx, begun, asker, silent, *at).await
                })
            })
            .await?;
        Ok(id)
    }

    /// Gives the code that was sent.
    ///
    /// # Errors
    /// `code_wrong`, `code_spent`; `sign_in_failed` if the person was deactivated.
    pub async fn give_code(&self, asker: &Asker, flow: FlowId, code: &str) -> Result<CodeOutcome, AppError> {
        let (secret, newcomer) = Newcomer::of(asker, &*self.entropy);
        let data = (self.clone(), newcomer, flow, typed(code), self.clock.now());
        let given = self
            .store
            .write(data, |(app, newcomer, flow, code, at), tx| {
                Box::pin(async move {
                    let (email, purpose) = match app.try_code(tx, &newcomer.asker, *flow, code, *at).await? {
                        Tried::Right { purpose, email, .. } => (email, purpose),
                        // No error: the attempt must stay counted.
                        Tried::Spent => return Ok(Err(code_spent as fn() -> AppError)),
                        Tried::Wrong => return Ok(Err(code_wrong as fn() -> AppError)),
                    };
                    match purpose {
                        FlowPurpose::Reset => Ok(Ok(Given::MayReset(email))),
                        FlowPurpose::SignIn => match tx.find_person_by_address(&email).await? {
                            None => Ok(Ok(Given::NewHere(email))),
                            Some(person) => {
                                tx.use_flow(*flow, newcomer.asker.browser.0.0, purpose, *at).await?;
                                Ok(Ok(Given::SignedIn(newcomer.admit(tx, person, *at).await?)))
                            }
                        },
                        // Proves an address of somebody signed in, and only that.
                        FlowPurpose::Address => Ok::<_, AppError>(Err(code_spent as fn() -> AppError)),
                    }
                })
            })
            .await?
            .map_err(|why| why())?;
        Ok(match given {
            Given::SignedIn(admitted) => CodeOutcome::SignedIn(admitted.signed_in(vec![Amr::Otp], secret)),
            Given::NewHere(email) => CodeOutcome::NewHere { email },
            Given::MayReset(email) => CodeOutcome::MayReset { email },
        })
    }

    pub(super) fn begin_flow(
        &self,
        asker: &Asker,
        email: &str,
        purpose: FlowPurpose,
        person: Option<PersonId>,
    ) -> Result<Begun, AppError> {
        check_email(email)?;
        let email = email.to_lowercase();
        check_email(&email)?;
        let entropy = &*self.entropy;
        let at = self.clock.now();
        let id = FlowId::generate(at, entropy);
        // Of 2⁶⁴ values: no code is likelier than another by more than a billionth.
        let number = u64::from_be_bytes(draw(entropy)) % 10_u64.pow(8);
        let code = format!("{number:0DIGITS$}");
        let flow = NewFlow {
            id,
            browser: asker.browser.0.0,
            purpose,
            email,
            person,
            code_mac: self.code_mac(id, &code),
            expires_at: at + CODE_LIFE,
        };
        let letter = match purpose {
            FlowPurpose::SignIn => Letter::SignInCode { code },
            FlowPurpose::Reset => Letter::ResetCode { code },
            FlowPurpose::Address => Letter::AddressCode { code },
        };
        Ok(Begun { flow, no_code: draw(entropy), letter })
    }

    /// Stores a flow and its letter; a void one with a code that is none, if `silent`.
    pub(super) async fn send_code(
        &self,
        tx: &mut Tx,
        begun: &Begun,
        asker: &Asker,
        silent: bool,
        at: Timestamp,
    ) -> Result<(), AppError> {
        let mut flow = begun.flow.clone();
        if silent {
            flow.code_mac = begun.no_code;
        }
        tx.insert_flow(&flow).await?;
        if silent {
            self.post_void(tx, &flow.email, asker.locale, &begun.letter, at).await
        } else {
            self.post(tx, &flow.email, asker.locale, &begun.letter, at).await
        }
    }

    /// Counts an attempt, and proves the flow if the code is right.
    pub(super) async fn try_code(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        flow: FlowId,
        code: &str,
        at: Timestamp,
    ) -> Result<Tried, AppError> {
        let Some(tried) = tx.try_flow(flow, asker.browser.0.0, MOST_ATTEMPTS, at).await? else {
            return Ok(Tried::Spent);
        };
        let id = flow.to_string();
        let is_right = <&[u8; 32]>::try_from(tried.code_mac.as_slice())
            .is_ok_and(|mac| self.people.codes.verify(&[id.as_bytes(), code.as_bytes()], mac));
        if !is_right {
            return Ok(Tried::Wrong);
        }
        if !tx.prove_flow(flow, at, at + PROOF_LIFE).await? {
            return Ok(Tried::Spent);
        }
        Ok(Tried::Right { purpose: tried.purpose, email: tried.email, person: tried.person })
    }

    /// The address that a flow has proved and that waits to be used.
    pub(super) async fn proved(
        &self,
        asker: &Asker,
        flow: FlowId,
        purpose: FlowPurpose,
    ) -> Result<String, AppError> {
        let found =
            self.store.read().await?.find_proved_flow(flow, asker.browser.0.0, self.clock.now()).await?;
        found.filter(|flow| flow.purpose == purpose).map(|flow| flow.email).ok_or_else(code_spent)
    }

    fn code_mac(&self, flow: FlowId, code: &str) -> [u8; 32] {
        self.people.codes.mac(&[flow.to_string().as_bytes(), code.as_bytes()])
    }

    /// Counts something by its network, and stores nothing else.
    pub(super) async fn count(&self, counting: Counting) -> Result<(), AppError> {
        let data = (counting, self.clock.now());
        self.store.write(data, |(counting, at), tx| Box::pin(counting.must(tx, *at))).await
    }
}

/// A code as people type it: with spaces, hyphens, or digits of other scripts' keyboards.
pub(super) fn typed(code: &str) -> String {
    let digit = |c: char| match c {
        '0'..='9' => Some(c),
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10),
        _ => None,
    };
    code.chars().take(64).filter_map(digit).take(DIGITS + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_as_people_type_them() {
        for (text, code) in [
            ("12345678", "12345678"),
            (" 1234 5678\n", "12345678"),
            ("1234-5678", "12345678"),
            ("\u{ff11}234 5678", "12345678"),
            ("123456789", "123456789"),
            ("", ""),
            ("\0abc", ""),
        ] {
            assert_eq!(typed(text), code, "{text:?}");
        }
    }
}
