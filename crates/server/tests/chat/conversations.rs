//! Random operations by random people, each answer and each list held against a model in memory.

use std::collections::BTreeSet;

use hallpass_core::role::Role;
use hallpass_testkit::{Actor, Answer, Engine, TestCompany, TestServer};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::direct_messages::{ids, text};

/// Users by number; this one answers customers, and behind the key is the owner.
const AGENT: usize = 3;
const OWNER: usize = 4;
/// Who acts: the users, and the company's key.
const KEY: usize = 4;
const ACTORS: usize = 5;

/// Where somebody may keep a conversation.
const STATUSES: [&str; 5] = ["accepted", "requested", "hidden", "closed", "archived"];

/// What somebody does. Numbers beyond what there is wrap around.
#[derive(Clone, Debug)]
enum Act {
    Begin(BTreeSet<usize>),
    OpenSupport(usize),
    Add(usize, usize),
    Remove(usize, usize),
    End(usize),
    Send(usize),
    Reply(usize, usize),
    Edit(usize, usize),
    Pin(usize, usize, bool),
    Delete(usize, usize),
    Resolve(usize, bool),
    Rename(usize, Option<u8>),
    Keep(usize, usize, usize),
    Read(usize),
    Unenrol(usize),
    Enrol(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (user, feed, message) = (0..=OWNER, 0..24_usize, 0..24_usize);
    prop_oneof![
        4 => proptest::collection::btree_set(user.clone(), 0..4).prop_map(Act::Begin),
        2 => (0..OWNER).prop_map(Act::OpenSupport),
        3 => (feed.clone(), user.clone()).prop_map(|(f, u)| Act::Add(f, u)),
        3 => (feed.clone(), user.clone()).prop_map(|(f, u)| Act::Remove(f, u)),
        1 => feed.clone().prop_map(Act::End),
        8 => feed.clone().prop_map(Act::Send),
        2 => (feed.clone(), message.clone()).prop_map(|(f, m)| Act::Reply(f, m)),
        4 => (feed.clone(), message.clone()).prop_map(|(f, m)| Act::Edit(f, m)),
        2 => (feed.clone(), message.clone(), any::<bool>()).prop_map(|(f, m, pin)| Act::Pin(f, m, pin)),
        3 => (feed.clone(), message).prop_map(|(f, m)| Act::Delete(f, m)),
        3 => (feed.clone(), any::<bool>()).prop_map(|(f, resolved)| Act::Resolve(f, resolved)),
        2 => (feed.clone(), proptest::option::of(0..3_u8)).prop_map(|(f, name)| Act::Rename(f, name)),
        2 => (feed.clone(), user, 0..STATUSES.len()).prop_map(|(f, u, s)| Act::Keep(f, u, s)),
        2 => feed.prop_map(Act::Read),
        1 => (0..OWNER).prop_map(Act::Unenrol),
        2 => (0..OWNER).prop_map(Act::Enrol),
    ]
}

#[derive(Clone, Debug)]
struct Seat {
    user: usize,
    admin: bool,
    active: u32,
    /// When they last sent or read there, in milliseconds.
    seen: Option<i64>,
    /// Of [`STATUSES`].
    status: usize,
}

impl Seat {
    fn new(user: usize, admin: bool, active: u32) -> Self {
        Self { user, admin, active, seen: None, status: 0 }
    }
}

#[derive(Clone, Debug)]
struct Said {
    id: String,
    author: usize,
    by_key: bool,
    content: String,
    before: Vec<String>,
    pinned: bool,
    deleted: bool,
}

#[derive(Clone, Debug)]
struct Feed {
    id: String,
    by_key: bool,
    customer: Option<usize>,
    /// Whom it is about; none if another is now, or it has ended.
    about: Option<BTreeSet<usize>>,
    seats: Vec<Seat>,
    said: Vec<Said>,
    open: bool,
    name: Option<String>,
    active: u32,
    ended: bool,
}

impl Feed {
    fn seat(&self, user: usize) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.user == user)
    }
    fn end(&mut self) {
        (self.ended, self.about) = (true, None);
        self.seats.clear();
        self.said.iter_mut().for_each(|said| said.deleted = true);
    }
}

type Verdict = Result<(), (u16, &'static str)>;

const NOT_FOUND: (u16, &str) = (404, "not_found");

/// What should be.
#[derive(Debug, Default)]
struct Model {
    enrolled: [bool; 4],
    feeds: Vec<Feed>,
    now: u32,
}

impl Model {
    fn is_enrolled(&self, user: usize) -> bool {
        user == OWNER || self.enrolled[user]
    }

    fn is_team(&self, actor: usize) -> bool {
        actor == KEY || (actor == AGENT && self.enrolled[AGENT])
    }

    /// Whether the actor is let into a feed.
    fn enters(&self, actor: usize, feed: usize) -> bool {
        let feed = &self.feeds[feed];
        !feed.ended
            && match (feed.customer, actor) {
                (Some(customer), _) => self.is_team(actor) || customer == actor,
                (None, KEY) => feed.by_key && feed.seat(OWNER).is_some(),
                (None, user) => feed.seat(user).is_some(),
            }
    }

    /// Somebody has read a feed; the number of the key is its owner's.
    fn seen(&mut self, feed: usize, actor: usize, at: i64) {
        let seats = &mut self.feeds[feed].seats;
        seats.iter_mut().filter(|seat| seat.user == actor).for_each(|seat| seat.seen = Some(at));
    }

    fn must_enter(&self, actor: usize, feed: usize) -> Verdict {
        if self.enters(actor, feed) { Ok(()) } else { Err(NOT_FOUND) }
    }

    fn moderates(&self, actor: usize, feed: usize) -> bool {
        let feed = &self.feeds[feed];
        match feed.customer {
            Some(_) => actor == KEY,
            None => feed.seat(actor).is_some_and(|seat| seat.admin),
        }
    }

    fn is_own(actor: usize, said: &Said) -> bool {
        if actor == KEY { said.by_key } else { said.author == actor }
    }

    /// A message that the actor may change, as its author or otherwise.
    fn may_change(
        &self,
        actor: usize,
        feed: usize,
        said: usize,
        otherwise: bool,
        code: &'static str,
    ) -> Verdict {
        self.must_enter(actor, feed)?;
        let said = &self.feeds[feed].said[said];
        match (said.deleted, Self::is_own(actor, said) || otherwise) {
            (true, _) => Err(NOT_FOUND),
            (false, true) => Ok(()),
            (false, false) => Err((403, code)),
        }
    }

    /// A message that the actor may pin or unpin: not as its author, unless it changes nothing.
    fn may_pin(&self, actor: usize, feed: usize, said: usize, pinned: bool) -> Verdict {
        let pins =
            self.moderates(actor, feed) || (self.feeds[feed].customer.is_some() && self.is_team(actor));
        self.may_change(actor, feed, said, pins, "not_moderator")?;
        let changes = self.feeds[feed].said[said].pinned != pinned;
        if pins || !changes { Ok(()) } else { Err((403, "not_moderator")) }
    }

    /// The direct messages that the actor should see, in order.
    fn listed(&self, actor: usize) -> Vec<String> {
        let mut seen: Vec<(u32, &str)> = self
            .feeds
            .iter()
            .filter(|feed| actor != KEY || (feed.by_key && feed.customer.is_none()))
            .filter_map(|feed| {
                let seat = feed.seat(actor)?;
                Some((if actor == KEY { feed.active } else { seat.active }, feed.id.as_str()))
            })
            .collect();
        seen.sort_by(|a, b| b.cmp(a));
        seen.into_iter().map(|(_, id)| id.to_owned()).collect()
    }

    /// The support chats in a state that the actor should see.
    fn support(&self, actor: usize, open: bool) -> BTreeSet<String> {
        let feeds = self.feeds.iter().filter(|feed| !feed.ended && feed.open == open);
        let seen = feeds
            .filter(|feed| feed.customer.is_some_and(|customer| self.is_team(actor) || customer == actor));
        seen.map(|feed| feed.id.clone()).collect()
    }
}

/// The server, and who is on it.
struct Scene<'s> {
    server: &'s TestServer,
    acme: TestCompany<'s>,
    users: Vec<String>,
    actors: Vec<Actor<'s>>,
    /// The first user's own company, a connected account, and the direct message with them that the key began
    /// there.
    account: (String, String),
    model: Model,
    steps: u32,
}

impl<'s> Scene<'s> {
    async fn set(server: &'s TestServer, title: &str) -> Self {
        let acme = server.company(title).await;
        let mut users = Vec::new();
        for n in 0..OWNER {
            users.push(acme.user(&format!("{title}-{n}")).await);
        }
        users.push(acme.owner.to_string());
        let actors = vec![acme.as_key(); ACTORS];
        let account = begin_elsewhere(&acme, &users).await;
        let mut scene = Self { server, acme, users, actors, account, model: Model::default(), steps: 0 };
        for user in 0..OWNER {
            scene.arrive(user).await;
        }
        scene
    }

    /// Somebody is enrolled now: their role, and a token.
    async fn arrive(&mut self, user: usize) {
        let mut scopes = hallpass_testkit::CHAT_SCOPES.to_vec();
        if user == AGENT {
            self.acme.role(&self.users[user], Some(Role::Support)).await;
            scopes.push("support_chat:create");
        }
        let token = self.acme.token_with(&self.users[user], &scopes).await;
        self.actors[user] = self.server.actor(token);
        self.model.enrolled[user] = true;
    }

    /// Compares an answer with what was expected; whether it was a yes.
    fn judge(&self, actor: usize, expected: Verdict, answer: &Answer) -> Result<bool, TestCaseError> {
        let expected = if actor != KEY && !self.model.enrolled[actor] {
            Err((401, "credential_revoked"))
        } else {
            expected
        };
        let got = match answer.status {
            200 => Ok(()),
            status => Err((status, answer.body["error"]["code"].as_str().unwrap_or_default())),
        };
        prop_assert_eq!(got, expected, "actor {}: {:#}\n{:#?}", actor, answer.body, self.model);
        Ok(expected.is_ok())
    }

    /// Who acts: every other time one who may, for most of what anybody does is refused.
    fn aimed(&self, actor: usize, act: &Act) -> usize {
        let feeds = &self.model.feeds;
        let feed = |f: &usize| f.checked_rem(feeds.len()).map(|f| &feeds[f]);
        let aimed = match act {
            Act::Edit(f, m) | Act::Pin(f, m, _) | Act::Delete(f, m) => feed(f).and_then(|feed| {
                let m = m.checked_rem(feed.said.len())?;
                Some(feed.said[m].author)
            }),
            Act::Send(f) => feed(f).and_then(|feed| feed.seats.last().map(|seat| seat.user)),
            Act::Resolve(..) => Some(KEY),
            _ => None,
        };
        aimed.filter(|_| self.steps.is_multiple_of(2)).unwrap_or(actor)
    }

    async fn step(&mut self, actor: usize, act: Act) -> Result<(), TestCaseError> {
        let actor = self.aimed(actor, &act);
        self.server.clock.advance(SignedDuration::from_secs(1));
        self.model.now += 1;
        self.steps += 1;
        let now = self.model.now;
        let who = self.actors[actor].clone();
        // The feed and message that an act means, if there are any.
        let feeds = self.model.feeds.len();
        let feed_of = |n: usize| n.checked_rem(feeds);
        let place = |model: &Model, f: usize, m: usize| {
            let feed = f.checked_rem(model.feeds.len())?;
            Some((feed, m.checked_rem(model.feeds[feed].said.len())?))
        };
        match act {
            Act::Begin(with) => self.begin(actor, &who, with).await?,
            Act::OpenSupport(customer) => self.open_support(actor, &who, customer).await?,
            Act::Add(f, user) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let body = json!({ "channel_id": self.model.feeds[f].id, "user_id": self.users[user] });
                let expected = self.model.must_enter(actor, f).and_then(|()| {
                    match (&self.model.feeds[f].customer, self.model.moderates(actor, f)) {
                        (Some(_), _) => Err((422, "support_members")),
                        (None, false) => Err((403, "not_admin")),
                        (None, true) if self.model.is_enrolled(user) => Ok(()),
                        (None, true) => Err(NOT_FOUND),
                    }
                });
                let answer = who.post("/dm_members", body).await;
                if self.judge(actor, expected, &answer)? && self.model.feeds[f].seat(user).is_none() {
                    self.model.feeds[f].seats.push(Seat::new(user, false, now));
                }
            }
            Act::Remove(f, user) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                self.remove(actor, &who, f, user).await?;
            }
            Act::End(f) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let expected =
                    self.model.must_enter(actor, f).and_then(|()| match self.model.feeds[f].customer {
                        Some(_) if !self.model.is_team(actor) => Err((403, "scope_missing")),
                        None if !self.model.moderates(actor, f) => Err((403, "not_admin")),
                        _ => Ok(()),
                    });
                let answer = who.delete(&format!("/dm_channels/{}", self.model.feeds[f].id)).await;
                if self.judge(actor, expected, &answer)? {
                    self.model.feeds[f].end();
                }
            }
            Act::Send(f) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let content = format!("message {now}");
                let answer = who.say(&self.model.feeds[f].id, &content).await;
                if self.judge(actor, self.model.must_enter(actor, f), &answer)? {
                    self.said(actor, f, &answer.body, content);
                }
            }
            Act::Reply(f, m) => {
                let Some((f, m)) = place(&self.model, f, m) else { return Ok(()) };
                let (feed, content) = (&self.model.feeds[f], format!("reply {now}"));
                let body = json!({ "channel_id": feed.id, "content": content,
                                   "replying_to_message_id": feed.said[m].id });
                let there = !feed.said[m].deleted;
                let expected = self.model.must_enter(actor, f);
                let expected = expected.and(if there { Ok(()) } else { Err((422, "reply_not_found")) });
                let answer = who.post("/messages", body).await;
                if self.judge(actor, expected, &answer)? {
                    self.said(actor, f, &answer.body, content);
                }
            }
            Act::Edit(f, m) => {
                let Some((f, m)) = place(&self.model, f, m) else { return Ok(()) };
                let expected = self.model.may_change(actor, f, m, false, "not_author");
                let (at, content) =
                    (format!("/messages/{}", self.model.feeds[f].said[m].id), format!("edit {now}"));
                let answer = who.patch(&at, json!({ "content": content })).await;
                if self.judge(actor, expected, &answer)? {
                    let said = &mut self.model.feeds[f].said[m];
                    let before = std::mem::replace(&mut said.content, content);
                    said.before.push(before);
                }
            }
            Act::Pin(f, m, pinned) => {
                let Some((f, m)) = place(&self.model, f, m) else { return Ok(()) };
                let expected = self.model.may_pin(actor, f, m, pinned);
                let at = format!("/messages/{}", self.model.feeds[f].said[m].id);
                let answer = who.patch(&at, json!({ "is_pinned": pinned })).await;
                if self.judge(actor, expected, &answer)? {
                    self.model.feeds[f].said[m].pinned = pinned;
                }
            }
            Act::Delete(f, m) => {
                let Some((f, m)) = place(&self.model, f, m) else { return Ok(()) };
                let moderates = self.model.moderates(actor, f);
                let expected = self.model.may_change(actor, f, m, moderates, "not_author");
                let answer = who.delete(&format!("/messages/{}", self.model.feeds[f].said[m].id)).await;
                if self.judge(actor, expected, &answer)? {
                    self.model.feeds[f].said[m].deleted = true;
                }
            }
            Act::Resolve(f, resolved) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let expected = match (self.model.feeds[f].customer, self.model.is_team(actor)) {
                    (None, _) => Err(NOT_FOUND),
                    (Some(_), true) => self.model.must_enter(actor, f),
                    (Some(_), false) => self.model.must_enter(actor, f).and(Err((403, "not_team"))),
                };
                let verb = if resolved { "resolve" } else { "reopen" };
                let at = format!("/support_channels/{}/{verb}", self.model.feeds[f].id);
                let answer = who.post(&at, json!({})).await;
                if self.judge(actor, expected, &answer)? {
                    self.model.feeds[f].open = !resolved;
                }
            }
            Act::Rename(f, name) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let may = match self.model.feeds[f].customer {
                    Some(_) => self.model.is_team(actor),
                    None => self.model.moderates(actor, f),
                };
                let expected = self.model.must_enter(actor, f);
                let expected = expected.and(if may { Ok(()) } else { Err((403, "not_admin")) });
                let name = name.map(|name| format!("name {name}"));
                let at = format!("/dm_channels/{}", self.model.feeds[f].id);
                let answer = who.patch(&at, json!({ "custom_name": name })).await;
                if self.judge(actor, expected, &answer)? {
                    self.model.feeds[f].name = name;
                }
            }
            Act::Keep(f, user, status) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let Some(seat) = self.seat_of(f, user).await? else { return Ok(()) };
                let own = if user == actor { Ok(()) } else { Err((403, "not_own_membership")) };
                let answer = who.patch(&seat, json!({ "status": STATUSES[status] })).await;
                if self.judge(actor, self.model.must_enter(actor, f).and(own), &answer)? {
                    let seats = &mut self.model.feeds[f].seats;
                    seats.iter_mut().filter(|seat| seat.user == user).for_each(|seat| seat.status = status);
                }
            }
            Act::Read(f) => {
                let Some(f) = feed_of(f) else { return Ok(()) };
                let (app, id) = (&self.server.app, self.model.feeds[f].id.parse().unwrap());
                let Ok(caller) = app.authenticate(&who.bearer).await else { return Ok(()) };
                let read = app.mark_feed_read(&caller, id, 1000).await;
                prop_assert_eq!(read.is_ok(), self.model.enters(actor, f), "actor {}: {:?}", actor, read);
                if read.is_ok() {
                    self.model.seen(f, actor, app.clock().now().as_millisecond());
                }
            }
            Act::Unenrol(user) if self.model.enrolled[user] => {
                let at = format!("/companies/{}/members/{}", self.acme.id, self.users[user]);
                self.acme.as_key().delete(&at).await.ok();
                self.model.enrolled[user] = false;
            }
            Act::Enrol(user) if !self.model.enrolled[user] => {
                let at = format!("/companies/{}/members/{}", self.acme.id, self.users[user]);
                self.acme.as_key().put(&at).await.ok();
                self.arrive(user).await;
            }
            Act::Unenrol(_) | Act::Enrol(_) => {}
        }
        self.look_around().await
    }

    async fn begin(
        &mut self,
        actor: usize,
        who: &Actor<'_>,
        with: BTreeSet<usize>,
    ) -> Result<(), TestCaseError> {
        let now = self.model.now;
        let people: BTreeSet<usize> = with.iter().copied().chain([actor]).collect();
        let expected = if with.iter().any(|user| !self.model.is_enrolled(*user)) {
            Err(NOT_FOUND)
        } else if people.len() < 2 {
            Err((422, "no_other_member"))
        } else {
            Ok(())
        };
        let names: Vec<&String> = with.iter().map(|user| &self.users[*user]).collect();
        let answer = who.post("/dm_channels", json!({ "with_user_ids": names })).await;
        if !self.judge(actor, expected, &answer)? {
            return Ok(());
        }
        let (id, by_key) = (text(&answer.body, "id"), actor == KEY);
        let about = |feed: &Feed| feed.about.as_ref() == Some(&people) && feed.by_key == by_key;
        let known = self.model.feeds.iter().position(about);
        if let Some(known) = known {
            if people.iter().all(|user| self.model.feeds[known].seat(*user).is_some()) {
                prop_assert_eq!(&self.model.feeds[known].id, &id, "another one");
                return Ok(());
            }
            self.model.feeds[known].about = None;
        }
        prop_assert!(self.model.feeds.iter().all(|feed| feed.id != id), "put into {id}");
        let seats = people.iter().map(|user| Seat::new(*user, *user == actor, now)).collect();
        self.model.feeds.push(Feed {
            id,
            by_key,
            customer: None,
            about: Some(people),
            seats,
            said: Vec::new(),
            open: true,
            name: None,
            active: now,
            ended: false,
        });
        Ok(())
    }

    async fn open_support(
        &mut self,
        actor: usize,
        who: &Actor<'_>,
        customer: usize,
    ) -> Result<(), TestCaseError> {
        let now = self.model.now;
        let expected = match (self.model.is_team(actor), self.model.is_enrolled(customer)) {
            (false, _) => Err((403, "scope_missing")),
            (true, false) => Err(NOT_FOUND),
            (true, true) => Ok(()),
        };
        let body = json!({ "company_id": self.acme.id, "user_id": self.users[customer] });
        let answer = who.post("/support_channels", body).await;
        if !self.judge(actor, expected, &answer)? {
            return Ok(());
        }
        let id = text(&answer.body, "id");
        if let Some(known) =
            self.model.feeds.iter().find(|feed| !feed.ended && feed.customer == Some(customer))
        {
            prop_assert_eq!(&known.id, &id, "a second one");
            return Ok(());
        }
        self.model.feeds.push(Feed {
            id,
            by_key: false,
            customer: Some(customer),
            about: None,
            seats: vec![Seat::new(customer, false, now)],
            said: Vec::new(),
            open: true,
            name: None,
            active: now,
            ended: false,
        });
        Ok(())
    }

    async fn remove(
        &mut self,
        actor: usize,
        who: &Actor<'_>,
        f: usize,
        user: usize,
    ) -> Result<(), TestCaseError> {
        let feed = self.model.feeds[f].id.parse().unwrap();
        let Some(seat) = self.seat_of(f, user).await? else { return Ok(()) };
        let own = user == actor;
        let expected = self.model.must_enter(actor, f).and_then(|()| {
            match (self.model.feeds[f].customer, own || self.model.moderates(actor, f)) {
                (Some(_), _) => Err((422, "support_members")),
                (None, true) if user == OWNER && self.model.feeds[f].by_key => Err((422, "owner_stays")),
                (None, true) => Ok(()),
                (None, false) => Err((403, "not_admin")),
            }
        });
        let answer = who.delete(&seat).await;
        if !self.judge(actor, expected, &answer)? {
            return Ok(());
        }
        let store = self.server.app.store();
        let seated = store.read().await.unwrap().find_feed(feed).await.unwrap();
        self.model.feeds[f].seats.retain(|seat| seat.user != user);
        if self.model.feeds[f].seats.is_empty() {
            prop_assert!(seated.is_none());
            self.model.feeds[f].end();
            return Ok(());
        }
        if !self.model.feeds[f].seats.iter().any(|seat| seat.admin) {
            // Those who began together are in no order that a model could know: any of the first who can act.
            let admins: Vec<String> = seated
                .unwrap()
                .members
                .iter()
                .filter(|seat| seat.admin)
                .map(|seat| seat.user.to_string())
                .collect();
            prop_assert_eq!(admins.len(), 1);
            let heir = self.users.iter().position(|id| *id == admins[0]).unwrap();
            let somebody = self.model.feeds[f].seats.iter().any(|seat| self.model.is_enrolled(seat.user));
            prop_assert!(self.model.is_enrolled(heir) || !somebody, "who cannot act inherited");
            self.model.feeds[f].seats.iter_mut().for_each(|seat| seat.admin = seat.user == heir);
        }
        Ok(())
    }

    /// The path of somebody's seat, as the store knows it: who is outside would not be told.
    async fn seat_of(&self, f: usize, user: usize) -> Result<Option<String>, TestCaseError> {
        let feed = self.model.feeds[f].id.parse().unwrap();
        let target = self.users[user].parse().unwrap();
        let mut conn = self.server.app.store().read().await.unwrap();
        let found = conn.find_feed_member_of(feed, target).await.unwrap();
        prop_assert_eq!(found.is_some(), self.model.feeds[f].seat(user).is_some());
        Ok(found.map(|member| format!("/dm_members/{}", member.id)))
    }

    fn said(&mut self, actor: usize, f: usize, body: &Value, content: String) {
        let now = self.model.now;
        // Whoever writes has read.
        self.model.seen(f, actor, self.server.app.clock().now().as_millisecond());
        let feed = &mut self.model.feeds[f];
        feed.said.push(Said {
            id: text(body, "id"),
            author: if actor == KEY { OWNER } else { actor },
            by_key: actor == KEY,
            content,
            before: Vec::new(),
            pinned: false,
            deleted: false,
        });
        feed.active = now;
        feed.seats.iter_mut().for_each(|seat| seat.active = now);
        feed.open |= feed.customer == Some(actor) && actor != KEY;
    }

    /// Everybody looks at their lists, and at one feed.
    async fn look_around(&self) -> Result<(), TestCaseError> {
        let (account, elsewhere) = &self.account;
        let there = self.actors[KEY].get(&format!("/dm_channels?company_id={account}")).await.ok();
        prop_assert_eq!(ids(&there), std::slice::from_ref(elsewhere));
        let looked_at = usize::try_from(self.steps).unwrap().checked_rem(self.model.feeds.len());
        for (actor, who) in self.actors.iter().enumerate() {
            let listed = who.get("/dm_channels?first=100").await;
            if self.judge(actor, Ok(()), &listed)? {
                prop_assert_eq!(ids(&listed.body), self.model.listed(actor), "actor {}", actor);
                let open = self.steps.is_multiple_of(2);
                let page = who.get(&format!("/support_channels?first=100&open={open}")).await.ok();
                let seen: BTreeSet<String> = ids(&page).into_iter().collect();
                prop_assert_eq!(seen, self.model.support(actor, open), "actor {}, open {}", actor, open);
            }
            let Some(f) = looked_at else { continue };
            let feed = &self.model.feeds[f];
            let page = who.get(&format!("/messages?channel_id={}&direction=asc&first=100", feed.id)).await;
            if self.judge(actor, self.model.must_enter(actor, f), &page)? {
                let seen: Vec<(&str, bool, bool)> = page.body["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|m| (m["content"].as_str().unwrap(), m["is_pinned"] == true, m["is_edited"] == true))
                    .collect();
                let said: Vec<(&str, bool, bool)> = feed
                    .said
                    .iter()
                    .filter(|said| !said.deleted)
                    .map(|said| (said.content.as_str(), said.pinned, !said.before.is_empty()))
                    .collect();
                prop_assert_eq!(seen, said, "actor {}", actor);
            }
            self.look_at(actor, who, f).await?;
        }
        Ok(())
    }

    /// Somebody looks at what a feed is called, at who is in it, and at what one message said before.
    async fn look_at(&self, actor: usize, who: &Actor<'_>, f: usize) -> Result<(), TestCaseError> {
        let (feed, may) = (&self.model.feeds[f], self.model.must_enter(actor, f));
        let shown = who.get(&format!("/dm_channels/{}", feed.id)).await;
        if self.judge(actor, may, &shown)? {
            prop_assert_eq!(&shown.body["name"], &json!(feed.name), "actor {}", actor);
        }
        let page = who.get(&format!("/dm_members?channel_id={}&first=100", feed.id)).await;
        if self.judge(actor, may, &page)? {
            let mut seen: Vec<Value> = page.body["data"].as_array().unwrap().clone();
            for seat in &mut seen {
                seat.as_object_mut().unwrap().retain(|key, _| key != "id");
            }
            let mut seats: Vec<Value> = feed
                .seats
                .iter()
                .map(|seat| {
                    json!({ "channel_id": feed.id, "user_id": self.users[seat.user], "is_admin": seat.admin,
                            "status": STATUSES[seat.status],
                            "last_viewed_at": seat.seen.map(|at| at.to_string()) })
                })
                .collect();
            seen.sort_by_key(|seat| seat["user_id"].to_string());
            seats.sort_by_key(|seat| seat["user_id"].to_string());
            prop_assert_eq!(seen, seats, "actor {}", actor);
        }
        let Some(m) = usize::try_from(self.steps).unwrap().checked_rem(feed.said.len()) else {
            return Ok(());
        };
        let said = &feed.said[m];
        let moderates = self.model.moderates(actor, f);
        let expected = self.model.may_change(actor, f, m, moderates, "not_author");
        let page = who.get(&format!("/messages/{}/edits?first=100", said.id)).await;
        if self.judge(actor, expected, &page)? {
            let texts = page.body["data"].as_array().unwrap().iter().map(|edit| text(edit, "content"));
            let expected: Vec<String> = said.before.iter().rev().cloned().collect();
            prop_assert_eq!(texts.collect::<Vec<_>>(), expected, "actor {}", actor);
        }
        Ok(())
    }

    /// In the end every text is kept that a message had, as long as it is there.
    async fn check_history(&self) -> Result<(), TestCaseError> {
        let mut conn = self.server.app.store().read().await.unwrap();
        for said in self.model.feeds.iter().flat_map(|feed| &feed.said) {
            let kept = conn.list_message_edits(said.id.parse().unwrap(), false, None, 100).await.unwrap();
            let kept: Vec<String> = kept.into_iter().map(|edit| edit.content).collect();
            prop_assert_eq!(kept, if said.deleted { Vec::new() } else { said.before.clone() });
        }
        Ok(())
    }
}

/// A direct message in the first user's own company, begun by the parent's key, with the parent's owner in it.
async fn begin_elsewhere(acme: &TestCompany<'_>, users: &[String]) -> (String, String) {
    let key = acme.as_key();
    let accounts = key.get(&format!("/companies?parent_company_id={}&first=100", acme.id)).await.ok();
    let accounts = accounts["data"].as_array().unwrap();
    let account = accounts.iter().find(|account| account["owner_user"]["id"] == users[0]).unwrap();
    let account = text(account, "id");
    key.put(&format!("/companies/{account}/members/{}", users[OWNER])).await.ok();
    let body = json!({ "company_id": account, "with_user_ids": [users[OWNER]] });
    let begun = text(&key.post("/dm_channels", body).await.ok(), "id");
    (account, begun)
}

/// How many runs, of how many steps each: at least their product is taken.
const RUNS: u32 = 12;
const STEPS: usize = 60;

fn run(engine: Engine) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = runtime.block_on(TestServer::on(engine));
    let acts = proptest::collection::vec((0..ACTORS, act()), STEPS);
    let mut runner = TestRunner::new(Config { cases: RUNS, max_shrink_iters: 60, ..Config::default() });
    let (runs, steps) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    runner
        .run(&acts, |acts| {
            runtime.block_on(async {
                runs.set(runs.get() + 1);
                let mut scene = Scene::set(&server, &format!("acme{}", runs.get())).await;
                for (actor, act) in acts {
                    scene.step(actor, act).await?;
                }
                steps.set(steps.get() + scene.steps);
                scene.check_history().await
            })
        })
        .unwrap();
    assert!(steps.get() >= RUNS * u32::try_from(STEPS).unwrap(), "only {} steps", steps.get());
    runtime.block_on(async move { drop(server) });
}

#[test]
fn conversations_go_as_the_model_says_on_sqlite() {
    run(Engine::Sqlite);
}

#[test]
fn conversations_go_as_the_model_says_on_postgres() {
    run(Engine::Postgres);
}
