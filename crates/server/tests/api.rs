//! The API through the whole path: the in-process router over a real store.

#![recursion_limit = "256"]

mod api {
    mod authority;
    mod authorization;
    mod cases;
    mod first_half;
    mod given;
    mod threats;
}
