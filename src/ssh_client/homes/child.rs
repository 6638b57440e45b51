//! The child: becomes one account after the other, reads its file, says what stands in it.

use std::io::{self, ErrorKind, Read, Write};

use rustix::fs::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use super::{Answer, Due, LARGEST, Question};
use crate::host::Host;
use crate::host::files::Node;
use crate::ssh_client::overrides::of_file;
use crate::sshd::dialect::Dialect;

/// Reads the question from `input`, and answers it on `output`, each account on a line of its own as
/// soon as that is read.
///
/// # Errors
/// When there is no question, or the answers can't be written.
pub fn serve(host: &Host, input: impl Read, mut output: impl Write) -> io::Result<()> {
    let question: Question = serde_json::from_reader(io::BufReader::new(input))?;
    let dialect = Dialect::from_banner(&question.release).unwrap_or_default().of_client();
    // In a tree, an account could otherwise not even reach its home: the tree may be root's alone.
    let inside = question.become_them && !host.is_live();
    if inside {
        rustix::process::chroot(host.root())?;
        rustix::process::chdir("/")?;
    }
    let host = if inside { Host::live() } else { host.clone() };
    for account in &question.accounts {
        let answer = if question.become_them {
            match change_to(account) {
                Ok(()) => {
                    let answer = read(&host, account, &dialect);
                    set_thread_res_uid(None, Some(Uid::ROOT), None)?;
                    answer
                }
                Err(error) => Answer::Failed(format!("its owner's rights can't be taken: {error}")),
            }
        } else {
            read(&host, account, &dialect)
        };
        serde_json::to_writer(&mut output, &answer)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// Takes the rights of an account, and no others. The real user stays root, so that the account can
/// neither end this process nor look into it (kill(2), ptrace(2)), and the way back is open.
fn change_to(account: &Due) -> io::Result<()> {
    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(None, Some(Gid::from_raw(account.gid)), None)?;
    let uid = Uid::from_raw(account.uid);
    set_thread_res_uid(None, Some(uid), None)?;
    // Unless the securebits say otherwise, the kernel has taken the effective ones (capabilities(7)).
    if !uid.is_root() && capabilities(None)?.effective != CapabilitySet::empty() {
        set_thread_res_uid(None, Some(Uid::ROOT), None)?;
        return Err(io::Error::other("the kernel leaves this process its capabilities"));
    }
    Ok(())
}

/// What its file says. What the account itself may not read, its ssh does not read either.
fn read(host: &Host, account: &Due, dialect: &Dialect) -> Answer {
    let file = account.file();
    match host.read_at_most(&file.path, LARGEST) {
        Ok(Node::File(found)) => Answer::Read(of_file(account.uid, file, found.bytes, dialect)),
        Err(error) if error.source.kind() == ErrorKind::FileTooLarge => Answer::Large,
        _ => Answer::Read(Vec::new()),
    }
}
