use hallpass_core::id::{AuthorizedUserId, MemberId, PersonId};
use hallpass_core::role::Role;
use hallpass_core::scope::ScopeSet;
use hallpass_store::{MemberFilter, MemberOrder, NewUser, Scan, UserPatch};

use crate::fixtures::*;

on_both! {
    joining_leaving_and_joining_again_is_counted,
    a_member_comes_back_as_stored,
    standing_is_membership_and_role,
    lists_filter,
    lists_by_user_ids,
    lists_walk_both_ways_by_every_order,
    search_sees_what_is_shown,
    an_address_is_shown_where_it_resolves,
}

const ORDERS: [MemberOrder; 3] = [MemberOrder::Creation, MemberOrder::Joining, MemberOrder::Action];

fn member(n: u128) -> MemberId {
    MemberId::from_bits(1_000_000 + n)
}

fn everyone() -> MemberFilter {
    MemberFilter {
        after: i64::MIN,
        before: i64::MAX,
        status: String::new(),
        access_level: String::new(),
        query: String::new(),
        match_email: false,
        users: Vec::new(),
        order: MemberOrder::Creation,
    }
}

async fn listed(db: &Db, filter: &MemberFilter, scan: &Scan) -> Vec<u128> {
    let page = db.read().await.list_members(biz(1), filter, scan).await.unwrap();
    page.into_iter().map(|member| member.user.bits()).collect()
}

async fn joining_leaving_and_joining_again_is_counted(db: &Db) {
    let acme = db.acme().await;
    db.users([2, 3]).await;
    let count = async || db.read().await.find_company(acme).await.unwrap().unwrap().member_count;
    assert!(commit!(db, tx => tx.insert_member(MemberId::from_bits(1), acme, user(2), at(1))));
    assert!(!commit!(db, tx => tx.insert_member(MemberId::from_bits(2), acme, user(2), at(2))));
    assert_eq!(count().await, 1);
    assert!(commit!(db, tx => tx.insert_member(MemberId::from_bits(3), acme, user(3), at(3))));
    assert_eq!(count().await, 2);
    assert!(commit!(db, tx => tx.revoke_member(acme, user(2), at(4))));
    assert!(!commit!(db, tx => tx.revoke_member(acme, user(2), at(5))));
    assert!(!commit!(db, tx => tx.revoke_member(acme, user(9), at(5))));
    assert_eq!(count().await, 1);
    let left = db.read().await.find_member_of(acme, user(2)).await.unwrap().unwrap();
    assert!(!left.joined);
    assert!(commit!(db, tx => tx.insert_member(MemberId::from_bits(4), acme, user(2), at(6))));
    assert_eq!(count().await, 2);
    let again = db.read().await.find_member_of(acme, user(2)).await.unwrap().unwrap();
    assert_eq!((again.id, again.joined), (MemberId::from_bits(1), true), "the same membership");
    assert_eq!((again.created_at, again.joined_at, again.updated_at), (at(1), at(6), at(6)));
}

async fn a_member_comes_back_as_stored(db: &Db) {
    let acme = db.acme().await;
    let new = NewUser { email: Some("a@b.c".to_owned()), ..new_user(2, Some(acme)) };
    commit!(db, new, tx => tx.insert_user(new, at(0)));
    db.join(acme, [2]).await;
    let found = db.read().await.find_member(member(2)).await.unwrap().unwrap();
    assert_eq!((found.company, found.user, found.joined, found.on_team), (acme, user(2), true, false));
    assert_eq!((found.username.as_str(), found.name.as_deref()), ("User2", Some("Name 2")));
    assert_eq!(found.email.as_deref(), Some("a@b.c"));
    assert_eq!((found.created_at, found.joined_at, found.updated_at), (at(2), at(2), at(2)));
    assert_eq!(db.read().await.find_member_of(acme, user(2)).await.unwrap(), Some(found));
    assert_eq!(db.read().await.find_member(member(3)).await.unwrap(), None);
    assert_eq!(db.read().await.find_member_of(acme, user(1)).await.unwrap(), None);

    commit!(db, tx => tx.update_override(acme, user(2), Some(Some("Shown")), None, at(3)));
    commit!(db, tx => tx.update_team_role(AuthorizedUserId::from_bits(1), acme, user(2), Role::Owner, at(3)));
    let found = db.read().await.find_member(member(2)).await.unwrap().unwrap();
    assert_eq!((found.name.as_deref(), found.on_team), (Some("Shown"), true));
}

async fn standing_is_membership_and_role(db: &Db) {
    let acme = db.acme().await;
    db.users([2]).await;
    let standing = async || db.read().await.find_standing(acme, user(2)).await.unwrap();
    assert!(!standing().await.enrolled());
    db.join(acme, [2]).await;
    assert_eq!((standing().await.member, standing().await.role), (true, None));
    let ausr = AuthorizedUserId::from_bits(1);
    commit!(db, tx => tx.update_team_role(ausr, acme, user(2), Role::Custom, at(0)));
    db.execute("UPDATE authorized_users SET custom_scopes = 'chat:moderate chat:read'").await;
    assert_eq!(standing().await.role, Some(Role::Custom));
    assert_eq!(standing().await.custom, ScopeSet::parse("chat:moderate chat:read").unwrap());
    commit!(db, tx => tx.revoke_member(acme, user(2), at(5)));
    assert_eq!((standing().await.member, standing().await.role), (false, Some(Role::Custom)));
    assert!(standing().await.enrolled());
    assert!(commit!(db, tx => tx.revoke_team_role(acme, user(2))));
    assert!(!standing().await.enrolled());
}

async fn lists_filter(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=6).await;
    db.join(acme, 2..=6).await;
    commit!(db, tx => tx.revoke_member(acme, user(3), at(10)));
    commit!(db, tx => tx.update_team_role(AuthorizedUserId::from_bits(1), acme, user(4), Role::Admin, at(0)));
    let up = scan(false, 100);
    let text = |text: &str| text.to_owned();
    for (filter, expected) in [
        (everyone(), vec![2, 3, 4, 5, 6]),
        (MemberFilter { status: text("joined"), ..everyone() }, vec![2, 4, 5, 6]),
        (MemberFilter { status: text("left"), ..everyone() }, vec![3]),
        (MemberFilter { access_level: text("admin"), ..everyone() }, vec![4]),
        (MemberFilter { access_level: text("customer"), ..everyone() }, vec![2, 3, 5, 6]),
        (MemberFilter { after: millis(at(3)), before: millis(at(6)), ..everyone() }, vec![4, 5]),
        (MemberFilter { query: text("uSer5"), ..everyone() }, vec![5]),
        (MemberFilter { query: text("nobody"), ..everyone() }, vec![]),
    ] {
        for order in ORDERS {
            let filter = MemberFilter { order, ..filter.clone() };
            let mut found = listed(db, &filter, &up).await;
            let mut down = listed(db, &filter, &scan(true, 100)).await;
            down.reverse();
            assert_eq!(down, found, "down: {filter:?}");
            found.sort_unstable();
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

async fn lists_by_user_ids(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=9).await;
    db.join(acme, 2..=8).await;
    for order in ORDERS {
        let some = MemberFilter {
            // One who is not a member, one twice.
            users: [7, 3, 9, 5, 3].map(user).to_vec(),
            order,
            ..everyone()
        };
        assert_eq!(listed(db, &some, &scan(false, 100)).await, [3, 5, 7]);
        assert_eq!(listed(db, &some, &scan(true, 2)).await, [7, 5]);
        assert_eq!(listed(db, &some, &scan_from(true, at(5), member(5), 2)).await, [3]);
        let named = MemberFilter { query: "user5".to_owned(), ..some };
        assert_eq!(listed(db, &named, &scan(false, 100)).await, [5]);
    }
}

async fn lists_walk_both_ways_by_every_order(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=20).await;
    db.join(acme, 2..=12).await;
    // 2, 3 and 4 come back in the opposite order; 6 leaves between them.
    for (n, time) in [(4_u128, 20), (3, 22), (2, 23)] {
        commit!(db, tx => tx.revoke_member(acme, user(n), at(time)));
        commit!(db, tx => tx.insert_member(member(n), acme, user(n), at(time)));
    }
    commit!(db, tx => tx.revoke_member(acme, user(6), at(21)));
    for order in ORDERS {
        for descending in [false, true] {
            let filter = MemberFilter { order, ..everyone() };
            let mut walked = Vec::new();
            let mut scan = scan(descending, 2);
            loop {
                let page = db.read().await.list_members(acme, &filter, &scan).await.unwrap();
                let Some(last) = page.last() else { break };
                let key = match order {
                    MemberOrder::Creation => last.created_at,
                    MemberOrder::Joining => last.joined_at,
                    MemberOrder::Action => last.updated_at,
                };
                scan = scan_from(descending, key, last.id, 2);
                walked.extend(page.iter().map(|member| member.user.bits()));
            }
            let mut expected: Vec<u128> = match order {
                MemberOrder::Creation => (2..=12).collect(),
                MemberOrder::Joining => (5..=12).chain([4, 3, 2]).collect(),
                MemberOrder::Action => [5].into_iter().chain(7..=12).chain([4, 6, 3, 2]).collect(),
            };
            if descending {
                expected.reverse();
            }
            assert_eq!(walked, expected, "{order:?}");
        }
    }
}

async fn an_address_is_shown_where_it_resolves(db: &Db) {
    let acme = db.acme().await;
    let (child, other) = (db.company(2, 1, Some(1)).await, db.company(3, 1, None).await);
    let person = PersonId::from_bits(5);
    commit!(db, tx => tx.insert_person(person, "Zoe@Proved.com", Some("phc"), at(0)));
    for new in [
        NewUser { person: Some(person), ..new_user(2, None) },
        NewUser { email: Some("Ann@Acme.com".to_owned()), ..new_user(3, Some(acme)) },
        // Linked, which no company sees.
        NewUser { person: Some(person), ..new_user(4, Some(other)) },
        NewUser { email: Some("unproved@own.com".to_owned()), ..new_user(5, None) },
    ] {
        commit!(db, new, tx => tx.insert_user(new, at(0)));
    }
    let users = 2..=5_u128;
    for (n, company) in [(1, acme), (2, child), (3, other)] {
        for who in users.clone() {
            commit!(db, tx => tx.insert_member(member(n * 10 + who), company, user(who), at(1)));
        }
    }
    let check = async |company, expected: [Option<&str>; 4]| {
        for (who, expected) in users.clone().zip(expected) {
            let mut conn = db.read().await;
            let found = conn.find_member_of(company, user(who)).await.unwrap().unwrap();
            assert_eq!(found.email.as_deref(), expected, "{who} in {company}");
            for address in ["Zoe@Proved.com", "Ann@Acme.com", "unproved@own.com"] {
                let means = conn.find_user_by_address(company, address).await.unwrap();
                let resolves = means.is_some_and(|means| means.id == user(who));
                assert_eq!(resolves, expected == Some(address), "{who} in {company} by {address}");
                let query = MemberFilter { query: address.to_owned(), match_email: true, ..everyone() };
                let listed = conn.list_members(company, &query, &scan(false, 9)).await.unwrap();
                let listed = listed.iter().any(|member| member.user == user(who));
                assert_eq!(listed, expected == Some(address), "{who} in {company} for {address}");
            }
        }
    };
    let (zoe, ann) = (Some("Zoe@Proved.com"), Some("Ann@Acme.com"));
    check(acme, [zoe, ann, None, None]).await;
    check(child, [zoe, ann, None, None]).await;
    check(other, [zoe, None, None, None]).await;
    assert!(commit!(db, tx => tx.detach_company(child, at(5))));
    commit!(db, tx => tx.revoke_member(child, user(2), at(6)));
    check(child, [None, None, None, None]).await;
    let id = AuthorizedUserId::from_bits(1);
    assert!(commit!(db, tx => tx.insert_team_member(id, other, user(2), Role::Support, at(3))));
    let found = db.read().await.find_team_member(id).await.unwrap().unwrap();
    assert_eq!(found.email.as_deref(), zoe);
}

async fn search_sees_what_is_shown(db: &Db) {
    let acme = db.acme().await;
    let new = NewUser {
        username: "ann_lee".to_owned(),
        name: Some("Ágnes 100%".to_owned()),
        email: Some("Secret@Example.com".to_owned()),
        ..new_user(2, Some(acme))
    };
    commit!(db, new, tx => tx.insert_user(new, at(0)));
    db.users([3]).await;
    db.join(acme, [2, 3]).await;
    let search = async |query: &str, match_email: bool| {
        let filter = MemberFilter { query: query.to_owned(), match_email, ..everyone() };
        listed(db, &filter, &scan(false, 100)).await
    };
    assert_eq!(search("ANN_", false).await, [2]);
    assert_eq!(search("annl", false).await, [] as [u128; 0]);
    assert_eq!(search("%", false).await, [2], "a wildcard is a letter");
    assert_eq!(search("ágnes", false).await, [2]);
    assert_eq!(search("Ágnes", false).await, [2]);
    assert_eq!(search("secret@", false).await, [] as [u128; 0]);
    assert_eq!(search("secret@EXAMPLE", true).await, [2]);
    commit!(db, tx => tx.update_override(acme, user(2), Some(Some("Boss")), None, at(5)));
    assert_eq!(search("boss", false).await, [2]);
    assert_eq!(search("ágnes", false).await, [] as [u128; 0], "hidden by the override");
    let patch = UserPatch { name: Some(None), ..UserPatch::default() };
    commit!(db, patch, tx => tx.update_user(user(2), patch, at(6)));
    commit!(db, tx => tx.update_override(acme, user(2), Some(None), None, at(7)));
    assert_eq!(search("boss", false).await, [] as [u128; 0]);
    assert_eq!(search("lee", false).await, [2], "a user without a name");
}
