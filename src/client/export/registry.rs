//! `.reg` files, as regedit itself writes them: UTF-16LE with a byte order mark, CRLF.

use super::{Certainty, IGNORE, Notes, Settings};

const MINUTE: u32 = 60;

fn file(notes: &Notes<'_>, key: &str, values: &[(&str, u32)]) -> Vec<u8> {
    let mut text = String::from("Windows Registry Editor Version 5.00\n\n");
    text.push_str(&notes.comment(";"));
    text.push_str(&format!("\n[{key}]\n"));
    for (name, value) in values {
        text.push_str(&format!("\"{name}\"=dword:{value:08x}\n"));
    }
    text.push('\n');
    let text = text.replace('\n', "\r\n");
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

const NO_COUNT: &str = "There is no count: a client that sends without asking gives up only when \
                        TCP does";

pub(super) fn putty(settings: &Settings) -> Vec<u8> {
    let notes = Notes {
        title: "Keepalive settings for PuTTY",
        place: "import it with regedit; new sessions copy these default settings. For a saved \
                session replace Default%20Settings by its name, %XX-escaped",
        wire: IGNORE,
        certainty: Certainty::Documented,
        more: &[NO_COUNT],
    };
    let key = r"HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\Default%20Settings";
    let mut values = vec![
        ("PingInterval", settings.interval / MINUTE),
        ("PingIntervalSecs", settings.interval % MINUTE),
    ];
    if let Some(value) = settings.tcp_keep_alive {
        values.push(("TCPKeepalives", u32::from(value)));
    }
    file(&notes, key, &values)
}

pub(super) fn winscp(settings: &Settings) -> Vec<u8> {
    let notes = Notes {
        title: "Keepalive settings for WinSCP",
        place: "import it with regedit; new sites copy these default settings. With WinSCP.ini \
                instead of the registry: the same names in [Sessions\\Default%20Settings], in \
                decimal",
        wire: "with PingType 1 a null packet that is not answered: keeps a NAT or firewall open, and \
               finds no dead server. PingType 2 would run a dummy command, which is answered",
        certainty: Certainty::Assumed,
        more: &[
            "Certain are the names, from WinSCP's source; not certain is the registry path",
            NO_COUNT,
        ],
    };
    let key = r"HKEY_CURRENT_USER\Software\Martin Prikryl\WinSCP 2\Sessions\Default%20Settings";
    let values = [
        ("PingType", u32::from(settings.interval > 0)),
        ("PingInterval", settings.interval / MINUTE),
        ("PingIntervalSecs", settings.interval % MINUTE),
    ];
    file(&notes, key, &values)
}

/// `time` and `interval` in seconds; Windows takes milliseconds, at most 2^32 - 1.
pub(super) fn windows_tcp(time: u32, interval: u32) -> Vec<u8> {
    let milliseconds = |seconds: u32| seconds.saturating_mul(1000);
    let notes = Notes {
        title: "TCP keepalive of Windows",
        place: "import it with regedit as administrator, then reboot",
        wire: "bare TCP probes, for sockets that ask for them only (in PuTTY: TCPKeepalives); the \
               peer's kernel answers, and 10 probes without an answer end the connection: the number \
               is fixed since Windows Vista",
        certainty: Certainty::Documented,
        more: &[
            "The values are milliseconds",
            "Certain are names and units; that it takes a reboot is general knowledge",
        ],
    };
    let key = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
    let values =
        [("KeepAliveTime", milliseconds(time)), ("KeepAliveInterval", milliseconds(interval))];
    file(&notes, key, &values)
}
