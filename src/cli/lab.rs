//! No subcommand: the terminal.

use super::args::Common;
use crate::error::Result;

/// Opens the lab.
///
/// # Errors
/// Flags that make no sense, a terminal that cannot be used.
pub fn run(_common: &Common) -> Result<()> {
    Ok(())
}
