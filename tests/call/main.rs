//! Calls between participants, each a process of its own.

mod chromium;
