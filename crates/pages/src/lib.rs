//! What people read: pages and letters in eleven languages. Pure: a view in, HTML or text out.
