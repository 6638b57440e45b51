//! Whether somebody has a file open for writing. Who writes in place, on a slow line or by hand, leaves
//! half a file for as long as that takes, and loses the rest if another file takes its place meanwhile.
//!
//! The kernel tells by granting a read lease or not (fcntl(2), `F_SETLEASE`): to the owner of the file
//! only, which for all that sshd reads is root.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::fstatfs;

/// Network file systems refuse a lease also when nobody writes: NFS, and SMB under its three numbers.
const REFUSE_ALWAYS: [u32; 4] = [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42];

/// Which signal says that somebody waits for us, in the numbers of `fcntl.h`: libc has no name for it.
const F_SETSIG: libc::c_int = 10;

/// While it is held, whoever opens the file for writing waits.
#[derive(Debug)]
pub(super) struct Lease<'f> {
    file: BorrowedFd<'f>,
}

/// Somebody has it open for writing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BeingWritten;

impl<'f> Lease<'f> {
    /// For a file that is open for reading; `None` where the kernel does not tell: for somebody else's
    /// file, and on some file systems.
    pub fn take(file: &'f impl AsFd) -> Result<Option<Self>, BeingWritten> {
        let file = file.as_fd();
        // By default that is SIGIO, which kills; this one does nothing.
        let taken = control(file, F_SETSIG, libc::SIGURG)
            .and_then(|()| control(file, libc::F_SETLEASE, libc::F_RDLCK));
        match taken {
            Ok(()) => Ok(Some(Self { file })),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !refuses_always(file) => {
                Err(BeingWritten)
            }
            Err(_) => Ok(None),
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // It ends with the descriptor at the latest.
        let _ = control(self.file, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

fn refuses_always(file: BorrowedFd<'_>) -> bool {
    let kind = fstatfs(file).map(|statfs| u32::try_from(statfs.f_type));
    matches!(kind, Ok(Ok(kind)) if REFUSE_ALWAYS.contains(&kind))
}

#[expect(unsafe_code, reason = "no crate offers leases")]
fn control(file: BorrowedFd<'_>, command: libc::c_int, argument: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as it is borrowed, and these commands take a number: they
    // neither read nor write memory of ours.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
