//! A tree of files, and a network and mount namespace in which the real loaders see it as their own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use keepalive_policy::host::Host;
use keepalive_policy::sysctl::Key;
use keepalive_policy::sysctl::loader::{Loader, Scope};
use keepalive_policy::sysctl::tree::{CREDENTIALS, VOLATILE_CREDENTIAL};

/// Serves any number of runs. /proc/sys is read-only but for the values of this network namespace,
/// so that no pattern reaches the machine's own.
const WORKER: &str = r#"
set -eu
mount --make-rprivate /
for directory in etc run usr/local usr/lib/sysctl.d; do mount --bind "$1/$directory" "/$directory"; done
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind /proc/sys/net/ipv4 /proc/sys/net/ipv4
mount -o remount,bind,rw /proc/sys/net/ipv4
cd /proc/sys/net/ipv4
export LC_ALL=C SYSTEMD_LOG_TARGET=null PATH=/usr/sbin:/usr/bin:/sbin:/bin
while read -r loader credentials; do
    echo 7200 >tcp_keepalive_time; echo 75 >tcp_keepalive_intvl; echo 9 >tcp_keepalive_probes
    echo 15 >tcp_retries2
    echo 60 >tcp_fin_timeout; echo 64 >ip_default_ttl; echo 6 >tcp_syn_retries
    case $loader in
    SystemdSysctl) CREDENTIALS_DIRECTORY=$credentials $2 >/dev/null 2>&1 || : ;;
    Procps) $3 --system >/dev/null 2>&1 || : ;;
    write) dd if=/run/text of="$credentials" bs=16M conv=notrunc >/dev/null 2>&1 || : ;;
    esac
    echo $(cat tcp_keepalive_time tcp_keepalive_intvl tcp_keepalive_probes tcp_retries2 \
        tcp_fin_timeout ip_default_ttl tcp_syn_retries)
done
"#;

/// What a loader set.
#[derive(Debug, PartialEq, Eq)]
pub struct Values {
    pub ours: BTreeMap<Key, i64>,
    pub others: Vec<i64>,
}

pub struct Arena {
    directory: tempfile::TempDir,
    host: Host,
    worker: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Arena {
    #[expect(clippy::disallowed_methods, reason = "an endless worker, which Host::run is not for")]
    pub fn new() -> Self {
        let systemd = program("KEEPALIVE_ORACLE_SYSTEMD", "/lib/systemd/systemd-sysctl");
        let procps = program("KEEPALIVE_ORACLE_PROCPS", "/usr/sbin/sysctl");
        // In memory where there is such a place: every tree is synced many times.
        let memory = Path::new("/dev/shm");
        let directory = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        for path in ["etc", "run", "usr/local/lib", "usr/lib/sysctl.d"] {
            std::fs::create_dir_all(directory.path().join(path)).unwrap();
        }
        symlink("usr/lib", directory.path().join("lib")).unwrap();
        let mut worker = Command::new("unshare")
            .args(["--net", "--mount", "--propagation", "private", "sh", "-c", WORKER, "worker"])
            .arg(directory.path())
            .args([systemd, procps])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs root and unshare(1)");
        let host = Host::at(directory.path());
        let requests = worker.stdin.take();
        let answers = BufReader::new(worker.stdout.take().unwrap());
        Self { directory, host, worker, requests, answers }
    }

    pub const fn host(&self) -> &Host {
        &self.host
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path.trim_start_matches('/'))
    }

    /// Empties the tree; the directories that are mounted stay.
    pub fn clear(&self) {
        for directory in ["etc", "run", "usr/local", "usr/lib/sysctl.d", "var"] {
            let Ok(entries) = std::fs::read_dir(self.path(directory)) else { continue };
            for entry in entries {
                let path = entry.unwrap().path();
                match path.symlink_metadata().unwrap().is_dir() {
                    true => std::fs::remove_dir_all(path).unwrap(),
                    false => std::fs::remove_file(path).unwrap(),
                }
            }
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(self.path("usr/local/lib"))
            .unwrap();
    }

    /// Runs a loader and gives what it set.
    pub fn load(&mut self, scope: Scope) -> Values {
        let (shown, hidden) = (self.path("run/sysctl.d"), self.path("run/hidden"));
        let hide = !scope.run && shown.symlink_metadata().is_ok();
        if hide {
            std::fs::rename(&shown, &hidden).unwrap();
        }
        // What systemd does with LoadCredential=sysctl.extra.
        let credential = CREDENTIALS
            .iter()
            .find(|path| (scope.run || **path != VOLATILE_CREDENTIAL) && self.path(path).is_file());
        let directory = credential.map_or("/nowhere", |path| path.rsplit_once('/').unwrap().0);
        let values = self.request(&match scope.loader {
            Loader::SystemdSysctl => format!("SystemdSysctl {directory}"),
            Loader::Procps => "Procps".to_owned(),
        });
        if hide {
            std::fs::rename(&hidden, &shown).unwrap();
        }
        values
    }

    /// Writes a text to a setting in one piece, and gives its value then.
    pub fn write(&mut self, key: Key, text: &[u8]) -> i64 {
        write_file(&self.path("run/text"), text);
        let file = key.name().rsplit_once('.').unwrap().1;
        self.request(&format!("write {file}")).ours[&key]
    }

    fn request(&mut self, request: &str) -> Values {
        writeln!(self.requests.as_mut().unwrap(), "{request}").expect("the worker is gone");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let mut values = answer.split_whitespace().map(|word| word.parse().expect(&answer));
        let ours = Key::ALL.into_iter().map(|key| (key, values.next().expect(&answer))).collect();
        Values { ours, others: values.collect() }
    }

    /// Everything in the tree but our own record: paths, contents, link targets.
    pub fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for directory in ["etc", "run", "usr"] {
            collect(&self.path(directory), &mut files);
        }
        files
    }

    /// The tree for a failure's message.
    pub fn show(&self) -> String {
        self.show_files(self.files())
    }

    pub fn show_files(&self, files: BTreeMap<PathBuf, Vec<u8>>) -> String {
        files
            .into_iter()
            .map(|(path, content)| {
                let path = path.strip_prefix(self.directory.path()).unwrap();
                let text = content.get(..4000).unwrap_or(&content).escape_ascii().to_string();
                format!("{}: {text}\n", path.display())
            })
            .collect()
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // The end of its input ends the worker.
        drop(self.requests.take());
        let _ = self.worker.wait();
    }
}

/// A loader, with arguments for one that is another release's.
fn program(variable: &str, default: &str) -> String {
    let command = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    let program = command.split_whitespace().next().unwrap_or_default();
    assert!(Path::new(program).exists(), "this test needs {program}");
    command
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let metadata = path.symlink_metadata().unwrap();
    let content = if metadata.is_symlink() {
        [b"-> ", std::fs::read_link(path).unwrap().as_os_str().as_bytes()].concat()
    } else if metadata.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), files);
        }
        b"directory".to_vec()
    } else {
        std::fs::read(path).unwrap()
    };
    files.insert(path.to_owned(), content);
}

pub fn write_file(path: &Path, content: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(content).unwrap();
}
