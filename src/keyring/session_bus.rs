//! Where the session bus is, judged without a call to libdbus.
//!
//! The order of libdbus 1.14 (`init_session_address` in dbus-bus.c, `dbus_parse_address`):
//! `DBUS_SESSION_BUS_ADDRESS` unless it is empty, a list with `;`; else `$XDG_RUNTIME_DIR/bus` if it
//! is a socket of ours. Never `autolaunch:`, which may start a bus; but without `XDG_RUNTIME_DIR` the
//! place where systemd has it, `/run/user/UID/bus`.

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::path::PathBuf;

/// What the environment of this process says about the session bus (Linux only).
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionBus {
    /// `DBUS_SESSION_BUS_ADDRESS`.
    pub address: Option<OsString>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
    /// The real user id of this process, who must own the socket in `runtime_dir`.
    pub uid: u32,
}

#[cfg(target_os = "linux")]
impl SessionBus {
    /// The address for libdbus, of Unix sockets only.
    pub(crate) fn unix_address(&self) -> Result<String, &'static str> {
        if let Some(address) = self.address.as_ref().filter(|a| !a.is_empty()) {
            let list = address.to_str().unwrap_or_default();
            let mut entries = list.strip_suffix(';').unwrap_or(list).split(';');
            let unix = entries.all(|entry| entry.starts_with("unix:"));
            let not = "DBUS_SESSION_BUS_ADDRESS is not a unix socket";
            return unix.then(|| list.to_owned()).ok_or(not);
        }
        let systemd = || PathBuf::from(format!("/run/user/{}", self.uid));
        let socket = self.runtime_dir.clone().unwrap_or_else(systemd).join("bus");
        if self.owns(&socket) {
            return Ok(escape(&socket));
        }
        Err(match self.runtime_dir {
            None => "neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set",
            Some(_) => "no DBUS_SESSION_BUS_ADDRESS, and $XDG_RUNTIME_DIR/bus is no socket of ours",
        })
    }

    fn owns(&self, socket: &Path) -> bool {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};
        let meta = socket.symlink_metadata();
        meta.is_ok_and(|meta| meta.file_type().is_socket() && meta.uid() == self.uid)
    }
}

/// A path as the specification of D-Bus addresses escapes it.
#[cfg(target_os = "linux")]
fn escape(socket: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    let mut address = "unix:path=".to_owned();
    for byte in socket.as_os_str().as_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_/.\\*".contains(byte);
        let _ = if plain { address.write_char(char::from(*byte)) } else { write!(address, "%{byte:02x}") };
    }
    address
}
