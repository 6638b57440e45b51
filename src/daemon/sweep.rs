//! What a killed predecessor left: temporary files, never live, removed at start.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::brake;
use crate::host::Host;
use crate::policy::Policy;
use crate::reconcile::{Mode, Resource};
use crate::report::journal::{Kind, Weight, say};
use crate::ssh_client::tree::UserFile;
use crate::ssh_client::{SshClient, Whose};
use crate::sshd::Sshd;
use crate::sysctl::boot::Boot;

/// Where files are replaced. `sshd_config.d` and `sysctl.d` hold our drop-ins; the main files of
/// both are in the directories above.
const PLACES: [&str; 5] =
    ["/etc/ssh/sshd_config.d", "/etc/ssh/ssh_config.d", "/etc/ssh", "/etc/sysctl.d", "/etc"];

/// Removes them, under the locks: another process that is writing now keeps its own. Audit mode
/// leaves even these alone, and so does a pause.
pub fn leftovers(host: &Host, policy: &Policy, whose: &Whose) {
    if policy.mode == Mode::Audit || brake::look(host).is_on() {
        return;
    }
    let (names, mut places): (_, BTreeSet<PathBuf>) = match whose {
        Whose::Everybodys => {
            let names = vec![Sshd::LOCK, Boot::LOCK, SshClient::LOCK, "originals"];
            let instances = policy.sshd_instances.iter().filter_map(|one| one.file.parent());
            let places = PLACES.into_iter().map(PathBuf::from);
            (names, places.chain(instances.map(Path::to_owned)).collect())
        }
        Whose::Users(file) => (vec![SshClient::LOCK, "originals"], users_places(host, file)),
    };
    places.insert(host.state_dir().to_owned());
    places.insert(host.state_dir().join("originals"));
    let locks: Vec<_> = names.into_iter().map(|name| host.lock(name)).collect();
    if let Some(error) = locks.iter().find_map(|lock| lock.as_ref().err()) {
        let message = format!("{error}; leftovers of an interrupted run are not looked for");
        say(Weight::Warning, Kind::Notice, &message);
        return;
    }
    for place in &places {
        match host.sweep(place) {
            Ok(swept) if swept.is_empty() => {}
            Ok(swept) => {
                let names: Vec<_> = swept.iter().map(|name| name.to_string_lossy()).collect();
                let (place, names) = (place.display(), names.join(", "));
                let message = format!("{place}: removed {names} left by an interrupted run");
                say(Weight::Info, Kind::Notice, &message);
            }
            Err(error) => say(Weight::Warning, Kind::Notice, &error.to_string()),
        }
    }
}

/// Where the user's file is, and where it really is: dotfiles are often links.
fn users_places(host: &Host, file: &UserFile) -> BTreeSet<PathBuf> {
    let real = host.resolve(&file.path).ok().map(|resolved| resolved.path);
    let files = [Some(file.path.clone()), real].into_iter().flatten();
    files.filter_map(|file| Some(file.parent()?.to_owned())).collect()
}
