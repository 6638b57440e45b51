//! A trial: does the kernel let us write a setting, and does an event tell of it?
//!
//! The file is opened for writing and closed. That needs the permission that a write needs and is
//! told as one (IN_CLOSE_WRITE), but can't undo what somebody else writes at the same moment.

use std::mem::MaybeUninit;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::file;
use crate::host::Host;
use crate::sysctl::Key;

/// What became of the trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// Both.
    Heard,
    /// It may be written, and no event came.
    Unheard,
    /// It may not be written.
    Refused(Errno),
}

/// Makes the trial.
pub fn sing(host: &Host, key: Key) -> Canary {
    let located = host.locate(&file::path(key));
    let flags = CreateFlags::NONBLOCK | CreateFlags::CLOEXEC;
    let watch = inotify::init(flags).and_then(|inotify| {
        inotify::add_watch(&inotify, &located, WatchFlags::CLOSE_WRITE).map(|_| inotify)
    });
    match rustix::fs::open(&located, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => drop(file),
        Err(error) => return Canary::Refused(error),
    }
    // Without a watch, for want of instances, there is no telling; who watches says that.
    let Ok(inotify) = watch else { return Canary::Heard };
    // The event is queued before close(2) returns.
    let mut buffer = [MaybeUninit::uninit(); 512];
    match Reader::new(inotify, &mut buffer).next() {
        Ok(event) if event.events().contains(ReadFlags::CLOSE_WRITE) => Canary::Heard,
        _ => Canary::Unheard,
    }
}
