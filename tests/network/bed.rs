//! A server and a client in network namespaces of their own, joined by one cable, with a real sshd
//! and real sessions. Needs root; what is missing fails the test.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::{built_root, hold};

const SERVER: &str = "10.98.0.1";

/// So that each of this process has a name of its own.
static NETWORKS: AtomicU32 = AtomicU32::new(0);

/// A network with its sshd. Everything ends when it is dropped.
pub struct Network {
    name: String,
    directory: TempDir,
    /// Keeps the server's namespaces; what runs in them is entered through it.
    holder: Child,
    root: PathBuf,
    sshd: Option<Child>,
    instance: Option<Child>,
}

/// A session, by the port of the server that it goes to.
pub struct Session {
    /// The client.
    ssh: Child,
    /// The port, and the last part of the client's address.
    pub port: u16,
    address: String,
    output: PathBuf,
}

/// Runs a program that must succeed.
pub fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>) -> String {
    let output = Command::new(program).args(arguments).output().expect(program);
    succeeded(program, &output)
}

fn succeeded(what: &str, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{what}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Looks until there is something, at most `seconds` long.
pub fn await_some<T>(seconds: u64, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        keepalive_policy::host::wait::pause(Duration::from_millis(20));
    }
}

impl Network {
    /// Of the programs of this machine, or of a Debian release of that name.
    pub fn new(suite: Option<&str>, sysctls: &[(&str, u32)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // What can fail for want of a mirror comes before anything that would be left behind.
        let lower = suite.map(built_root);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let name = format!("kp{}-{number}", std::process::id());
        for end in ["s", "c"] {
            run("ip", ["netns", "add", &format!("{name}-{end}")]);
            run("ip", ["-n", &format!("{name}-{end}"), "link", "set", "lo", "up"]);
        }
        let (server, client) = (format!("{name}-s"), format!("{name}-c"));
        let cable = ["link", "add", "eth0", "netns", &server, "type", "veth"];
        run("ip", cable.iter().chain(&["peer", "name", "eth0", "netns", &client]));
        run("ip", ["-n", &server, "addr", "add", &format!("{SERVER}/16"), "dev", "eth0"]);
        run("ip", ["-n", &server, "link", "set", "eth0", "up"]);
        run("ip", ["-n", &client, "link", "set", "eth0", "up"]);
        let (holder, root) = hold(&server, lower.as_deref(), directory.path());
        let mut network = Self { name, directory, holder, root, sshd: None, instance: None };
        for (key, value) in sysctls {
            network.set(key, *value);
        }
        network.make_keys();
        network
    }

    /// Sets a sysctl of the server.
    pub fn set(&self, key: &str, value: u32) {
        succeeded("sysctl", &self.server(&["sysctl", "-qw", &format!("{key}={value}")]));
    }

    /// Runs a program at the server.
    pub fn server(&self, command: &[&str]) -> Output {
        self.at_server(command).output().expect("nsenter runs")
    }

    fn at_server(&self, command: &[&str]) -> Command {
        let mut enter = Command::new("nsenter");
        enter.args(["-t", &self.holder.id().to_string(), "-m", "-n", "chroot"]);
        enter.arg(&self.root).args(command);
        enter
    }

    fn ssh_directory(&self) -> PathBuf {
        self.directory.path().join("ssh")
    }

    fn make_keys(&mut self) {
        for key in ["host", "user"] {
            let path = self.ssh_directory().join(key);
            run(
                "ssh-keygen",
                ["-q", "-t", "ed25519", "-N", "", "-f", path.to_str().expect("text")],
            );
        }
    }

    /// Writes sshd's configuration: ports, what a test needs, then `lines`.
    pub fn configure(&self, ports: std::ops::RangeInclusive<u16>, lines: &str) {
        let mut text: String = ports.map(|port| format!("Port {port}\n")).collect();
        text.push_str(
            "AddressFamily inet\nHostKey /etc/ssh/host\nAuthorizedKeysFile /etc/ssh/user.pub\n\
             PidFile /run/sshd.pid\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             MaxStartups 100\nUseDNS no\n",
        );
        text.push_str(lines);
        fs::write(self.ssh_directory().join("sshd_config"), text).expect("written");
    }

    /// Writes what the server's own client is given.
    pub fn configure_client(&self, lines: &str) {
        fs::write(self.ssh_directory().join("ssh_config"), lines).expect("written");
    }

    /// Starts sshd, and waits until it listens.
    pub fn start_sshd(&mut self) {
        let mut sshd = self.at_server(&["/usr/sbin/sshd", "-D", "-e"]);
        let log = fs::File::create(self.directory.path().join("sshd.log")).expect("a log");
        let started = sshd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.sshd = Some(started.expect("sshd starts"));
        self.await_listener(None);
    }

    /// Has sshd load its configuration anew, and waits until it has.
    pub fn reload_sshd(&self) {
        let before = self.pid_file_time();
        let pid = self.server_file("/run/sshd.pid").trim().to_owned();
        run("kill", ["-HUP", &pid]);
        self.await_listener(before);
    }

    /// Waits for another second of the clock: sshd's times are whole ones.
    pub fn next_second(&self) {
        let now = || std::time::UNIX_EPOCH.elapsed().map(|since| since.as_secs()).ok();
        let before = now();
        await_some(3, "the next second", || (now() != before).then_some(()));
    }

    fn await_listener(&self, before: Option<std::time::SystemTime>) {
        await_some(20, "sshd to listen", || {
            self.pid_file_time().filter(|now| Some(*now) != before)
        });
    }

    fn pid_file_time(&self) -> Option<std::time::SystemTime> {
        fs::metadata(self.server_path("/run/sshd.pid")).ok()?.modified().ok()
    }

    fn server_file(&self, path: &str) -> String {
        fs::read_to_string(self.server_path(path)).expect("readable")
    }

    /// A path of the server, as this machine reaches it.
    fn server_path(&self, path: &str) -> PathBuf {
        let inside = format!("{}{path}", self.root.to_str().expect("text"));
        PathBuf::from(format!("/proc/{}/root{inside}", self.holder.id()))
    }

    /// Writes a policy at the server.
    pub fn write_policy(&self, text: &str) {
        let path = self.ssh_directory().join("policy.toml");
        fs::write(&path, text).expect("written");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("made readable");
    }

    /// What a command of keepalive-policy says at the server, as data.
    pub fn keepalive_policy(&self, command: &str) -> serde_json::Value {
        let arguments = [
            "/run/keepalive-policy-under-test",
            "--policy",
            "/etc/ssh/policy.toml",
            "--format",
            "json",
            command,
        ];
        let output = self.server(&arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("{command}: {error}: {text}{}", String::from_utf8_lossy(&output.stderr))
        })
    }

    /// What `sessions` of this machine says of the server's, from outside its namespaces.
    pub fn sessions_from_outside(&self) -> (String, serde_json::Value) {
        let binary = env!("CARGO_BIN_EXE_keepalive-policy");
        let text = run(binary, ["--policy", "/nonexistent", "--format", "json", "sessions"]);
        (format!("{}-s", self.name), serde_json::from_str(&text).expect("data"))
    }

    /// Writes the configuration of another sshd of the server, and starts it.
    pub fn start_instance(&mut self, name: &str, port: u16, lines: &str) {
        let text = format!(
            "Port {port}\nAddressFamily inet\nHostKey /etc/ssh/host\nAuthorizedKeysFile \
             /etc/ssh/user.pub\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
             UseDNS no\n{lines}"
        );
        fs::write(self.ssh_directory().join(name), text).expect("written");
        let file = format!("/etc/ssh/{name}");
        let mut sshd = self.at_server(&["/usr/sbin/sshd", "-D", "-f", &file]);
        let null = || Stdio::null();
        let started = sshd.stdin(null()).stdout(null()).stderr(null()).spawn();
        self.instance = Some(started.expect("sshd starts"));
        let listens = ["ss", "-Htln", &format!("sport = :{port}")];
        await_some(20, "the instance to listen", || {
            (!self.server(&listens).stdout.is_empty()).then_some(())
        });
    }

    /// Opens a session that runs `command`, and waits for its first line.
    pub fn session(&self, port: u16, command: &str, options: &[&str]) -> Session {
        // An address of its own, so that its way back can be cut without the others'.
        let address = format!("10.98.{}.{}", port / 100, port % 100 + 1);
        let client = format!("{}-c", self.name);
        run("ip", ["-n", &client, "addr", "add", &format!("{address}/16"), "dev", "eth0"]);
        let output = self.directory.path().join(format!("out.{port}"));
        let own = options.iter().copied();
        let usual = [
            "BatchMode=yes",
            "ServerAliveInterval=0",
            "TCPKeepAlive=no",
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
        ];
        // The first value wins.
        let options = own.chain(usual).flat_map(|option| ["-o", option]);
        let ssh = Command::new("ip")
            .args(["netns", "exec", &client, "ssh", "-F", "/dev/null"])
            .args(options)
            .args(["-p", &port.to_string(), "-b", &address, "-i"])
            .arg(self.ssh_directory().join("user"))
            .arg(format!("root@{SERVER}"))
            .arg(format!("echo ready; {command}"))
            .stdin(Stdio::piped())
            .stdout(fs::File::create(&output).expect("a file"))
            .spawn()
            .expect("ssh starts");
        let session = Session { ssh, port, address, output };
        await_some(30, "the session to open", || session.has_said("ready").then_some(()));
        session
    }

    /// Connects the client to a port of its own, for as long as the child that is returned lives.
    pub fn connect_to_self(&self, port: u16) -> Child {
        let client = format!("{}-c", self.name);
        let script =
            format!("exec 3<>/dev/tcp/127.0.0.1/{port}; read -r -u 3; echo $REPLY; read -r");
        let mut child = Command::new("ip")
            .args(["netns", "exec", &client, "bash", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash starts");
        let mut greeting = [0; 4];
        child.stdout.take().expect("a pipe").read_exact(&mut greeting).expect("a greeting");
        child
    }

    /// What `ss` says of the session at the server; `None` when it is gone.
    pub fn ss(&self, port: u16) -> Option<String> {
        let filter = format!("sport = :{port}");
        let server = format!("{}-s", self.name);
        let ss = ["netns", "exec", &server, "ss", "-Htnoi", "state", "established", &filter];
        Some(run("ip", ss)).filter(|text| !text.trim().is_empty())
    }

    /// When the server last heard from the session's client.
    pub fn last_heard(&self, port: u16) -> Instant {
        let text = self.ss(port).expect("the session is there");
        let millis = text
            .split_whitespace()
            .find_map(|word| word.strip_prefix("lastrcv:")?.parse().ok())
            // ss leaves it out when it is 0.
            .unwrap_or(0);
        Instant::now() - Duration::from_millis(millis)
    }

    /// From now on nothing reaches the session's client: the server sends to a station that is not
    /// there.
    pub fn cut(&self, session: &Session) {
        let server = format!("{}-s", self.name);
        let station = ["lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "permanent"];
        let replace = ["-n", &server, "neigh", "replace", &session.address];
        run("ip", replace.iter().chain(&station));
    }

    /// sshd's processes of this session hang from now on.
    pub fn stop_server_side(&self, session: &Session) {
        let sessions = self.keepalive_policy("sessions");
        let found = sessions["sessions"].as_array().expect("a list").iter().find(|found| {
            found["local"]
                .as_str()
                .is_some_and(|local| local.ends_with(&format!(":{}", session.port)))
        });
        let pid = found.expect("the session is listed")["pid"].to_string();
        // With privilege separation it is the child that answers.
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.expect("the kernel lists children");
        run("kill", ["-STOP", &pid].into_iter().chain(children.split_whitespace()));
    }
}

impl Session {
    /// Whether the command has printed this line.
    fn has_said(&self, line: &str) -> bool {
        let mut text = String::new();
        let read = fs::File::open(&self.output).and_then(|mut file| file.read_to_string(&mut text));
        read.is_ok() && text.lines().any(|said| said == line)
    }

    /// Sends a line to a session that runs `cat`, early in a second of the server's clock, and
    /// waits for the echo: from then on both ends are silent.
    ///
    /// 9.2 counts in whole seconds; a wait that begins at the end of a second may end in the one
    /// that counts, and so save a whole interval.
    pub fn say(&mut self) {
        await_some(5, "the beginning of a second", || {
            let uptime = fs::read_to_string("/proc/uptime").ok()?;
            let hundredths = uptime.split('.').nth(1)?.get(..2)?.parse::<u32>().ok()?;
            (5..40).contains(&hundredths).then_some(())
        });
        let stdin = self.ssh.stdin.as_mut().expect("a pipe");
        stdin.write_all(b"hello\n").expect("ssh reads");
        await_some(10, "the echo", || self.has_said("hello").then_some(()));
    }

    /// Sends a line to a command that reads one.
    pub fn type_line(&self) {
        let mut stdin = self.ssh.stdin.as_ref().expect("a pipe");
        stdin.write_all(b"\n").expect("ssh reads");
    }

    /// Its client hangs from now on, and the kernel below it does not.
    pub fn freeze(&self) {
        run("kill", ["-STOP", &self.ssh.id().to_string()]);
    }

    /// Whether the client has ended.
    pub fn has_ended(&mut self) -> bool {
        self.ssh.try_wait().expect("a child").is_some()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for end in ["s", "c"] {
            let name = format!("{}-{end}", self.name);
            let pids = Command::new("ip").args(["netns", "pids", &name]).output();
            let pids = pids.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            let pids = pids.unwrap_or_default();
            // Some end by themselves once their peer is gone.
            let _ = Command::new("kill").arg("-KILL").args(pids.split_whitespace()).output();
        }
        let _ = self.holder.wait();
        for sshd in self.sshd.iter_mut().chain(&mut self.instance) {
            let _ = sshd.wait();
        }
        for end in ["s", "c"] {
            let _ =
                Command::new("ip").args(["netns", "del", &format!("{}-{end}", self.name)]).status();
        }
    }
}
