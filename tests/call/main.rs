//! Calls between participants, each a process of its own.

mod bad_input;
mod chromium;
mod mesh;
mod plain;
mod relay;
mod resume;
