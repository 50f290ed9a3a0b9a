//! Pages: from `first`, `after`, `last`, `before` and `direction` to a walk along an index, and back.
//!
//! A cursor says where a page ended, carries a MAC, and is bound to its operation and filters; what it
//! opens is decided anew each time.

use hallpass_core::id::CompanyId;
use hallpass_store::{Key, Scan, StoreError};

use crate::App;
use crate::error::AppError;

/// The page size when none is asked for.
const DEFAULT_SIZE: i64 = 20;

/// Which way a list is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Asc,
    /// Newest first.
    Desc,
}

/// What a caller asks of a list.
#[derive(Clone, Debug, Default)]
pub struct PageAsk {
    /// At most this many, from the start or from `after`.
    pub first: Option<i64>,
    /// Behind this cursor.
    pub after: Option<String>,
    /// At most this many, from the end or from `before`.
    pub last: Option<i64>,
    /// Ahead of this cursor.
    pub before: Option<String>,
    /// Which way the list is shown; none for the list's own.
    pub direction: Option<Direction>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, in the list's direction.
    pub items: Vec<T>,
    /// Where the page starts; none if it is empty.
    pub start_cursor: Option<String>,
    /// Where the page ends; none on the last page, because clients walk until there is none.
    pub end_cursor: Option<String>,
    /// More behind.
    pub has_next: bool,
    /// More ahead.
    pub has_previous: bool,
}

/// What a walk found, and how far it looked if it stopped before the end without finding as much as was asked
/// for.
pub(crate) struct Stretch<T> {
    pub(crate) items: Vec<T>,
    pub(crate) stopped: Option<Key>,
}

/// A page's walk, ready for the store.
pub(crate) struct Plan {
    /// What cursors are bound to.
    binding: Vec<u8>,
    from: Option<Key>,
    size: i64,
    /// Shown newest first.
    descending: bool,
    /// Walks against the shown direction, from the end.
    backward: bool,
}

impl<T> Page<T> {
    /// Replaces the items one by one.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            start_cursor: self.start_cursor,
            end_cursor: self.end_cursor,
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

impl<T> Page<T> {
    /// The items, and the page without them, to be [filled](Page::fill) again.
    pub(crate) fn take(mut self) -> (Vec<T>, Page<()>) {
        let items = std::mem::take(&mut self.items);
        (items, self.map(|_| ()))
    }
}

impl Page<()> {
    /// The page with other items in the same places.
    pub(crate) fn fill<U>(self, items: Vec<U>) -> Page<U> {
        Page {
            items,
            start_cursor: self.start_cursor,
            end_cursor: self.end_cursor,
            has_next: self.has_next,
            has_previous: self.has_previous,
        }
    }
}

impl PageAsk {
    /// Plans a page of the list `operation` of `company`, narrowed by `filters`.
    ///
    /// # Errors
    /// [`AppError::Invalid`] for a size below one, both ends at once, or a cursor that is not of this
    /// very list.
    pub(crate) fn plan(
        &self,
        app: &App,
        operation: &str,
        company: CompanyId,
        filters: &[&str],
        (default_direction, max_size): (Direction, i64),
    ) -> Result<Plan, AppError> {
        let size = |param, size: Option<i64>| match size {
            Some(size) if size < 1 => Err(AppError::invalid(param, format!("{param} must be at least 1"))),
            size => Ok(size.map(|size| size.min(max_size))),
        };
        let (first, last) = (size("first", self.first)?, size("last", self.last)?);
        if first.is_some() && last.is_some() {
            return Err(AppError::invalid("last", "first and last exclude each other"));
        }
        if self.after.is_some() && self.before.is_some() {
            return Err(AppError::invalid("before", "after and before exclude each other"));
        }
        let backward = last.is_some() || (self.before.is_some() && first.is_none());
        if backward && self.after.is_some() {
            return Err(AppError::invalid("last", "last goes with before, not with after"));
        }
        if !backward && self.before.is_some() {
            return Err(AppError::invalid("before", "before goes with last, not with first"));
        }
        let direction = self.direction.unwrap_or(default_direction);
        let descending = direction == Direction::Desc;
        let mut binding = Vec::new();
        let company = company.to_string();
        let way: &str = if descending { "desc" } else { "asc" };
        for part in [operation, &company, way].iter().chain(filters) {
            binding.extend_from_slice(&(part.len() as u64).to_be_bytes());
            binding.extend_from_slice(part.as_bytes());
        }
        let (param, cursor) = match (&self.after, &self.before) {
            (Some(after), _) => ("after", Some(after)),
            (None, before) => ("before", before.as_ref()),
        };
        let from = cursor
            .map(|cursor| {
                let payload = app.cursors.decode(&[&binding], cursor).ok();
                let key = payload.as_deref().and_then(read_key);
                key.ok_or_else(|| AppError::invalid(param, "this cursor is not of this list"))
            })
            .transpose()?;
        let size = first.or(last).unwrap_or(DEFAULT_SIZE.min(max_size));
        Ok(Plan { binding, from, size, descending, backward })
    }
}

fn read_key(payload: &[u8]) -> Option<Key> {
    let (at, id) = payload.split_first_chunk::<8>()?;
    Some(Key { at: i64::from_be_bytes(*at), id: String::from_utf8(id.to_vec()).ok()? })
}

impl Plan {
    /// Walks with `list` and makes the page.
    pub(crate) async fn fetch<T, Found>(
        self,
        app: &App,
        key: impl Fn(&T) -> Key,
        list: impl Fn(Scan) -> Found,
    ) -> Result<Page<T>, AppError>
    where
        Found: Future<Output = Result<Vec<T>, StoreError>>,
    {
        let list = |scan| {
            let found = list(scan);
            async move { Ok(Stretch { items: found.await?, stopped: None }) }
        };
        self.fetch_stretch(app, key, list).await
    }

    /// Walks with `list`, which may stop short, and makes the page. The walk begins with the cursor's own
    /// item, which lies beyond the page, and goes on to one item more than the page holds; from where it
    /// stopped short, if it has found nothing for the page. Only where the cursor's item is gone is there
    /// another walk, to see whether anything else is beyond.
    pub(crate) async fn fetch_stretch<T, Found>(
        self,
        app: &App,
        key: impl Fn(&T) -> Key,
        list: impl Fn(Scan) -> Found,
    ) -> Result<Page<T>, AppError>
    where
        Found: Future<Output = Result<Stretch<T>, StoreError>>,
    {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let descending = self.descending != self.backward;
        let from = self.from.as_ref().map(|from| from.just_ahead(descending));
        let limit = self.size + if from.is_some() { 2 } else { 1 };
        let Stretch { mut items, mut stopped } = list(Scan { descending, from, limit }).await?;
        let own = |item: &T| self.from.as_ref().is_some_and(|from| key(item) == *from);
        while let Some(on) = stopped.take_if(|_| items.iter().all(own)) {
            let further = list(Scan { descending, from: Some(on), limit: self.size + 1 }).await?;
            items.extend(further.items);
            stopped = further.stopped;
        }
        let beyond = match &self.from {
            None => false,
            Some(from) if items.first().is_some_and(|item| key(item) == *from) => {
                items.remove(0);
                true
            }
            Some(from) => {
                let back = Scan { descending: !descending, from: Some(from.clone()), limit: 1 };
                let back = list(back).await?;
                !back.items.is_empty() || back.stopped.is_some()
            }
        };
        let full = items.len() > size;
        items.truncate(size);
        if self.backward {
            items.reverse();
        }
        let cursor = |key: Key| {
            let payload = [&key.at.to_be_bytes()[..], key.id.as_bytes()].concat();
            app.cursors.encode(&[&self.binding], &payload)
        };
        // Where the walk stopped short, the next page goes on from there, not from the last item.
        let stopped = stopped.filter(|_| !full);
        let more = full || stopped.is_some();
        let (has_previous, has_next) = if self.backward { (more, beyond) } else { (beyond, more) };
        let (before, behind) = if self.backward { (stopped, None) } else { (None, stopped) };
        Ok(Page {
            start_cursor: before.or_else(|| items.first().map(&key)).map(cursor),
            end_cursor: behind.or_else(|| items.last().map(&key)).filter(|_| has_next).map(cursor),
            has_next,
            has_previous,
            items,
        })
    }
}
