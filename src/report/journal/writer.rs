//! Who wrote what was found.

/// A program that wrote a setting: recognised by what it leaves, or seen by the witness.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Writer {
    /// What people call it: `cloud-init`, `TuneD`.
    pub name: Option<String>,
    /// Its process.
    pub pid: Option<i32>,
    /// Its command line, or `unknown` when it had ended before it could be looked at.
    pub command: Option<String>,
    /// Its program.
    pub exe: Option<String>,
    /// The systemd unit that it ran in.
    pub unit: Option<String>,
    /// The user who had logged in, whoever it ran as: audit(8)'s loginuid.
    pub login: Option<String>,
}

impl Writer {
    /// One that is known only by what it wrote.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..Self::default() }
    }

    /// One line for people: `sed (pid 4711, /usr/bin/sed, in cron.service)`.
    #[must_use]
    pub fn sentence(&self) -> String {
        let pid = self.pid.map(|pid| format!("pid {pid}"));
        let unit = self.unit.as_ref().map(|unit| format!("in {unit}"));
        let login = self.login.as_ref().map(|login| format!("login {login}"));
        let details: Vec<String> =
            [pid, self.exe.clone(), unit, login].into_iter().flatten().collect();
        let name = self.name.as_ref().or(self.command.as_ref());
        let name = name.map_or("an unknown program", String::as_str);
        if details.is_empty() {
            name.to_owned()
        } else {
            format!("{name} ({})", details.join(", "))
        }
    }
}
