use hallpass_core::id::{AuthorizedUserId, FileId, MemberId, PersonId};
use hallpass_core::role::Role;
use hallpass_store::{NewUser, ProfileOverride, StoreError, UserPatch};

use crate::fixtures::*;

on_both! {
    a_user_comes_back_as_stored,
    usernames_are_unique_per_home_and_per_server_for_own_users,
    an_address_names_one_local_user_per_home,
    a_patch_changes_what_it_names,
    a_username_means_the_companys_own_user_first,
    deactivation_happens_once_and_can_be_undone,
    people_prove_an_address_once,
    a_company_sees_its_own_and_its_connected_accounts_users,
    overrides_are_shown_in_one_company_only,
    lists_show_the_enrolled_by_what_is_shown_there,
    lists_are_stable_under_changes,
    an_address_means_whom_the_company_knows_by_it,
}

async fn a_user_comes_back_as_stored(db: &Db) {
    db.acme().await;
    let new = NewUser {
        id: user(2),
        person: None,
        home: Some(biz(1)),
        username: "Ann".to_owned(),
        name: Some("Ann Ärmel 👩‍🚀".to_owned()),
        email: Some("Ann@Example.com".to_owned()),
    };
    let stored = new.clone();
    assert!(commit!(db, new, tx => tx.insert_user(new, at(5))));
    let found = db.read().await.find_user(user(2)).await.unwrap().unwrap();
    assert_eq!(found.id, user(2));
    assert_eq!((found.home, found.person), (stored.home, None));
    assert_eq!((found.username, found.name, found.email), (stored.username, stored.name, stored.email));
    assert_eq!((found.bio, found.deactivated), (None, false));
    assert_eq!((found.created_at, found.updated_at), (at(5), at(5)));
    assert_eq!(db.read().await.find_user(user(3)).await.unwrap(), None);
}

async fn usernames_are_unique_per_home_and_per_server_for_own_users(db: &Db) {
    let acme = db.acme().await;
    let named =
        |n: u128, home, username: &str| NewUser { username: username.to_owned(), ..new_user(n, home) };
    let tries = [
        (named(10, None, "ann"), true),
        (named(11, None, "ANN"), false),
        (named(12, Some(acme), "ann"), true),
        (named(13, Some(acme), "Ann"), false),
        (named(14, Some(biz(2)), "ann"), true),
    ];
    for (new, stored) in tries {
        let id = new.id;
        assert_eq!(commit!(db, new, tx => tx.insert_user(new, at(0))), stored, "{id}");
        assert_eq!(db.read().await.find_user(id).await.unwrap().is_some(), stored, "{id}");
    }
    let mut read = db.read().await;
    assert!(read.is_username_taken(None, "aNN", user(11)).await.unwrap());
    assert!(!read.is_username_taken(None, "aNN", user(10)).await.unwrap(), "one's own is free");
    assert!(read.is_username_taken(Some(acme), "ann", user(10)).await.unwrap());
    assert!(!read.is_username_taken(Some(biz(3)), "ann", user(10)).await.unwrap());
    assert_eq!(read.find_own_user_by_username("Ann").await.unwrap().unwrap().id, user(10));
    assert_eq!(read.find_own_user_by_username("ben").await.unwrap(), None);
}

async fn an_address_names_one_local_user_per_home(db: &Db) {
    let acme = db.acme().await;
    let with = |n: u128, home, email: &str| NewUser { email: Some(email.to_owned()), ..new_user(n, home) };
    for (new, stored) in [
        (with(10, Some(acme), "Ann@example.com"), true),
        (with(11, Some(acme), "ann@EXAMPLE.com"), false),
        (with(12, Some(biz(2)), "ann@example.com"), true),
    ] {
        assert_eq!(commit!(db, new, tx => tx.insert_user(new, at(0))), stored);
    }
    let mut read = db.read().await;
    assert_eq!(read.find_local_user(acme, "ANN@example.com").await.unwrap().unwrap().id, user(10));
    assert_eq!(read.find_local_user(biz(2), "ann@example.com").await.unwrap().unwrap().id, user(12));
    assert_eq!(read.find_local_user(acme, "ben@example.com").await.unwrap(), None);
}

async fn a_patch_changes_what_it_names(db: &Db) {
    db.users([1, 2]).await;
    let patch = UserPatch {
        username: Some("Zoë".to_owned()),
        bio: Some(Some("b".to_owned())),
        name: None,
        picture: Some(Some(FileId::from_bits(7))),
    };
    commit!(db, patch, tx => tx.update_user(user(1), patch, at(9)));
    let found = db.read().await.find_user(user(1)).await.unwrap().unwrap();
    assert_eq!((found.username.as_str(), found.name.as_deref()), ("Zoë", Some("Name 1")));
    assert_eq!((found.bio.as_deref(), found.updated_at, found.created_at), (Some("b"), at(9), at(0)));
    assert_eq!(found.picture, Some(FileId::from_bits(7)));
    assert!(db.read().await.find_own_user_by_username("zoë").await.unwrap().is_some());

    let patch = UserPatch { bio: Some(None), name: Some(None), ..UserPatch::default() };
    commit!(db, patch, tx => tx.update_user(user(1), patch, at(10)));
    let found = db.read().await.find_user(user(1)).await.unwrap().unwrap();
    assert_eq!((found.username.as_str(), found.name, found.bio), ("Zoë", None, None));

    let taken = UserPatch { username: Some("uSER2".to_owned()), ..UserPatch::default() };
    let refused = db.store.write(taken, |taken, tx| Box::pin(tx.update_user(user(1), taken, at(11)))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
}

async fn a_username_means_the_companys_own_user_first(db: &Db) {
    let acme = db.acme().await;
    let named = |n: u128, home| NewUser { username: "ann".to_owned(), ..new_user(n, home) };
    for new in [named(10, None), named(12, Some(acme)), named(13, Some(biz(2)))] {
        commit!(db, new, tx => tx.insert_user(new, at(0)));
    }
    assert_eq!(db.read().await.find_user_by_username(acme, "ann").await.unwrap(), None, "nobody is enrolled");
    db.join(acme, [10, 13]).await;
    let id = |found: Option<hallpass_core::entity::User>| found.map(|user| user.id);
    assert_eq!(id(db.read().await.find_user_by_username(acme, "ANN").await.unwrap()), Some(user(10)));
    db.join(acme, [12]).await;
    assert_eq!(id(db.read().await.find_user_by_username(acme, "ann").await.unwrap()), Some(user(12)));
    commit!(db, tx => tx.revoke_member(acme, user(12), at(20)));
    assert_eq!(id(db.read().await.find_user_by_username(acme, "ann").await.unwrap()), Some(user(10)));
}

async fn deactivation_happens_once_and_can_be_undone(db: &Db) {
    db.users([1]).await;
    assert!(commit!(db, tx => tx.deactivate_user(user(1), at(1))));
    assert!(!commit!(db, tx => tx.deactivate_user(user(1), at(2))));
    assert!(!commit!(db, tx => tx.deactivate_user(user(9), at(2))));
    assert!(db.read().await.find_user(user(1)).await.unwrap().unwrap().deactivated);
    assert!(commit!(db, tx => tx.reactivate_user(user(1))));
    assert!(!commit!(db, tx => tx.reactivate_user(user(9))));
    assert!(!db.read().await.find_user(user(1)).await.unwrap().unwrap().deactivated);
}

async fn people_prove_an_address_once(db: &Db) {
    let (ann, ben) = (PersonId::from_bits(1), PersonId::from_bits(2));
    commit!(db, tx => tx.insert_person(ann, "Ann@example.com", Some("$argon2id$…"), at(0)));
    let refused = db
        .store
        .write((), move |(), tx| {
            Box::pin(tx.insert_person(ben, "ANN@example.com", Some("$argon2id$…"), at(0)))
        })
        .await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert_eq!(db.number("SELECT COUNT(*) FROM people").await, 1, "a refused person leaves nothing");
    assert_eq!(db.texts("SELECT email_key FROM person_emails").await, ["ann@example.com"]);
    assert_eq!(db.texts("SELECT phc FROM person_passwords").await, ["$argon2id$…"]);
    for (person, email, proved) in
        [(ann, "ANN@Example.com", true), (ann, "a@b.c", false), (ben, "ann@example.com", false)]
    {
        assert_eq!(db.read().await.is_address_proved(person, email).await.unwrap(), proved, "{email}");
    }

    let acme = db.acme().await;
    assert_eq!(db.read().await.find_own_user(ann).await.unwrap(), None);
    // The one a company made is not their own.
    let local = NewUser { person: Some(ann), ..new_user(2, Some(acme)) };
    let own = NewUser { person: Some(ann), ..new_user(3, None) };
    commit!(db, local, tx => tx.insert_user(local, at(0)));
    assert_eq!(db.read().await.find_own_user(ann).await.unwrap(), None);
    commit!(db, own, tx => tx.insert_user(own, at(0)));
    let found = db.read().await.find_own_user(ann).await.unwrap().unwrap();
    assert_eq!((found.id, found.person), (user(3), Some(ann)));
}

async fn a_company_sees_its_own_and_its_connected_accounts_users(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=5).await;
    let child = db.company(2, 2, Some(1)).await;
    db.company(3, 3, None).await;
    db.join(acme, [2]).await;
    db.join(child, [3]).await;
    commit!(db, tx => tx.update_team_role(AuthorizedUserId::from_bits(1), child, user(4), Role::Admin, at(0)));
    for (company, n, seen) in [
        (acme, 2, true),
        (acme, 3, true),
        (acme, 4, true),
        (acme, 5, false),
        (child, 2, false),
        (child, 3, true),
        (biz(3), 3, false),
    ] {
        let found = db.read().await.is_user_seen_from(company, user(n)).await.unwrap();
        assert_eq!(found, seen, "{company} {n}");
    }
    commit!(db, tx => tx.revoke_member(child, user(3), at(1)));
    assert!(!db.read().await.is_user_seen_from(acme, user(3)).await.unwrap());
}

async fn overrides_are_shown_in_one_company_only(db: &Db) {
    let acme = db.acme().await;
    db.company(2, 1, None).await;
    let shown = async |company| db.read().await.find_override(company, user(1)).await.unwrap();
    let (nothing, picture) = (ProfileOverride::default(), Some(FileId::from_bits(7)));
    assert_eq!(shown(acme).await, nothing);
    commit!(db, tx => tx.update_override(acme, user(1), Some(Some("Boss")), None, at(1)));
    let name = Some("Boss".to_owned());
    assert_eq!(shown(acme).await, ProfileOverride { name: name.clone(), picture: None });
    commit!(db, tx => tx.update_override(acme, user(1), None, Some(picture), at(2)));
    assert_eq!(shown(acme).await, ProfileOverride { name, picture });
    assert_eq!(shown(biz(2)).await, nothing);
    commit!(db, tx => tx.update_override(acme, user(1), Some(None), None, at(3)));
    assert_eq!(shown(acme).await, ProfileOverride { name: None, picture });
    commit!(db, tx => tx.update_override(acme, user(1), None, Some(None), at(4)));
    assert_eq!(shown(acme).await, nothing);
}

async fn found(db: &Db, query: &str) -> Vec<u128> {
    let users = db.read().await.list_users(biz(1), query, &scan(false, 100)).await.unwrap();
    users.into_iter().map(|user| user.id.bits()).collect()
}

async fn lists_show_the_enrolled_by_what_is_shown_there(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=8).await;
    db.join(acme, [2, 3, 4, 5, 6]).await;
    // 3 is both, 7 on the team only; 4 left, 5 is gone, 8 and 1 were never here.
    for n in [3, 7] {
        commit!(db, tx => tx.update_team_role(AuthorizedUserId::from_bits(n), acme, user(n), Role::Admin, at(0)));
    }
    commit!(db, tx => tx.revoke_member(acme, user(4), at(9)));
    commit!(db, tx => tx.deactivate_user(user(5), at(9)));
    assert_eq!(found(db, "").await, [2, 3, 6, 7]);
    assert_eq!(found(db, "USER3").await, [3]);
    assert_eq!(found(db, "name").await, [2, 3, 6, 7]);

    commit!(db, tx => tx.update_override(acme, user(3), Some(Some("Élodie_100% Ünal")), None, at(1)));
    assert_eq!(found(db, "name").await, [2, 6, 7], "what the override hides is not searched");
    for query in ["Élodie", "éLODIE", "ünal", "_100%", "E_"] {
        assert_eq!(found(db, query).await, [3], "{query}");
    }
    for query in ["%", "100_", "\\", "_00"] {
        let expected: &[u128] = if query == "%" { &[3] } else { &[] };
        assert_eq!(found(db, query).await, expected, "{query}: wildcards are letters");
    }
    commit!(db, tx => tx.update_override(acme, user(3), Some(None), None, at(1)));
    assert_eq!(found(db, "name 3").await, [3]);
    let patch = UserPatch { name: Some(Some("ÉTIENNE".to_owned())), ..UserPatch::default() };
    commit!(db, patch, tx => tx.update_user(user(3), patch, at(9)));
    assert_eq!(found(db, "étienne").await, [3]);

    let down = db.read().await.list_users(acme, "", &scan(true, 2)).await.unwrap();
    assert_eq!(down.iter().map(|user| user.id.bits()).collect::<Vec<_>>(), [7, 6]);
}

async fn lists_are_stable_under_changes(db: &Db) {
    let acme = db.acme().await;
    db.users(2..=30).await;
    db.join(acme, (2..=20).step_by(2)).await;
    for descending in [false, true] {
        let mut walked = Vec::new();
        let mut scan = scan(descending, 3);
        loop {
            let page = db.read().await.list_users(acme, "", &scan).await.unwrap();
            let Some(last) = page.last() else { break };
            scan = scan_from(descending, at(0), last.id, 3);
            walked.extend(page.iter().map(|user| user.id.bits()));
            // The one the cursor stands on leaves; somebody joins behind it.
            let (gone, behind) = (last.id, if descending { 25 } else { 3 });
            commit!(db, tx => tx.revoke_member(acme, gone, at(50)));
            commit!(db, tx => tx.insert_member(MemberId::from_bits(behind), acme, user(behind), at(50)));
        }
        let mut expected: Vec<u128> = (2..=20).step_by(2).collect();
        if descending {
            expected.reverse();
        }
        walked.retain(|n| n % 2 == 0);
        assert_eq!(walked, expected);
        // All back for the way down.
        for n in (2..=20_u128).step_by(2) {
            let id = MemberId::from_bits(1000 + n);
            commit!(db, tx => tx.insert_member(id, acme, user(n), at(60)));
        }
    }
}

async fn an_address_means_whom_the_company_knows_by_it(db: &Db) {
    let acme = db.acme().await;
    let other = db.company(2, 1, None).await;
    let person = PersonId::from_bits(5);
    let proved = "Zoe@Example.com";
    commit!(db, tx => tx.insert_person(person, proved, Some("phc"), at(0)));
    let own = NewUser { person: Some(person), ..new_user(10, None) };
    let supplied =
        |n, home, email: &str| NewUser { email: Some(email.to_owned()), ..new_user(n, Some(home)) };
    for new in [
        own,
        supplied(11, acme, "ann@example.com"),
        supplied(12, other, "ben@example.com"),
        supplied(13, acme, "zoe@example.com"),
    ] {
        commit!(db, new, tx => tx.insert_user(new, at(0)));
    }
    let means = async |company, address: &str| {
        let found = db.read().await.find_user_by_address(company, address).await.unwrap();
        found.map(|user| user.id)
    };
    let is_there =
        async |company, n| db.read().await.find_enrolled_user(company, user(n)).await.unwrap().is_some();
    assert_eq!(means(acme, "ann@example.com").await, None, "nobody is enrolled");
    assert!(!is_there(acme, 11).await);
    db.join(acme, [10, 11, 12]).await;
    assert!(is_there(acme, 11).await && !is_there(other, 11).await && !is_there(acme, 13).await);
    assert_eq!(means(acme, "ANN@example.com").await, Some(user(11)));
    assert_eq!(means(acme, "zoe@EXAMPLE.com").await, Some(user(10)));
    // Another company supplied it, or nobody proved it.
    assert_eq!(means(acme, "ben@example.com").await, None);
    assert_eq!(means(other, "zoe@example.com").await, None);
    assert_eq!(means(acme, "@").await, None);
    // The parent supplied it for the account, as long as it is the parent.
    let child = db.company(3, 1, Some(1)).await;
    db.join(child, [11, 12]).await;
    assert_eq!(means(child, "ann@example.com").await, Some(user(11)));
    assert_eq!(means(child, "ben@example.com").await, None);
    assert!(commit!(db, tx => tx.detach_company(child, at(10))));
    assert_eq!(means(child, "ann@example.com").await, None);
    db.join(acme, [13]).await;
    assert_eq!(means(acme, "zoe@example.com").await, Some(user(13)), "the company's own user first");
    // A link between a company's user and a person is not the company's to see.
    let linked = NewUser { person: Some(person), ..new_user(14, Some(other)) };
    commit!(db, linked, tx => tx.insert_user(linked, at(0)));
    db.join(other, [14]).await;
    assert_eq!(means(other, "zoe@example.com").await, None);
    assert_eq!(db.read().await.find_proved_address(person).await.unwrap().as_deref(), Some(proved));
    assert_eq!(db.read().await.find_proved_address(PersonId::from_bits(6)).await.unwrap(), None);
    commit!(db, tx => tx.revoke_member(acme, user(11), at(20)));
    assert_eq!(means(acme, "ann@example.com").await, None);
}
