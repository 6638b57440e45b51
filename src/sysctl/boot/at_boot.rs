//! Which loader this host runs at boot.

use std::path::Path;

use crate::host::Host;
use crate::host::files::Node;
use crate::sysctl::loader::Loader;

/// Where distributions install it.
const SYSTEMD_SYSCTL: [&str; 2] =
    ["/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"];

/// Its unit; the first one that is there counts.
const UNITS: [&str; 4] = [
    "/etc/systemd/system/systemd-sysctl.service",
    "/usr/local/lib/systemd/system/systemd-sysctl.service",
    "/usr/lib/systemd/system/systemd-sysctl.service",
    "/lib/systemd/system/systemd-sysctl.service",
];

const PROCPS: [&str; 4] = ["/usr/sbin/sysctl", "/sbin/sysctl", "/usr/bin/sysctl", "/bin/sysctl"];

/// systemd-sysctl where systemd is the init: where it runs, or /sbin/init leads to it, or, in a
/// tree without an init (a container image), where it is installed. `sysctl --system` where the
/// init is another one, or only procps is there. A tree with nothing of all this counts as
/// systemd's: it can't boot, and it is most likely a part of something that runs systemd.
pub fn loader(host: &Host) -> Loader {
    if host.has_systemd() {
        return Loader::SystemdSysctl;
    }
    let init = host.resolve(Path::new("/sbin/init")).ok().map(|resolved| resolved.path);
    if let Some(init) = init.filter(|path| host.exists(path)) {
        let systemd = init.file_name().is_some_and(|name| name == "systemd");
        return if systemd { Loader::SystemdSysctl } else { Loader::Procps };
    }
    if !SYSTEMD_SYSCTL.iter().any(|path| host.exists(Path::new(path)))
        && PROCPS.iter().any(|path| host.exists(Path::new(path)))
    {
        return Loader::Procps;
    }
    Loader::SystemdSysctl
}

/// Whether its systemd hands `sysctl.extra` to systemd-sysctl (since version 250): the unit says
/// so. Where there is no unit to read, a current systemd is taken for granted.
pub fn gives_credentials(host: &Host) -> bool {
    for path in UNITS {
        if let Ok(Node::File(unit)) = host.read(Path::new(path)) {
            return unit.bytes.split(|byte| *byte == b'\n').any(|line| {
                line.starts_with(b"LoadCredential=sysctl.extra")
                    || line.starts_with(b"ImportCredential=sysctl.")
            });
        }
    }
    true
}
