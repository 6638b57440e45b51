//! Other ssh clients: the policy in the form that each of them takes.

pub mod export;
pub mod securecrt;
