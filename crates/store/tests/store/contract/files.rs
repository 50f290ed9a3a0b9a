use hallpass_core::file::{ContentHash, FileBlob, FileUse, UploadStatus, Visibility};
use hallpass_core::id::FileId;
use hallpass_store::{DueFile, NewFile, StoreError};

use crate::fixtures::*;

on_both! {
    a_file_goes_its_way_once,
    a_draft_that_is_not_the_one_changes_nothing,
    a_use_keeps_a_file_and_its_last_end_releases_it,
    uses_are_replaced_as_a_whole,
    a_use_ahead_of_what_it_speaks_of_is_confirmed_or_withdrawn,
    a_file_is_forgotten_when_it_is_due_and_unused,
    a_copy_is_removed_with_its_last_user_only,
    a_copy_that_is_being_removed_is_not_begun_to_be_used,
}

fn file(n: u128) -> FileId {
    FileId::from_bits(n)
}

fn hash(n: u8) -> ContentHash {
    ContentHash([n; 32])
}

fn blob(n: u8, px: u32) -> FileBlob {
    FileBlob { px, hash: hash(n), content_type: "text/plain".to_owned(), size_bytes: 5 }
}

async fn pending(db: &Db, n: u128) {
    let new = NewFile {
        id: file(n),
        company: biz(1),
        user: Some(user(1)),
        key: None,
        filename: format!("{n}.txt"),
        visibility: Visibility::Private,
        due_at: at(100),
    };
    commit!(db, new, tx => tx.insert_file(new, at(0)));
}

/// A ready file, due at 1000, of the content `n`.
async fn ready(db: &Db, n: u128, content: u8) {
    pending(db, n).await;
    assert!(commit!(db, tx => tx.begin_file(file(n), "draft", at(200))));
    assert!(commit!(db, tx => tx.touch_blob(hash(content), at(300))));
    let blob = blob(content, 0);
    assert!(commit!(db, blob, tx => tx.finish_file(file(n), "draft", blob, at(1000))));
}

async fn a_file_goes_its_way_once(db: &Db) {
    db.acme().await;
    pending(db, 1).await;
    let found = db.read().await.find_file(file(1)).await.unwrap().unwrap();
    assert_eq!((found.status, found.user, found.key), (UploadStatus::Pending, Some(user(1)), None));
    assert_eq!((found.visibility, found.size_bytes, found.released), (Visibility::Private, None, false));
    assert_eq!(db.read().await.find_file(file(9)).await.unwrap(), None);
    assert!(commit!(db, tx => tx.begin_file(file(1), "draft-a", at(200))));
    assert!(!commit!(db, tx => tx.begin_file(file(1), "draft-b", at(200))), "another was first");
    assert_eq!(db.read().await.list_due_files(at(199), 9).await.unwrap(), []);
    let due = db.read().await.list_due_files(at(200), 9).await.unwrap();
    let status = UploadStatus::Processing;
    assert_eq!(due, [DueFile { id: file(1), status, draft: Some("draft-a".to_owned()) }]);
    assert!(!commit!(db, tx => tx.take_up_file(file(1), at(199), at(400))), "not yet due");
    assert!(commit!(db, tx => tx.take_up_file(file(1), at(200), at(400))));
    assert!(!commit!(db, tx => tx.take_up_file(file(1), at(200), at(400))), "somebody else has");
    assert!(commit!(db, tx => tx.touch_blob(hash(1), at(300))));
    let blob_1 = blob(1, 0);
    assert!(commit!(db, blob_1, tx => tx.finish_file(file(1), "draft-a", blob_1, at(1000))));
    let found = db.read().await.find_file(file(1)).await.unwrap().unwrap();
    assert_eq!((found.status, found.size_bytes), (UploadStatus::Ready, Some(5)));
    assert_eq!(found.content_type.as_deref(), Some("text/plain"));
    assert_eq!(db.read().await.find_file_blob(file(1), 0).await.unwrap(), Some(blob(1, 0)));
    assert_eq!(db.read().await.find_file_blob(file(1), 64).await.unwrap(), None);
    let square = blob(1, 64);
    commit!(db, square, tx => tx.insert_file_blob(file(1), square));
    assert_eq!(db.read().await.find_file_blob(file(1), 64).await.unwrap(), Some(blob(1, 64)));
    let of_no_copy = blob(9, 128);
    let refused = db.store.write(of_no_copy, |blob, tx| Box::pin(tx.insert_file_blob(file(1), blob))).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    ready(db, 2, 1).await;
    let ids: Vec<FileId> = vec![file(2), file(9), file(1), file(2)];
    let mut listed: Vec<FileId> =
        db.read().await.list_files(&ids).await.unwrap().into_iter().map(|file| file.id).collect();
    listed.sort_unstable();
    assert_eq!(listed, [file(1), file(2)]);
    assert_eq!(db.read().await.list_files(&[]).await.unwrap(), []);
}

async fn a_draft_that_is_not_the_one_changes_nothing(db: &Db) {
    db.acme().await;
    pending(db, 1).await;
    assert!(commit!(db, tx => tx.begin_file(file(1), "draft", at(200))));
    let other = blob(1, 0);
    commit!(db, tx => tx.touch_blob(hash(1), at(300)));
    assert!(!commit!(db, other, tx => tx.finish_file(file(1), "other", other, at(1000))));
    assert!(!commit!(db, tx => tx.fail_file(file(1), "other", at(1000))));
    assert!(!commit!(db, tx => tx.return_file(file(1), "other", at(1000))));
    assert!(commit!(db, tx => tx.return_file(file(1), "draft", at(1000))));
    let status = async || db.read().await.find_file(file(1)).await.unwrap().unwrap().status;
    assert_eq!(status().await, UploadStatus::Pending);
    assert!(commit!(db, tx => tx.begin_file(file(1), "draft", at(200))));
    assert!(commit!(db, tx => tx.fail_file(file(1), "draft", at(1000))));
    assert_eq!(status().await, UploadStatus::Failed);
    assert!(!commit!(db, tx => tx.begin_file(file(1), "draft", at(200))));
}

async fn a_use_keeps_a_file_and_its_last_end_releases_it(db: &Db) {
    db.acme().await;
    pending(db, 2).await;
    let picture = FileUse::User(user(1));
    let logo = FileUse::Logo(biz(1));
    assert!(!commit!(db, tx => tx.insert_file_use(file(2), picture, None, at(1))), "not ready");
    assert!(!commit!(db, tx => tx.insert_file_use(file(9), picture, None, at(1))), "not there");
    ready(db, 1, 1).await;
    for what in [picture, logo, logo] {
        assert!(commit!(db, tx => tx.insert_file_use(file(1), what, None, at(1))));
    }
    for n in 1..=120 {
        let what = FileUse::Message(post(n));
        assert!(commit!(db, tx => tx.insert_file_use(file(1), what, None, at(1))));
    }
    let shown = db.read().await.list_picture_uses(file(1)).await.unwrap();
    assert_eq!(shown, [logo, picture], "however many messages have it");
    for n in 1..=120 {
        commit!(db, tx => tx.delete_file_use(file(1), FileUse::Message(post(n)), at(1)));
    }
    assert_eq!(db.read().await.list_files_of_use(logo).await.unwrap(), [file(1)]);
    assert_eq!(db.number("SELECT COUNT(*) FROM files WHERE due_at IS NULL").await, 1, "in use");
    let released = async || db.read().await.find_file(file(1)).await.unwrap().unwrap().released;
    commit!(db, tx => tx.delete_file_use(file(1), logo, at(2)));
    assert!(!released().await);
    commit!(db, tx => tx.delete_file_use(file(1), picture, at(3)));
    assert!(released().await);
    assert!(!commit!(db, tx => tx.insert_file_use(file(1), logo, None, at(4))), "gone is gone");
}

async fn uses_are_replaced_as_a_whole(db: &Db) {
    db.acme().await;
    for n in 1..=3 {
        ready(db, n, 1).await;
    }
    let what = FileUse::Message(post(1));
    let replace = async |files: &'static [u128]| {
        let files: Vec<FileId> = files.iter().copied().map(file).collect();
        commit!(db, files, tx => tx.replace_file_uses(what, files, at(5)))
    };
    assert!(replace(&[1, 2]).await);
    assert!(replace(&[2, 3]).await);
    assert_eq!(db.read().await.list_files_of_use(what).await.unwrap(), [file(2), file(3)]);
    assert!(!replace(&[1]).await, "the first was released");
    assert!(replace(&[]).await);
    assert_eq!(db.number("SELECT COUNT(*) FROM files WHERE released_at IS NOT NULL").await, 3);
}

async fn a_use_ahead_of_what_it_speaks_of_is_confirmed_or_withdrawn(db: &Db) {
    db.acme().await;
    for n in 1..=2 {
        ready(db, n, 1).await;
        let what = FileUse::Message(post(n));
        assert!(commit!(db, tx => tx.insert_file_use(file(n), what, Some(at(50)), at(1))));
    }
    assert_eq!(db.read().await.list_unchecked_uses(at(49), 9).await.unwrap(), []);
    let unchecked = db.read().await.list_unchecked_uses(at(50), 9).await.unwrap();
    assert_eq!(unchecked.len(), 2);
    commit!(db, tx => tx.confirm_file_use(file(1), FileUse::Message(post(1))));
    commit!(db, tx => tx.withdraw_file_use(file(2), FileUse::Message(post(2)), at(2000)));
    assert_eq!(db.read().await.list_unchecked_uses(at(50), 9).await.unwrap(), []);
    assert_eq!(db.read().await.list_files_of_use(FileUse::Message(post(1))).await.unwrap(), [file(1)]);
    let found = db.read().await.find_file(file(2)).await.unwrap().unwrap();
    assert!(!found.released, "as it was before");
    let due = db.read().await.list_due_files(at(2000), 9).await.unwrap();
    assert_eq!(due.iter().map(|due| due.id).collect::<Vec<_>>(), [file(2)]);
}

async fn a_file_is_forgotten_when_it_is_due_and_unused(db: &Db) {
    db.acme().await;
    ready(db, 1, 1).await;
    ready(db, 2, 1).await;
    assert!(!commit!(db, tx => tx.delete_due_file(file(1), at(999))), "not due");
    assert!(commit!(db, tx => tx.insert_file_use(file(2), FileUse::User(user(1)), None, at(1))));
    assert!(!commit!(db, tx => tx.delete_due_file(file(2), at(5000))), "in use");
    assert!(commit!(db, tx => tx.delete_due_file(file(1), at(1000))));
    assert!(!commit!(db, tx => tx.delete_due_file(file(1), at(1000))));
    assert_eq!(db.read().await.find_file(file(1)).await.unwrap(), None);
    pending(db, 3).await;
    assert!(commit!(db, tx => tx.begin_file(file(3), "draft", at(10))));
    assert!(!commit!(db, tx => tx.delete_due_file(file(3), at(5000))), "to be taken up, not forgotten");
}

async fn a_copy_is_removed_with_its_last_user_only(db: &Db) {
    db.acme().await;
    ready(db, 1, 7).await;
    ready(db, 2, 7).await;
    let suspects = async |now: i64| db.read().await.list_suspect_blobs(at(now), 9).await.unwrap();
    assert_eq!(suspects(299).await, [], "touched not long ago");
    assert_eq!(suspects(300).await, [hash(7)]);
    assert!(!commit!(db, tx => tx.doom_blob(hash(7), at(300), at(0))), "in use");
    assert_eq!(suspects(9000).await, [], "and no suspect any more");
    for (n, last) in [(1, false), (2, true)] {
        assert!(commit!(db, tx => tx.delete_due_file(file(n), at(1000))));
        assert_eq!(suspects(1000).await, [hash(7)]);
        assert_eq!(commit!(db, tx => tx.doom_blob(hash(7), at(1000), at(0))), last);
    }
    assert!(!commit!(db, tx => tx.doom_blob(hash(7), at(1001), at(900))), "another node is at it");
    assert!(commit!(db, tx => tx.doom_blob(hash(7), at(3000), at(2000))), "it was, long ago");
    commit!(db, tx => tx.delete_blob(hash(7), at(1000)));
    assert_eq!(db.number("SELECT COUNT(*) FROM blobs").await, 1, "not who doomed it last");
    commit!(db, tx => tx.delete_blob(hash(7), at(3000)));
    assert_eq!(db.number("SELECT COUNT(*) FROM blobs").await, 0);
}

async fn a_copy_that_is_being_removed_is_not_begun_to_be_used(db: &Db) {
    db.acme().await;
    assert!(commit!(db, tx => tx.touch_blob(hash(1), at(10))));
    assert!(commit!(db, tx => tx.touch_blob(hash(1), at(20))));
    assert!(!commit!(db, tx => tx.doom_blob(hash(1), at(19), at(0))), "touched until then");
    assert!(commit!(db, tx => tx.doom_blob(hash(1), at(20), at(0))));
    assert!(!commit!(db, tx => tx.touch_blob(hash(1), at(90))));
    commit!(db, tx => tx.delete_blob(hash(1), at(20)));
    assert!(commit!(db, tx => tx.touch_blob(hash(1), at(90))));
}
