//! Every operation as a request that its rightful caller may make: what the sweeps are made of.

use hallpass_core::id::{CompanyId, UserId};
use hallpass_core::role::Role;
use hallpass_core::statement::KeyRights;
use hallpass_store::NewUser;
use hallpass_testkit::http::Method;
use hallpass_testkit::{Answer, CHAT_SCOPES, TestServer, pictures};
use serde_json::{Map, Value, json};

use super::given::{claims, enrolment, text};

/// A tenant with one of everything.
pub(crate) struct Tenant {
    pub(crate) company: CompanyId,
    pub(crate) key: String,
    pub(crate) owner: String,
    pub(crate) account: String,
    pub(crate) user: String,
    pub(crate) member: String,
    pub(crate) app: String,
    pub(crate) product: String,
    pub(crate) experience: String,
    pub(crate) channel: String,
    pub(crate) message: String,
    /// Of the user, to the message.
    pub(crate) reaction: String,
    /// A direct message that the key began with the user, the seats of owner and user, and what the user said.
    pub(crate) dm: String,
    pub(crate) dm_seat: String,
    pub(crate) dm_user_seat: String,
    pub(crate) dm_message: String,
    /// The user's support chat, and what they said there.
    pub(crate) support: String,
    pub(crate) support_message: String,
    /// By the key, ready, a picture.
    pub(crate) file: String,
    pub(crate) email: String,
    /// A token of the user, and its `jti`.
    pub(crate) token: String,
    pub(crate) jti: String,
    pub(crate) spare_key_id: String,
    pub(crate) webhook: String,
    /// A line of its delivery log.
    pub(crate) delivery: String,
    /// Who is on the team as support, and as what.
    pub(crate) colleague: String,
    pub(crate) team_member: String,
    /// Made by the tenant, enrolled nowhere.
    pub(crate) recruit: String,
    /// An app that the tenant owns.
    pub(crate) own_app: String,
}

/// Makes a tenant.
pub(crate) async fn tenant(server: &TestServer, name: &str) -> Tenant {
    let company = server.company(name).await;
    let key = company.as_key();
    let email = format!("user@{name}.test");
    let made = key.post("/companies", enrolment(company.id, &email, &format!("{name}-user"))).await.ok();
    let user = text(&made["owner_user"], "id").to_owned();
    let members = key.get(&format!("/members?company_id={}&user_ids[]={user}", company.id)).await.ok();
    let (experience, channel) = company.channel(&format!("{name}-channel"), true).await;
    let product = format!("prod_{}", &experience["exp_".len()..]);
    key.post(&format!("/experiences/{experience}/attach"), json!({ "product_id": product })).await.ok();
    key.put(&format!("/experiences/{experience}/members/{user}")).await.ok();
    let token = company.token_with(&user, &CHAT_SCOPES).await;
    let message = server.actor(&token).say(&channel, &format!("{name} only")).await.ok();
    let heart = json!({ "resource_id": message["id"], "emoji": ":heart:" });
    let reaction = server.actor(&token).post("/reactions", heart).await.ok();
    let with =
        json!({ "company_id": company.id, "with_user_ids": [user], "custom_name": format!("{name} dm") });
    let dm = text(&key.post("/dm_channels", with).await.ok(), "id").to_owned();
    let seats = key.get(&format!("/dm_members?channel_id={dm}")).await.ok();
    let seat_of = |who: &str| {
        let seats = seats["data"].as_array().expect("members");
        text(seats.iter().find(|seat| seat["user_id"] == who).expect("a seat"), "id").to_owned()
    };
    let customer =
        json!({ "company_id": company.id, "user_id": user, "custom_name": format!("{name} help") });
    let support = text(&key.post("/support_channels", customer).await.ok(), "id").to_owned();
    let dm_message = server.actor(&token).say(&dm, &format!("{name} aside")).await.ok();
    let support_message = server.actor(&token).say(&support, &format!("{name} asks")).await.ok();
    let file = key.upload(&format!("{name}.png"), pictures::png(8, 8)).await;
    let body = json!({ "child_company_id": company.id, "role": "moderator" });
    let spare = key.post(&format!("/companies/{}/api_keys", company.id), body).await.ok();
    let hook = key.post("/webhooks", json!({ "url": format!("https://{name}.test/hook") })).await.ok();
    let webhook = text(&hook, "id").to_owned();
    let tested =
        key.post(&format!("/webhooks/{webhook}/test"), json!({ "event": "chat.message.created" })).await.ok();
    let colleague = local_user(server, company.id, &format!("{name}-colleague")).await;
    let recruit = local_user(server, company.id, &format!("{name}-recruit")).await;
    company.role(&colleague, Some(Role::Support)).await;
    let team =
        key.get(&format!("/authorized_users?company_id={}&user_id={colleague}", company.id)).await.ok();
    let own_app = key.post("/apps", json!({ "name": format!("{name} app") })).await.ok();
    Tenant {
        company: company.id,
        file,
        own_app: text(&own_app, "id").to_owned(),
        team_member: text(&team["data"][0], "id").to_owned(),
        colleague,
        recruit,
        owner: company.owner.to_string(),
        account: text(&made, "id").to_owned(),
        member: text(&members["data"][0], "id").to_owned(),
        app: server.app.builtin_app().to_string(),
        message: text(&message, "id").to_owned(),
        reaction: text(&reaction, "id").to_owned(),
        dm_seat: seat_of(&company.owner.to_string()),
        dm_user_seat: seat_of(&user),
        dm_message: text(&dm_message, "id").to_owned(),
        support_message: text(&support_message, "id").to_owned(),
        dm,
        support,
        jti: claims(&token)["jti"].as_str().expect("a jti").to_owned(),
        spare_key_id: text(&spare, "id").to_owned(),
        delivery: text(&tested, "id").to_owned(),
        webhook,
        key: company.key,
        email,
        user,
        product,
        experience,
        channel,
        token,
    }
}

/// A user that a company made and enrolled nowhere; their id.
async fn local_user(server: &TestServer, home: CompanyId, username: &str) -> String {
    let id = UserId::generate(server.app.clock().now(), server.app.entropy());
    let new = NewUser {
        id,
        person: None,
        home: Some(home),
        username: username.to_owned(),
        name: Some(username.to_owned()),
        email: Some(format!("{username}@team.test")),
    };
    let at = server.app.clock().now();
    let store = server.app.store();
    let made = store.write(new, move |new, tx| Box::pin(tx.insert_user(new, at))).await;
    assert!(made.expect("a user"), "{username}");
    id.to_string()
}

impl Tenant {
    /// A token of the tenant's user, put on the team with a role (none: a member), holding all that a
    /// token can.
    pub(crate) async fn token_as(&self, server: &TestServer, role: Option<Role>) -> String {
        let user = self.user.parse().expect("a user id");
        if let Some(role) = role {
            server.app.set_team_role(self.company, user, Some(role)).await.expect("a role");
        }
        let everything: Vec<&str> = hallpass_core::Scope::all().map(hallpass_core::Scope::name).collect();
        let minted = server.actor(&self.key).mint(self.company, &self.user, &everything).await.ok();
        text(&minted, "token").to_owned()
    }

    /// A token of the tenant's user with some scopes.
    pub(crate) async fn token_with(&self, server: &TestServer, scopes: &[&str]) -> String {
        let minted = server.actor(&self.key).mint(self.company, &self.user, scopes).await.ok();
        text(&minted, "token").to_owned()
    }

    /// A key of the tenant; its secret.
    pub(crate) async fn key_with(&self, server: &TestServer, rights: KeyRights) -> String {
        server.key(self.company, rights).await
    }
}

/// A request, taken apart so that one id of it can be exchanged.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The operation, and after a `/` which of its forms.
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) path: Vec<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Map<String, Value>>,
}

impl Case {
    /// The operation.
    pub(crate) fn operation(&self) -> &str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// Path and query, without the base.
    pub(crate) fn target(&self) -> String {
        let query: Vec<String> = self.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/{}{mark}{}", self.path.join("/"), query.join("&"))
    }

    /// Sends it.
    pub(crate) async fn send(&self, server: &TestServer, bearer: &str) -> Answer {
        server.call(bearer, self.method.clone(), &self.target(), self.body.clone().map(Value::Object)).await
    }

    /// This case with one input of another tenant's case in its place, for each input that differs.
    pub(crate) fn with_one_of(&self, foreign: &Self) -> Vec<(String, Self)> {
        let mut mixed = Vec::new();
        for (n, segment) in foreign.path.iter().enumerate().filter(|(n, segment)| self.path[*n] != **segment)
        {
            let mut case = self.clone();
            case.path[n].clone_from(segment);
            mixed.push((format!("path {n}"), case));
        }
        for (n, pair) in foreign.query.iter().enumerate().filter(|(n, pair)| self.query[*n] != **pair) {
            let mut case = self.clone();
            case.query[n] = pair.clone();
            mixed.push((format!("query {}", pair.0), case));
        }
        let (own, other) = (self.body.clone().unwrap_or_default(), foreign.body.clone().unwrap_or_default());
        for (name, value) in other.iter().filter(|(name, value)| own[*name] != **value) {
            let mut case = self.clone();
            case.body.get_or_insert_default().insert(name.clone(), value.clone());
            mixed.push((format!("body {name}"), case));
        }
        mixed
    }
}

/// What each operation needs, as the rightful caller sends it; more than one form where inputs exclude
/// each other. Whoever adds a route adds its case.
pub(crate) fn cases(operation: &str, method: &Method, t: &Tenant) -> Vec<Case> {
    let company = t.company.to_string();
    let case = |form: &str, path: String, query: &[(&str, &str)], body: Option<Value>| Case {
        name: if form.is_empty() { operation.to_owned() } else { format!("{operation}/{form}") },
        method: method.clone(),
        path: path.split('/').map(str::to_owned).collect(),
        query: query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.map(|body| body.as_object().expect("an object").clone()),
    };
    let one = |path: String, query: &[(&str, &str)], body: Option<Value>| vec![case("", path, query, body)];
    let Tenant { account, user, member, app, product, experience, channel, message, reaction, email, .. } = t;
    let Tenant { webhook, delivery, .. } = t;
    let Tenant { owner, dm, dm_seat, dm_user_seat, dm_message, support, support_message, .. } = t;
    // A message of each kind of channel.
    let of_each_kind = |rest: &str, body: Option<Value>| {
        [("", message), ("dm", dm_message), ("support", support_message)]
            .map(|(form, id)| case(form, format!("messages/{id}{rest}"), &[], body.clone()))
            .to_vec()
    };
    match operation {
        "access_tokens.create" => {
            let scopes = json!(["chat:read"]);
            vec![
                case(
                    "",
                    "access_tokens".into(),
                    &[],
                    Some(json!({ "company_id": company, "user_id": user, "scoped_actions": scopes })),
                ),
                case(
                    "account",
                    "access_tokens".into(),
                    &[],
                    Some(json!({ "account_id": company, "user_id": user, "scoped_actions": scopes })),
                ),
            ]
        }
        "access_tokens.revoke" => vec![
            case("token", "access_tokens/revoke".into(), &[], Some(json!({ "token": t.token }))),
            case(
                "user",
                "access_tokens/revoke".into(),
                &[],
                Some(json!({ "user_id": t.owner, "company_id": company })),
            ),
            case(
                "account",
                "access_tokens/revoke".into(),
                &[],
                Some(json!({ "user_id": t.owner, "account_id": company })),
            ),
            case("key", "access_tokens/revoke".into(), &[], Some(json!({ "api_key_id": t.spare_key_id }))),
            case("jti", "access_tokens/revoke".into(), &[], Some(json!({ "jti": t.jti }))),
        ],
        "companies.list" => vec![
            case("", "companies".into(), &[("parent_company_id", &company)], None),
            case("account", "companies".into(), &[("parent_account_id", &company)], None),
        ],
        "companies.create" => vec![
            case(
                "",
                "companies".into(),
                &[],
                Some(json!({ "parent_company_id": company, "email": email, "title": "again" })),
            ),
            case(
                "account",
                "companies".into(),
                &[],
                Some(json!({ "parent_account_id": company, "email": email, "title": "again" })),
            ),
        ],
        "companies.retrieve" => vec![
            case("", format!("companies/{company}"), &[], None),
            case("child", format!("companies/{account}"), &[], None),
        ],
        "companies.update" => vec![
            case("", format!("companies/{company}"), &[], Some(json!({ "description": "swept" }))),
            case("child", format!("companies/{account}"), &[], Some(json!({ "description": "swept" }))),
        ],
        "companies.create_api_key" => vec![
            case(
                "",
                format!("companies/{company}/api_keys"),
                &[],
                Some(json!({ "child_company_id": account, "role": "moderator" })),
            ),
            case(
                "account",
                format!("companies/{company}/api_keys"),
                &[],
                Some(json!({ "child_account_id": account, "permissions":
                     [{ "actions": ["chat:read"], "grant": true, "resources": [account] }] })),
            ),
        ],
        "companies.enrol_member" | "companies.unenrol_member" => {
            one(format!("companies/{company}/members/{user}"), &[], None)
        }
        "users.list" => vec![
            case("", "users".into(), &[("account_id", &company)], None),
            case("company", "users".into(), &[("company_id", &company)], None),
        ],
        "users.retrieve" => vec![
            case("", format!("users/{user}"), &[("account_id", &company)], None),
            case("home", format!("users/{user}"), &[], None),
        ],
        "users.update" => vec![
            case("", format!("users/{user}"), &[("account_id", &company)], Some(json!({ "name": "swept" }))),
            case(
                "body",
                format!("users/{user}"),
                &[],
                Some(json!({ "name": "swept", "company_id": company })),
            ),
            case(
                "account",
                format!("users/{user}"),
                &[],
                Some(json!({ "name": "swept", "account_id": company })),
            ),
        ],
        "members.list" => vec![
            case("", "members".into(), &[("company_id", &company)], None),
            case("account", "members".into(), &[("account_id", &company), ("user_ids[]", user)], None),
        ],
        "members.retrieve" => vec![
            case("", format!("members/{member}"), &[], None),
            case("user", format!("members/{user}"), &[], None),
        ],
        "experiences.list" => vec![
            case(
                "",
                "experiences".into(),
                &[("company_id", &company), ("product_id", product), ("app_id", app)],
                None,
            ),
            case("account", "experiences".into(), &[("account_id", &company)], None),
        ],
        "experiences.create" => vec![
            case("", "experiences".into(), &[], Some(json!({ "app_id": app, "company_id": company }))),
            case("account", "experiences".into(), &[], Some(json!({ "app_id": app, "account_id": company }))),
        ],
        "experiences.retrieve" | "experiences.delete" => one(format!("experiences/{experience}"), &[], None),
        "experiences.update" => {
            one(format!("experiences/{experience}"), &[], Some(json!({ "order": "swept" })))
        }
        "experiences.attach" | "experiences.detach" => {
            let verb = operation.split('.').next_back().unwrap_or_default();
            one(format!("experiences/{experience}/{verb}"), &[], Some(json!({ "product_id": product })))
        }
        "experiences.duplicate" => {
            one(format!("experiences/{experience}/duplicate"), &[], Some(json!({ "name": "copy" })))
        }
        "experiences.grant_access" | "experiences.revoke_access" => {
            one(format!("experiences/{experience}/members/{user}"), &[], None)
        }
        "files.create" => one("files".into(), &[], Some(json!({ "filename": "swept.txt" }))),
        "files.retrieve" => one(format!("files/{}", t.file), &[], None),
        "chat_channels.list" => vec![
            case("", "chat_channels".into(), &[("company_id", &company), ("product_id", product)], None),
            case("account", "chat_channels".into(), &[("account_id", &company)], None),
        ],
        "chat_channels.retrieve" => vec![
            case("", format!("chat_channels/{channel}"), &[], None),
            case("experience", format!("chat_channels/{experience}"), &[], None),
        ],
        "chat_channels.update" => vec![
            case("", format!("chat_channels/{channel}"), &[], Some(json!({ "ban_media": false }))),
            case(
                "experience",
                format!("chat_channels/{experience}"),
                &[],
                Some(json!({ "ban_media": false })),
            ),
        ],
        "messages.list" => vec![
            case("", "messages".into(), &[("channel_id", channel)], None),
            case("experience", "messages".into(), &[("channel_id", experience)], None),
            case("dm", "messages".into(), &[("channel_id", dm)], None),
            case("support", "messages".into(), &[("channel_id", support)], None),
        ],
        "messages.create" => vec![
            case(
                "",
                "messages".into(),
                &[],
                Some(json!({ "channel_id": channel, "content": "swept", "replying_to_message_id": message })),
            ),
            case(
                "experience",
                "messages".into(),
                &[],
                Some(json!({ "channel_id": experience, "content": "swept" })),
            ),
            case(
                "dm",
                "messages".into(),
                &[],
                Some(json!({ "channel_id": dm, "content": "swept", "replying_to_message_id": dm_message })),
            ),
            case(
                "support",
                "messages".into(),
                &[],
                Some(json!({ "channel_id": support, "content": "swept",
                             "replying_to_message_id": support_message })),
            ),
        ],
        "messages.search" => vec![
            case("", "messages/search".into(), &[("query", "only"), ("channel_id", channel)], None),
            case(
                "experience",
                "messages/search".into(),
                &[("query", "only"), ("channel_id", experience), ("company_id", &company)],
                None,
            ),
            case("dm", "messages/search".into(), &[("query", "aside"), ("channel_id", dm)], None),
            case("support", "messages/search".into(), &[("query", "asks"), ("channel_id", support)], None),
            case("company", "messages/search".into(), &[("query", "only"), ("company_id", &company)], None),
            case("account", "messages/search".into(), &[("query", "only"), ("account_id", &company)], None),
        ],
        "reactions.list" => vec![
            case("", "reactions".into(), &[("resource_id", message)], None),
            case("dm", "reactions".into(), &[("resource_id", dm_message)], None),
            case("support", "reactions".into(), &[("resource_id", support_message)], None),
        ],
        "reactions.create" => {
            let party = |message: &str| Some(json!({ "resource_id": message, "emoji": "🎉" }));
            vec![
                case("", "reactions".into(), &[], party(message)),
                case("dm", "reactions".into(), &[], party(dm_message)),
                case("support", "reactions".into(), &[], party(support_message)),
            ]
        }
        "reactions.retrieve" => one(format!("reactions/{reaction}"), &[], None),
        "reactions.delete" => vec![
            case("message", format!("reactions/{message}"), &[("emoji", ":tada:")], None),
            case("dm", format!("reactions/{dm_message}"), &[("emoji", ":tada:")], None),
            case("support", format!("reactions/{support_message}"), &[("emoji", ":tada:")], None),
            case("", format!("reactions/{reaction}"), &[], None),
        ],
        "webhooks.list" => vec![
            case("", "webhooks".into(), &[("company_id", &company)], None),
            case("account", "webhooks".into(), &[("account_id", account)], None),
        ],
        "webhooks.create" => vec![
            case("", "webhooks".into(), &[], Some(json!({ "url": "https://swept.test/" }))),
            case(
                "resource",
                "webhooks".into(),
                &[],
                Some(json!({ "url": "https://swept.test/", "resource_id": account })),
            ),
        ],
        "webhooks.retrieve" | "webhooks.delete" => one(format!("webhooks/{webhook}"), &[], None),
        "webhooks.update" => one(format!("webhooks/{webhook}"), &[], Some(json!({ "enabled": true }))),
        "webhooks.rotate_secret" => one(format!("webhooks/{webhook}/rotate_secret"), &[], None),
        "webhooks.test" => {
            one(format!("webhooks/{webhook}/test"), &[], Some(json!({ "event": "hallpass.user.enrolled" })))
        }
        "webhooks.deliveries" => one(format!("webhooks/{webhook}/deliveries"), &[], None),
        "webhooks.replay" => one(format!("webhooks/{webhook}/deliveries/{delivery}/replay"), &[], None),
        "messages.retrieve" | "messages.delete" => of_each_kind("", None),
        "messages.edits" => of_each_kind("/edits", None),
        "messages.update" => of_each_kind("", Some(json!({ "is_pinned": true }))),
        "dm_channels.list" => vec![
            case("", "dm_channels".into(), &[("company_id", &company)], None),
            case("account", "dm_channels".into(), &[("account_id", &company)], None),
        ],
        "dm_channels.create" => {
            [("", "company_id", user), ("account", "account_id", user), ("address", "company_id", email)]
                .map(|(form, input, who)| {
                    let body = json!({ "with_user_ids": [owner, who], input: company });
                    case(form, "dm_channels".into(), &[], Some(body))
                })
                .to_vec()
        }
        "dm_channels.retrieve" | "dm_channels.delete" => vec![
            case("", format!("dm_channels/{dm}"), &[], None),
            case("support", format!("dm_channels/{support}"), &[], None),
        ],
        "dm_channels.update" => [("", dm), ("support", support)]
            .map(|(form, id)| {
                case(form, format!("dm_channels/{id}"), &[], Some(json!({ "custom_name": "swept" })))
            })
            .to_vec(),
        "dm_members.list" => vec![
            case("", "dm_members".into(), &[("channel_id", dm)], None),
            case("support", "dm_members".into(), &[("channel_id", support)], None),
        ],
        "dm_members.create" => {
            one("dm_members".into(), &[], Some(json!({ "channel_id": dm, "user_id": owner })))
        }
        "dm_members.retrieve" => one(format!("dm_members/{dm_seat}"), &[], None),
        "dm_members.update" => {
            one(format!("dm_members/{dm_seat}"), &[], Some(json!({ "status": "archived" })))
        }
        "dm_members.delete" => one(format!("dm_members/{dm_user_seat}"), &[], None),
        "support_channels.list" => vec![
            case("", "support_channels".into(), &[("company_id", &company)], None),
            case("account", "support_channels".into(), &[("account_id", &company), ("open", "true")], None),
        ],
        "support_channels.create" => ["company_id", "account_id"]
            .map(|input| {
                let form = if input == "company_id" { "" } else { "account" };
                let body = json!({ input: company, "user_id": user });
                case(form, "support_channels".into(), &[], Some(body))
            })
            .to_vec(),
        "support_channels.retrieve" => one(format!("support_channels/{support}"), &[], None),
        "support_channels.resolve" | "support_channels.reopen" => {
            let verb = operation.split('.').next_back().unwrap_or_default();
            one(format!("support_channels/{support}/{verb}"), &[], Some(json!({})))
        }
        "users.check_access" => [&company, account, experience, product]
            .into_iter()
            .map(|resource| {
                let form = resource.split('_').next().unwrap_or_default();
                case(
                    if resource == account { "child" } else { form },
                    format!("users/{user}/access/{resource}"),
                    &[],
                    None,
                )
            })
            .collect(),
        "authorized_users.list" => vec![
            case("", "authorized_users".into(), &[("company_id", &company), ("user_id", &t.colleague)], None),
            case("account", "authorized_users".into(), &[("account_id", &company)], None),
        ],
        "authorized_users.retrieve" => vec![
            case("", format!("authorized_users/{}", t.team_member), &[], None),
            case("user", format!("authorized_users/{}", t.colleague), &[], None),
        ],
        "authorized_users.create" | "team_members.create" => {
            let resource = operation.split('.').next().unwrap_or_default();
            let body = |company_name: &str| {
                let mut body = json!({ "user_id": t.recruit, "role": "moderator" });
                body[company_name] = company.clone().into();
                body
            };
            vec![
                case("", resource.into(), &[], Some(body("company_id"))),
                case("account", resource.into(), &[], Some(body("account_id"))),
            ]
        }
        "authorized_users.delete" => {
            one(format!("authorized_users/{}", t.team_member), &[("company_id", &company)], None)
        }
        "team_members.list" => vec![
            case("", "team_members".into(), &[("account_id", &company), ("user_id", &t.colleague)], None),
            case("company", "team_members".into(), &[("company_id", &company)], None),
        ],
        "team_members.retrieve" => vec![
            case("", format!("team_members/{}", t.team_member), &[], None),
            case("user", format!("team_members/{}", t.colleague), &[], None),
        ],
        "team_members.update" => {
            one(format!("team_members/{}", t.team_member), &[], Some(json!({ "role": "moderator" })))
        }
        "team_members.delete" => one(format!("team_members/{}", t.recruit), &[], None),
        "apps.list" => vec![
            case("", "apps".into(), &[("company_id", &company)], None),
            case("account", "apps".into(), &[("account_id", &company)], None),
        ],
        "apps.create" => vec![
            case("", "apps".into(), &[], Some(json!({ "name": "swept", "company_id": company }))),
            case("account", "apps".into(), &[], Some(json!({ "name": "swept", "account_id": company }))),
        ],
        "apps.retrieve" => one(format!("apps/{}", t.own_app), &[], None),
        "apps.update" => one(format!("apps/{}", t.own_app), &[], Some(json!({ "description": "swept" }))),
        "apps.rotate_secret" => one(format!("apps/{}/rotate_secret", t.own_app), &[], Some(json!({}))),
        "accounts.list" => one("accounts".into(), &[], None),
        "accounts.me" => one("accounts/me".into(), &[], None),
        "accounts.create" => one("accounts".into(), &[], Some(json!({ "email": email, "title": "again" }))),
        "accounts.retrieve" => vec![
            case("", format!("accounts/{company}"), &[], None),
            case("child", format!("accounts/{account}"), &[], None),
        ],
        "accounts.update" => vec![
            case("", format!("accounts/{company}"), &[], Some(json!({ "description": "swept" }))),
            case("child", format!("accounts/{account}"), &[], Some(json!({ "description": "swept" }))),
        ],
        unknown => panic!("{method} {unknown} has no case: add one, and its line in the golden table"),
    }
}

/// Every operation's cases, those that destroy what others need at the end.
pub(crate) fn all_cases(t: &Tenant) -> Vec<Case> {
    let destroys = |name: &str| match name {
        "reactions.delete" | "webhooks.delete" => 1,
        "messages.delete" => 2,
        "dm_members.delete" => 3,
        "dm_channels.delete" => 4,
        "experiences.revoke_access" => 5,
        "experiences.detach" => 6,
        "experiences.delete" => 7,
        "access_tokens.revoke" => 8,
        "authorized_users.delete" | "team_members.delete" => 9,
        "companies.unenrol_member" => 10,
        _ => 0,
    };
    let mut cases: Vec<Case> = hallpass_http::routes_of_api()
        .iter()
        .flat_map(|(method, _, operation)| cases(operation, method, t))
        .collect();
    cases.sort_by_key(|case| destroys(case.operation()));
    cases
}
