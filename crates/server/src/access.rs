//! Authentication and authorisation: tokens, passcodes, proxies, and the principal of a request.

pub(crate) mod creation;
pub(crate) mod headers;
pub(crate) mod passcode;
pub(crate) mod principal;
pub(crate) mod proxy;
pub(crate) mod seal;
pub(crate) mod site;
pub(crate) mod token;
