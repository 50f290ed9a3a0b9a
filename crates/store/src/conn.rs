//! Connections and transactions: one concrete type over both engines.
//!
//! Reading functions are methods of [`Conn`], writing ones of [`Tx`], which derefs to a `Conn`: what
//! is read inside a transaction is read through it.

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{Postgres, Sqlite, SqliteConnection};

/// A connection to either engine.
pub struct Conn(pub(crate) Inner);

pub(crate) enum Inner {
    SqliteRead(PoolConnection<Sqlite>),
    SqliteWrite(SqliteConnection),
    Postgres(PoolConnection<Postgres>),
}

/// A connection inside an open write transaction. Only the writer makes one.
pub struct Tx(pub(crate) Conn);

impl Deref for Tx {
    type Target = Conn;
    fn deref(&self) -> &Conn {
        &self.0
    }
}
impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0
    }
}

/// Runs the same expression on whichever engine this is, with `$c` bound to its connection.
///
/// Boxed, because a driver's futures are large, and whoever awaits this would be as large: with them
/// inside, moving a request's future costs more than most requests.
macro_rules! on {
    ($conn:expr, $c:ident => $run:expr) => {
        match &mut $conn.0 {
            $crate::conn::Inner::SqliteRead(conn) => {
                let $c = &mut **conn;
                Box::pin(async { $run }).await
            }
            $crate::conn::Inner::SqliteWrite(conn) => {
                let $c = &mut *conn;
                Box::pin(async { $run }).await
            }
            $crate::conn::Inner::Postgres(conn) => {
                let $c = &mut **conn;
                Box::pin(async { $run }).await
            }
        }
    };
}
pub(crate) use on;

/// Chooses between the two spellings of one statement.
macro_rules! dialect {
    ($conn:expr, $statement:ident) => {
        match &$conn.0 {
            $crate::conn::Inner::Postgres(_) => $crate::dialect::postgres::$statement,
            _ => $crate::dialect::sqlite::$statement,
        }
    };
}
pub(crate) use dialect;
