//! The demo data of `hallpass dev`: two companies, their people, a channel with a few messages.
//!
//! 1. Everything is written in one transaction, together with the facts that the ready line repeats.
//!    A start that was interrupted has left nothing; a second node that starts at the same time finds
//!    the first one's.
//! 2. Ids and secrets come from the [`Entropy`] and the time handed in. `dev --seed` hands in seeded
//!    randomness and a fixed time, so the same seed makes the same ids; sealing never draws from it.
//! 3. The facts hold the demo key's secret, so they rest sealed.

use std::sync::Arc;

use hallpass_core::ScopeSet;
use hallpass_core::authority::Change;
use hallpass_core::entity::{ApiKey, ChannelRules};
use hallpass_core::id::*;
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_core::{Clock, Entropy};
use hallpass_store::{
    HeadBump, NewApiKey, NewApp, NewCompany, NewExperience, NewMessage, NewUser, Store, StoreError, Tx,
};
use hallpass_token::{KeyRealm, KeySecret, MasterKey, PurposeKey};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::apps::{CreateApp, blank, key_rights};
use crate::error::AppError;
use crate::people;
use crate::{App, Facts, hex, remember};

/// Where the facts are kept.
const DEMO: &str = "dev_demo";
/// What they are sealed for.
const PURPOSE: &str = "dev-demo";

/// What the ready line says, but for the event and the URL. The order is the line's.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the ready line's")]
pub struct DemoFacts {
    pub company_id: CompanyId,
    /// The secret of a key with the owner role.
    pub api_key: String,
    pub app_id: AppId,
    pub users: Vec<DemoUser>,
    pub experience_id: ExperienceId,
    pub channel_id: ChatFeedId,
    /// None in a database made before there was any.
    pub oauth: Option<DemoClient>,
    pub other: OtherCompany,
}

/// An app that people sign in with. It may come with or without its secret.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the ready line's")]
pub struct DemoClient {
    pub client_id: AppId,
    pub client_secret: String,
    pub redirect_uri: String,
}

/// One who can sign in.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the ready line's")]
pub struct DemoUser {
    pub id: UserId,
    pub username: String,
    pub email: String,
    pub password: String,
    pub role: String,
}

/// A company to try the walls with.
#[derive(Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the ready line's")]
pub struct OtherCompany {
    pub company_id: CompanyId,
    pub api_key: String,
    pub user_id: UserId,
    pub channel_id: ChatFeedId,
}

/// Shows ids only.
impl std::fmt::Debug for DemoFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DemoFacts").field("company_id", &self.company_id).finish_non_exhaustive()
    }
}

/// What demo data is made with.
pub struct DemoParts<'a> {
    /// The migrated database.
    pub store: &'a Store,
    /// The time, unless `at` is given.
    pub clock: &'a dyn Clock,
    /// The system's randomness, for sealing and salts.
    pub entropy: Arc<dyn Entropy>,
    /// What ids and secrets are drawn from.
    pub ids: &'a dyn Entropy,
    /// When everything is said to have been made; none for now.
    pub at: Option<Timestamp>,
    /// Seals the facts.
    pub master: &'a MasterKey,
}

/// The demo data: what an earlier start made, or made now. To be called before [`App::open`].
///
/// # Errors
/// [`AppError::Conflict`] for a database made by `serve`, or with another master key.
pub async fn open_demo(parts: DemoParts<'_>) -> Result<DemoFacts, AppError> {
    let sealing = parts.master.derive(PURPOSE);
    let kept = parts.store.read().await?.find_fact(DEMO).await?;
    if let Some(kept) = kept {
        return unseal(&sealing, &kept);
    }
    let at = parts.at.unwrap_or_else(|| parts.clock.now());
    let plan = Plan::draw(at, parts.ids);
    // One password for all: hashed once, and easy to remember.
    let phc = people::hash_alone(plan.password.clone().into(), Arc::clone(&parts.entropy)).await?;
    let facts = plan.facts();
    let text = serde_json::to_vec(&facts).expect("ids and texts serialise");
    let sealed = hex(&sealing.seal(&*parts.entropy, DEMO.as_bytes(), &text));
    let server = Facts { check: hex(&parts.master.check_value()), mode: "dev", app: facts.app_id, at };
    let stored = parts
        .store
        .write((plan, server, sealed, phc), |(plan, server, sealed, phc), tx| {
            Box::pin(async move {
                let (check, mode, app) = remember(server, tx).await?;
                crate::must_fit(server, &check, &mode)?;
                let stored = tx.remember_fact(DEMO, sealed).await?;
                if stored == *sealed {
                    if app != server.app.to_string() {
                        return Err(AppError::conflict(
                            "no_demo_data",
                            "this dev database was begun without its demo data; use another one",
                        ));
                    }
                    plan.write(server.app, phc, tx).await?;
                }
                Ok::<_, AppError>(stored)
            })
        })
        .await?;
    unseal(&sealing, &stored)
}

fn corrupt() -> AppError {
    AppError::Internal(StoreError::Corrupt { table: "server_facts", column: "value", id: DEMO.to_owned() })
}

fn unseal(sealing: &PurposeKey, kept: &str) -> Result<DemoFacts, AppError> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let sealed: Option<Vec<u8>> = kept
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect();
    let plain = sealing.open(DEMO.as_bytes(), &sealed.ok_or_else(corrupt)?).map_err(|_| {
        AppError::conflict("wrong_master_key", "the master key is not the one this database was made with")
    })?;
    serde_json::from_slice(&plain).map_err(|_| corrupt())
}

struct Person {
    id: PersonId,
    user: UserId,
    member: MemberId,
    team: AuthorizedUserId,
    username: &'static str,
    name: &'static str,
    role: Option<Role>,
}

struct Space {
    id: CompanyId,
    title: &'static str,
    route: &'static str,
    people: Vec<Person>,
    key: ApiKeyId,
    secret: KeySecret,
    experience: ExperienceId,
    channel: ChatFeedId,
    messages: Vec<(MessageId, &'static str, &'static str)>,
}

/// The app of the demo company.
struct DemoApp {
    id: AppId,
    client_secret: KeySecret,
    key: ApiKeyId,
    secret: KeySecret,
}

struct Plan {
    at: Timestamp,
    password: String,
    app: AppId,
    demo: Space,
    other: Space,
    client: DemoApp,
}

/// Where the demo app is answered: first as the guide has it, then as native apps and examples are.
const REDIRECT_URIS: &[&str] = &[
    "http://localhost:3000/api/auth/callback/whop",
    "http://127.0.0.1/callback",
    "com.yourapp.bundle://oauth/callback",
];

const DEMO_PEOPLE: &[(&str, &str, Option<Role>)] = &[
    ("owner", "Olive Owner", Some(Role::Owner)),
    ("admin", "Adam Admin", Some(Role::Admin)),
    ("moderator", "Mona Moderator", Some(Role::Moderator)),
    ("ann", "Ann", None),
    ("ben", "Ben", None),
    ("cleo", "Cleo", None),
];
const OTHER_PEOPLE: &[(&str, &str, Option<Role>)] =
    &[("otto", "Otto Other", Some(Role::Owner)), ("olga", "Olga", None)];

const DEMO_MESSAGES: &[(&str, &str)] = &[
    ("owner", "Welcome to the demo channel. Everyone of this company reads and writes here."),
    ("ann", "Hello! Is this thing on?"),
    ("ben", "It is. **Markdown** works, too."),
    ("cleo", "Then here is a list:\n\n- one\n- two"),
    ("moderator", "Be kind to each other."),
];
const OTHER_MESSAGES: &[(&str, &str)] = &[("otto", "Nobody of the demo company can read this.")];

impl Space {
    fn draw(
        (title, route): (&'static str, &'static str),
        people: &[(&'static str, &'static str, Option<Role>)],
        messages: &[(&'static str, &'static str)],
        at: Timestamp,
        ids: &dyn Entropy,
    ) -> Self {
        // Ids sort by what happened: a millisecond between any two.
        let mut step = 0;
        let mut tick = || {
            step += 1;
            at + SignedDuration::from_millis(step)
        };
        Self {
            id: CompanyId::generate(at, ids),
            title,
            route,
            people: people
                .iter()
                .map(|(username, name, role)| Person {
                    id: PersonId::generate(at, ids),
                    user: UserId::generate(tick(), ids),
                    member: MemberId::generate(at, ids),
                    team: AuthorizedUserId::generate(at, ids),
                    username,
                    name,
                    role: *role,
                })
                .collect(),
            key: ApiKeyId::generate(at, ids),
            secret: KeySecret::generate(KeyRealm::Dev, ids),
            experience: ExperienceId::generate(at, ids),
            channel: ChatFeedId::generate(at, ids),
            messages: messages
                .iter()
                .map(|(author, text)| (MessageId::generate(tick(), ids), *author, *text))
                .collect(),
        }
    }

    fn user(&self, username: &str) -> UserId {
        let person = self.people.iter().find(|person| person.username == username);
        person.expect("the tables above name their own people").user
    }

    async fn write(&self, app: AppId, phc: &str, at: Timestamp, tx: &mut Tx) -> Result<(), AppError> {
        for person in &self.people {
            tx.insert_person(person.id, &email(person.username), Some(phc), at).await?;
            let user = NewUser {
                id: person.user,
                person: Some(person.id),
                home: None,
                username: person.username.to_owned(),
                name: Some(person.name.to_owned()),
                email: None,
            };
            if !tx.insert_user(&user, at).await? {
                return Err(StoreError::Conflict.into());
            }
        }
        let owner = self.people[0].user;
        let company = NewCompany {
            id: self.id,
            parent: None,
            owner,
            title: self.title.to_owned(),
            route: self.route.to_owned(),
            description: None,
            metadata: None,
            country: None,
            send_customer_emails: false,
            explicit_scopes: false,
            open_enrolment: true,
        };
        tx.insert_company(&company, at).await?;
        for person in &self.people {
            tx.insert_member(person.member, self.id, person.user, at).await?;
            if let Some(role) = person.role {
                tx.update_team_role(person.team, self.id, person.user, role, at).await?;
            }
        }
        let key = ApiKey {
            id: self.key,
            company: self.id,
            app: None,
            rights: KeyRights::Role(Role::Owner),
            name: Some("demo".to_owned()),
            hint: self.secret.hint(),
            created_at: at,
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        };
        tx.insert_api_key(&NewApiKey { key, secret_hash: self.secret.hash().0 }).await?;
        let experience = NewExperience {
            id: self.experience,
            company: self.id,
            app,
            name: "General".to_owned(),
            public: true,
            sort_order: None,
        };
        tx.insert_experience(&experience, at).await?;
        tx.insert_channel(self.channel, self.id, self.experience, &ChannelRules::default(), at).await?;
        self.write_messages(at, tx).await?;
        // Two kinds of cache on other nodes may have been asked about these before.
        App::note(tx, &[(Change::Company(self.id), false)], at).await?;
        Ok(())
    }

    async fn write_messages(&self, at: Timestamp, tx: &mut Tx) -> Result<(), AppError> {
        let count = i64::try_from(self.messages.len()).unwrap_or(0);
        tx.bump_heads(&[HeadBump { channel: self.channel.into(), messages: count }]).await?;
        let rows: Vec<NewMessage> = (1..)
            .zip(&self.messages)
            .map(|(n, (id, author, text))| NewMessage {
                id: *id,
                channel: self.channel.into(),
                position: n,
                seq: n,
                author: self.user(author),
                posted_by_key: None,
                content: (*text).to_owned(),
                mentions: Vec::new(),
                mentions_everyone: false,
                poll: None,
                replying_to: None,
                attachments: Vec::new(),
                at: at + SignedDuration::from_millis(n),
            })
            .collect();
        Ok(tx.insert_messages(&rows).await?)
    }
}

impl Plan {
    fn draw(at: Timestamp, ids: &dyn Entropy) -> Self {
        Self {
            at,
            password: format!("dev-{}", people::readable::<8>(ids)),
            app: AppId::generate(at, ids),
            demo: Space::draw(("Demo", "demo"), DEMO_PEOPLE, DEMO_MESSAGES, at, ids),
            other: Space::draw(("Other", "other"), OTHER_PEOPLE, OTHER_MESSAGES, at, ids),
            // Last, so that a seed makes of the rest what it always made.
            client: DemoApp {
                id: AppId::generate(at + SignedDuration::from_millis(1), ids),
                client_secret: KeySecret::generate(KeyRealm::Client, ids),
                key: ApiKeyId::generate(at, ids),
                secret: KeySecret::generate(KeyRealm::Dev, ids),
            },
        }
    }

    fn facts(&self) -> DemoFacts {
        let (demo, other) = (&self.demo, &self.other);
        DemoFacts {
            company_id: demo.id,
            api_key: demo.secret.expose().to_owned(),
            app_id: self.app,
            users: demo
                .people
                .iter()
                .map(|person| DemoUser {
                    id: person.user,
                    username: person.username.to_owned(),
                    email: email(person.username),
                    password: self.password.clone(),
                    role: person.role.map_or("member", Role::name).to_owned(),
                })
                .collect(),
            experience_id: demo.experience,
            channel_id: demo.channel,
            oauth: Some(DemoClient {
                client_id: self.client.id,
                client_secret: self.client.client_secret.expose().to_owned(),
                redirect_uri: REDIRECT_URIS[0].to_owned(),
            }),
            other: OtherCompany {
                company_id: other.id,
                api_key: other.secret.expose().to_owned(),
                user_id: other.user("olga"),
                channel_id: other.channel,
            },
        }
    }

    async fn write(&self, app: AppId, phc: &str, tx: &mut Tx) -> Result<(), AppError> {
        self.demo.write(app, phc, self.at, tx).await?;
        self.other.write(app, phc, self.at, tx).await?;
        self.write_client(tx).await
    }

    async fn write_client(&self, tx: &mut Tx) -> Result<(), AppError> {
        let (client, company) = (&self.client, self.demo.id);
        let record = tx.find_company(company).await?.ok_or(AppError::NotFound("company"))?;
        let ask = CreateApp {
            name: "Demo app".to_owned(),
            redirect_uris: REDIRECT_URIS.iter().map(|uri| (*uri).to_owned()).collect(),
            ..CreateApp::default()
        };
        let app = blank(client.id, &record, ask, self.at);
        let hash = client.client_secret.hash().0;
        tx.insert_registered_app(&NewApp { app, client_secret_hash: Some(hash) }).await?;
        let key = ApiKey {
            id: client.key,
            company,
            app: Some(client.id),
            rights: key_rights(company, &ScopeSet::everything())?,
            name: Some("demo app".to_owned()),
            hint: client.secret.hint(),
            created_at: self.at,
            last_used_at: None,
            expires_at: None,
            revoked_at: None,
        };
        tx.insert_api_key(&NewApiKey { key, secret_hash: client.secret.hash().0 }).await?;
        Ok(())
    }
}

fn email(username: &str) -> String {
    format!("{username}@example.com")
}
