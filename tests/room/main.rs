//! The room service as a program, from the outside.

mod bad_input;
