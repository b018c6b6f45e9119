//! The integration tests: one target, one module a theme.

mod allocation;
mod architecture;
mod cli;
mod experiments;
mod imp;
mod masks;
mod presets;
mod program;
mod resume;
