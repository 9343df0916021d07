//! Webhooks: what is told, and what is heard.

pub(crate) mod dispatcher;
pub(crate) mod receive;
pub(crate) mod sign;
