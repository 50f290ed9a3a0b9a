//! A browser: the cookies it keeps, and what its user does there.

use std::net::IpAddr;

use hallpass_app::AppError;
use hallpass_app::people::{Asker, BrowserId, CodeOutcome, CodePurpose, KnownDevice, NewAccount, SignedIn};
use hallpass_app::sessions::Device;
use hallpass_core::id::{FlowId, PersonId};
use hallpass_core::locale::Locale;
use hallpass_core::session::Session;
use hallpass_testkit::TestServer;
use jiff::SignedDuration;

/// A browser of somebody.
pub(crate) struct Browser<'s> {
    pub(crate) server: &'s TestServer,
    pub(crate) asker: Asker,
}

pub(crate) const PASSWORD: &str = "correct horse battery";

impl<'s> Browser<'s> {
    pub(crate) fn new(server: &'s TestServer) -> Self {
        Self::at(server, "192.0.2.1")
    }

    pub(crate) fn at(server: &'s TestServer, address: &str) -> Self {
        let (cookie, _) = server.app.new_browser();
        let browser = BrowserId::parse(cookie.expose()).unwrap();
        let address: IpAddr = address.parse().unwrap();
        Self { server, asker: Asker { browser, device: None, address, locale: Locale::En } }
    }

    /// Keeps the device cookie.
    pub(crate) fn keep(&mut self, signed_in: &SignedIn) {
        if let Some(device) = &signed_in.device {
            self.asker.device = KnownDevice::parse(device.expose());
        }
    }

    /// Lets a moment pass, so that letters have an order.
    pub(crate) fn wait(&self) {
        self.server.clock.advance(SignedDuration::from_millis(1));
    }

    pub(crate) async fn ask(&self, email: &str, purpose: CodePurpose) -> FlowId {
        self.wait();
        self.server.app.begin_code(&self.asker, email, purpose).await.unwrap()
    }

    pub(crate) async fn give(&self, flow: FlowId, code: &str) -> Result<CodeOutcome, AppError> {
        self.wait();
        self.server.app.give_code(&self.asker, flow, code).await
    }

    /// Proves an address that nobody has.
    pub(crate) async fn prove(&self, email: &str) -> FlowId {
        let flow = self.ask(email, CodePurpose::SignIn).await;
        let given = self.give(flow, &self.server.code_for(email).await).await.unwrap();
        assert!(matches!(given, CodeOutcome::NewHere { .. }), "{given:?}");
        flow
    }

    /// Signs up with a password.
    pub(crate) async fn sign_up(&mut self, name: &str) -> PersonId {
        let flow = self.prove(&format!("{name}@example.com")).await;
        let signed_in = self.server.app.create_account(&self.asker, flow, account(name)).await.unwrap();
        self.keep(&signed_in);
        self.wait();
        signed_in.person
    }

    pub(crate) async fn password(&self, email: &str, password: &str) -> Result<SignedIn, AppError> {
        self.server.app.sign_in_with_password(&self.asker, email, password.to_owned().into()).await
    }

    /// Begins a session for somebody who has just signed in.
    pub(crate) async fn session(&self, person: PersonId) -> (String, Session) {
        let device = Device { user_agent: "Test".to_owned(), address: self.asker.address };
        let proof = self.server.app.vouch(person, Vec::new()).await.unwrap();
        let new = self.server.app.begin_session(person, proof, device, None).await.unwrap();
        (new.secret.expose().to_owned(), new.session)
    }
}

pub(crate) fn account(name: &str) -> NewAccount {
    NewAccount {
        name: Some(name.to_owned()),
        username: name.to_owned(),
        password: Some(PASSWORD.to_owned().into()),
    }
}

/// The code of an error, as the pages tell them apart.
pub(crate) fn code<T: std::fmt::Debug>(outcome: Result<T, AppError>) -> &'static str {
    match outcome.unwrap_err() {
        AppError::Unprocessable { code, .. } | AppError::Forbidden { code, .. } => code,
        AppError::RateLimited { .. } => "rate_limited",
        AppError::NotFound(_) => "not_found",
        AppError::Invalid { param, .. } => param.unwrap_or("invalid"),
        other => panic!("{other:?}"),
    }
}
