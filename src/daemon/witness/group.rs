//! fanotify. Two groups: one that names entries of directories, which procfs can't on older kernels,
//! and one for the kernel's values, which are told by the file itself.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::CWD;

use crate::sysctl::Key;

/// `FAN_REPORT_DIR_FID | FAN_REPORT_NAME` of linux/fanotify.h, which `nix` does not name.
const REPORT_NAMES: u32 = 0xC00;

/// `FAN_EVENT_INFO_TYPE_DFID_NAME`: directory, file handle, name.
const NAMED: u8 = 2;

/// `struct fanotify_event_metadata`: length, version, reserved, length of itself, mask, fd, pid.
const METADATA: usize = 24;

/// Both groups.
#[derive(Debug)]
pub(super) struct Groups {
    values: Fanotify,
    entries: Fanotify,
}

impl Groups {
    pub fn open() -> io::Result<Self> {
        let flags = InitFlags::FAN_CLASS_NOTIF | InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        let opened = EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC;
        let values = Fanotify::init(flags, opened)?;
        let named = flags | InitFlags::from_bits_retain(REPORT_NAMES);
        let entries = Fanotify::init(named, opened)?;
        for key in Key::ALL {
            let path = PathBuf::from("/proc/sys").join(key.name().replace('.', "/"));
            values.mark(MarkFlags::FAN_MARK_ADD, MaskFlags::FAN_MODIFY, CWD, Some(&path))?;
        }
        Ok(Self { values, entries })
    }

    /// Adds a directory; one that can't be observed is not.
    pub fn observe(&self, directory: &Path) {
        let mask = MaskFlags::FAN_MODIFY
            | MaskFlags::FAN_CLOSE_WRITE
            | MaskFlags::FAN_CREATE
            | MaskFlags::FAN_DELETE
            | MaskFlags::FAN_MOVED_FROM
            | MaskFlags::FAN_MOVED_TO
            | MaskFlags::FAN_EVENT_ON_CHILD;
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_ONLYDIR;
        let _ = self.entries.mark(flags, mask, CWD, Some(directory));
    }

    /// Tells of each write by somebody else, until the other end of `over` is closed.
    pub fn watch(&self, over: &UnixStream, tell: impl Fn(String, i32)) {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let tell = |entry: Option<String>, pid: i32| {
            if let Some(entry) = entry.filter(|_| pid != own) {
                tell(entry, pid);
            }
        };
        loop {
            let (values, entries) = (self.values.as_fd(), self.entries.as_fd());
            let mut ready = [
                PollFd::new(&over, PollFlags::IN),
                PollFd::new(&values, PollFlags::IN),
                PollFd::new(&entries, PollFlags::IN),
            ];
            match poll(&mut ready, None) {
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            if ready.first().is_none_or(|over| !over.revents().is_empty()) {
                return;
            }
            for event in self.values.read_events().unwrap_or_default() {
                tell(event.fd().and_then(|fd| entry_of(&fd)), event.pid());
            }
            let mut buffer = [0; 4096];
            if let Ok(length) = rustix::io::read(&self.entries, &mut buffer) {
                for (entry, pid) in parse(buffer.get(..length).unwrap_or_default()) {
                    tell(Some(entry), pid);
                }
            }
        }
    }
}

/// The name of an open file.
fn entry_of(fd: &impl AsFd) -> Option<String> {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
    let path = std::fs::read_link(link).ok()?;
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

/// The names and processes in what fanotify gives; what is not understood is left out.
pub(super) fn parse(mut bytes: &[u8]) -> Vec<(String, i32)> {
    let mut found = Vec::new();
    while let (Some(length), Some(pid)) = (number(bytes, 0), number(bytes, 20)) {
        let Some(event) = bytes.get(..length as usize).filter(|event| event.len() >= METADATA)
        else {
            break;
        };
        if let Some(name) = name(event.get(METADATA..).unwrap_or_default()) {
            found.push((name, pid.cast_signed()));
        }
        bytes = bytes.get(length as usize..).unwrap_or_default();
    }
    found
}

/// The name in the first record that has one: type, padding, length; file system id; length and type
/// of the handle, the handle; the name up to a zero byte.
fn name(mut records: &[u8]) -> Option<String> {
    loop {
        let kind = *records.first()?;
        let length = usize::from(u16::from_ne_bytes(records.get(2..4)?.try_into().ok()?));
        let record = records.get(..length).filter(|record| record.len() >= 4)?;
        if kind == NAMED {
            let handle = number(record, 12)? as usize;
            let name = record.get(20_usize.checked_add(handle)?..)?;
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            return Some(String::from_utf8_lossy(name.get(..end)?).into_owned());
        }
        records = records.get(length..)?;
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
