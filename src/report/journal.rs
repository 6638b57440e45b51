//! The journal is the history: one line an event, with fields to query by, and nothing twice.

use std::os::fd::AsFd;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use super::text::coloured;
use crate::escape;
use crate::reconcile::Value;

mod events;
mod kind;
#[cfg(test)]
mod tests;
mod told;
mod writer;

pub use kind::Kind;
pub use told::Told;
pub use writer::Writer;

/// Installs the subscriber: the journal with its fields when standard error is connected to it,
/// else lines on standard error; never both, or every line would stand in the journal twice.
pub fn init() {
    // Not the filter by regular expressions: its engine is a third of a megabyte that is never used.
    let wanted = std::env::var("RUST_LOG").ok().and_then(|wanted| wanted.parse().ok());
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let journal = if stderr_is_journal() { tracing_journald::layer().ok() } else { None };
    let layer: Box<dyn Layer<Registry> + Send + Sync> = match journal {
        // With the default prefix the fields would be called F_KEEPALIVE_…, and no MESSAGE_ID.
        Some(layer) => layer.with_field_prefix(None).boxed(),
        None => tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(coloured(&std::io::stderr()))
            .with_target(false)
            .fmt_fields(tracing_subscriber::fmt::format::debug_fn(|writer, field, value| {
                // The fields repeat the sentence; on a terminal the sentence is enough.
                if field.name() == "message" { write!(writer, "{value:?}") } else { Ok(()) }
            }))
            .boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter));
    // A second call in one process keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// `$JOURNAL_STREAM` is `DEVICE:INODE` of the socket that systemd connected (systemd.exec(5)).
fn stderr_is_journal() -> bool {
    let Some(stream) = std::env::var("JOURNAL_STREAM").ok() else { return false };
    rustix::fs::fstat(std::io::stderr().as_fd())
        .is_ok_and(|stat| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Something worth a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is about.
    pub kind: Kind,
    /// Whether somebody should look.
    pub warning: bool,
    /// The resource.
    pub resource: &'static str,
    /// The setting, when it is about one.
    pub setting: Option<&'static str>,
    /// What the policy declares.
    pub desired: Option<Value>,
    /// What was found.
    pub found: Option<Value>,
    /// Where that came from.
    pub source: Option<String>,
    /// Who wrote what was found, as far as that is known.
    pub writer: Option<Writer>,
    /// The line.
    pub message: String,
}

impl Event {
    /// A line about a resource as a whole, still without words.
    #[must_use]
    pub const fn plain(kind: Kind, resource: &'static str) -> Self {
        Self {
            kind,
            warning: false,
            resource,
            setting: None,
            desired: None,
            found: None,
            source: None,
            writer: None,
            message: String::new(),
        }
    }

    /// Writes the line.
    pub fn log(&self, trigger: &str, micros: u64) {
        let text = |value: Option<Value>| value.map(|value| value.to_string()).unwrap_or_default();
        let writer = self.writer.as_ref();
        let field = |name: fn(&Writer) -> Option<&String>| {
            writer.and_then(name).map(|text| escape::line(text).into_owned())
        };
        let message = escape::line(&self.message);
        let message = match field(|writer| writer.name.as_ref()) {
            Some(name) => format!("{message}; by the look of it {name} wrote it"),
            None => message.into_owned(),
        };
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    message_id = self.kind.id(),
                    keepalive_event = self.kind.word(),
                    keepalive_resource = self.resource,
                    keepalive_setting = self.setting,
                    keepalive_desired = text(self.desired),
                    keepalive_found = text(self.found),
                    keepalive_source =
                        self.source.as_deref().map(|source| escape::line(source).into_owned()),
                    keepalive_trigger = trigger,
                    keepalive_duration_us = micros,
                    keepalive_writer = field(|writer| writer.name.as_ref()),
                    keepalive_writer_pid = writer.and_then(|writer| writer.pid),
                    keepalive_writer_command = field(|writer| writer.command.as_ref()),
                    keepalive_writer_exe = field(|writer| writer.exe.as_ref()),
                    keepalive_writer_unit = field(|writer| writer.unit.as_ref()),
                    keepalive_writer_login = field(|writer| writer.login.as_ref()),
                    "{message}"
                )
            };
        }
        if self.warning { line!(warn) } else { line!(info) }
    }
}

/// How much a line matters that is about no resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// What an administrator may want to read.
    Info,
    /// What somebody should look at.
    Warning,
    /// What keeps the daemon from doing what it is for.
    Error,
}

/// Writes a line about the daemon itself.
pub fn say(weight: Weight, kind: Kind, message: &str) {
    write(weight, kind, &escape::line(message));
}

/// Writes what stands on several lines: the findings of a policy, each with its line and a caret.
pub fn say_lines(weight: Weight, kind: Kind, message: &str) {
    write(weight, kind, &escape::layout(message, &[]));
}

fn write(weight: Weight, kind: Kind, message: &str) {
    let (id, word) = (kind.id(), kind.word());
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(message_id = id, keepalive_event = word, "{message}")
        };
    }
    match weight {
        Weight::Info => line!(info),
        Weight::Warning => line!(warn),
        Weight::Error => line!(error),
    }
}
