//! The gate for a secret that leaves.

use crate::host::Host;
use crate::session::Gate;

/// The gate for a secret that leaves alchemy; `yes` is the command line's answer. While direnv evaluates an `.envrc`,
/// nobody can be asked.
pub(crate) fn outward_gate(host: &Host, yes: bool) -> Gate {
    if host.in_direnv() { Gate::Closed } else { Gate::Asks { yes } }
}
