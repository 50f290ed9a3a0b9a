//! The API through the whole path: the in-process router over a real store.

mod api {
    mod first_half;
}
