//! How often somebody may try, counted in the store by what they try and from where.
//!
//! Nobody's tries hold back anybody elsewhere: passwords count by the network they come from, with and
//! without the address they are tried on, and each network has letters of its own to every address. A device
//! on which the person has signed in before counts for itself, even among strangers in the same network.
//! Nothing but letters beyond those of one's own network counts against an address as a whole. What is
//! counted of an address is counted whether anybody has it.

use std::net::IpAddr;

use hallpass_core::id::PersonId;
use hallpass_store::{Rate, Tx};
use hallpass_token::{MacKey, MasterKey};
use jiff::{SignedDuration, Timestamp};

use super::{Asker, KnownDevice};
use crate::error::AppError;

const fn rate(burst: u32, interval_secs: i64) -> Rate {
    Rate { interval: SignedDuration::from_secs(interval_secs), burst }
}

/// Something that is counted: its name, and how often it may be tried.
#[derive(Clone, Copy)]
pub(super) struct Counted(&'static str, Rate);

/// Passwords that strangers in one network try on one address.
const PASSWORDS_OF_STRANGERS: Counted = Counted("password/address+network", rate(10, 360));
/// Passwords that a known device tries on one address.
const PASSWORDS_OF_A_DEVICE: Counted = Counted("password/device", rate(10, 60));
/// Passwords from one network, whatever the address.
const PASSWORDS_OF_A_NETWORK: Counted = Counted("password/network", rate(100, 6));
/// Old passwords that somebody signed in gives to change it.
pub(super) const PASSWORD_CHANGES: Counted = Counted("password/change", rate(10, 60));
/// Codes that one network has sent to one address.
const CODES_OF_A_NETWORK_TO_ONE: Counted = Counted("code/address+network", rate(5, 300));
/// Of these, those that are one network's own: sent whatever others have sent there.
const CODES_RESERVED: Counted = Counted("code/address+site", rate(5, 2 * 3600));
/// Codes beyond those, from all networks to one address: 100 a day, so that no mailbox is flooded.
const CODES_OF_STRANGERS: Counted = Counted("code/address", rate(100, 864));
/// Codes that a known device has sent to one address.
const CODES_OF_A_DEVICE: Counted = Counted("code/device", rate(5, 120));
/// Codes that somebody signed in has sent to addresses they mean to add.
pub(super) const CODES_OF_A_PERSON: Counted = Counted("code/person", rate(5, 300));
/// Codes from one network, whatever the address.
pub(super) const CODES_OF_A_NETWORK: Counted = Counted("code/network", rate(60, 10));
/// Challenges for passkeys from one network.
pub(super) const CHALLENGES_OF_A_NETWORK: Counted = Counted("passkey/network", rate(240, 1));

/// Names what is counted, so that the store holds no addresses.
pub(super) struct Throttles(MacKey);

/// What a try was counted as, to be taken back.
#[derive(Clone, Copy)]
pub(super) struct Counting {
    id: [u8; 32],
    rate: Rate,
}

impl Throttles {
    pub(super) fn new(master: &MasterKey) -> Self {
        Self(master.derive_mac("sign-in-throttles"))
    }

    pub(super) fn of(&self, Counted(name, rate): Counted, parts: &[&[u8]]) -> Counting {
        let parts: Vec<&[u8]> = std::iter::once(name.as_bytes()).chain(parts.iter().copied()).collect();
        Counting { id: self.0.mac(&parts), rate }
    }

    /// What a password for an address counts as.
    pub(super) fn password(&self, asker: &Asker, email_key: &str, known: bool) -> Vec<Counting> {
        let email = email_key.as_bytes();
        match asker.device {
            Some(KnownDevice(device)) if known => {
                vec![self.of(PASSWORDS_OF_A_DEVICE, &[&device.0, email])]
            }
            _ => vec![
                self.of(PASSWORDS_OF_A_NETWORK, &[&network(asker.address)]),
                self.of(PASSWORDS_OF_STRANGERS, &[email, &network(asker.address)]),
            ],
        }
    }

    /// Counts a code for an address: whether a letter may go there. What is refused counts no further.
    pub(super) async fn code(
        &self,
        tx: &mut Tx,
        asker: &Asker,
        email_key: &str,
        known: bool,
        at: Timestamp,
    ) -> Result<bool, AppError> {
        let email = email_key.as_bytes();
        if let Some(KnownDevice(device)) = asker.device.filter(|_| known) {
            return self.of(CODES_OF_A_DEVICE, &[&device.0, email]).allows(tx, at).await;
        }
        let network = self.of(CODES_OF_A_NETWORK_TO_ONE, &[email, &network(asker.address)]);
        Ok(network.allows(tx, at).await?
            && (self.of(CODES_RESERVED, &[email, &site(asker.address)]).allows(tx, at).await?
                || self.of(CODES_OF_STRANGERS, &[email]).allows(tx, at).await?))
    }

    /// What anything counts as by its network alone.
    pub(super) fn network(&self, counted: Counted, asker: &Asker) -> Counting {
        self.of(counted, &[&network(asker.address)])
    }
}

impl Counting {
    /// Counts a try; how long to wait, if it is one too many.
    async fn take(self, tx: &mut Tx, at: Timestamp) -> Result<Option<SignedDuration>, AppError> {
        Ok(tx.take_throttle(self.id, self.rate, at).await?)
    }

    /// Counts a try; whether it is not one too many.
    async fn allows(self, tx: &mut Tx, at: Timestamp) -> Result<bool, AppError> {
        Ok(self.take(tx, at).await?.is_none())
    }

    /// Counts a try.
    ///
    /// # Errors
    /// [`AppError::RateLimited`] if it is one too many.
    pub(super) async fn must(self, tx: &mut Tx, at: Timestamp) -> Result<(), AppError> {
        match self.take(tx, at).await? {
            None => Ok(()),
            Some(wait) => {
                let secs = u64::try_from(wait.as_millis().div_euclid(1000) + 1).unwrap_or(1);
                Err(AppError::RateLimited { retry_after_secs: secs })
            }
        }
    }

    /// Takes back what turned out well.
    pub(super) async fn give_back(self, tx: &mut Tx) -> Result<(), AppError> {
        Ok(tx.give_back_throttle(self.id, self.rate).await?)
    }
}

/// Whether the device that asks is one of the person's. Asks the store either way.
pub(super) async fn is_known(
    tx: &mut Tx,
    asker: &Asker,
    person: Option<PersonId>,
    at: Timestamp,
) -> Result<bool, AppError> {
    let device = asker.device.map_or([0; 32], |KnownDevice(device)| device.0);
    let known = tx.is_device_known(device, person.unwrap_or(PersonId::from_bits(0)), at).await?;
    Ok(known && asker.device.is_some() && person.is_some())
}

/// Whose an address is taken to be: an IPv4 address, or the 64 bits of IPv6 that one customer is given.
fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

/// Whose many networks may be: an IPv4 address, or the 48 bits of IPv6 that one site is given. Whoever holds
/// a whole site has no more letters of their own than others.
fn site(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..6].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_ipv4_address_or_a_customers_ipv6() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        let of = |text: &str| site(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    }
}
