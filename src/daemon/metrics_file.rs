//! The metrics file, written beside everything else: it may be on a disk that takes its time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::threads;
use crate::host::files::Node;
use crate::host::replace::Expect;
use crate::host::{Host, HostError};
use crate::report::journal::{Kind, Weight, say};

#[cfg(test)]
mod tests;

/// Between two versions: who reads them comes every few seconds at most.
const SPACING: Duration = Duration::from_millis(500);

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it goes, as this machine names it.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// Writes the last of all pages that it is given.
#[derive(Debug)]
pub struct MetricsFile {
    pages: watch::Sender<Option<Page>>,
    task: JoinHandle<()>,
}

impl MetricsFile {
    /// Inside the runtime.
    #[must_use]
    pub fn start() -> Self {
        let (pages, receiver) = watch::channel(None);
        Self { pages, task: tokio::spawn(run(receiver)) }
    }

    /// Has a page written soon; one that has not been written yet is forgotten.
    pub fn write(&self, page: Option<Page>) {
        self.pages.send_if_modified(|last| {
            let news = *last != page;
            *last = page;
            news
        });
    }

    /// The daemon stops: what it counted is no longer true, and the page goes.
    pub async fn withdraw(self) {
        let Self { pages, task } = self;
        let last = pages.borrow().clone();
        drop(pages);
        // It ends when it has nothing more to write.
        let _ = task.await;
        if let Some(page) = last {
            remove(&page.path);
        }
    }
}

async fn run(mut pages: watch::Receiver<Option<Page>>) {
    let mut written: Option<PathBuf> = None;
    let mut failed: Option<String> = None;
    while pages.changed().await.is_ok() {
        let page = pages.borrow_and_update().clone();
        if let Some(before) =
            written.take_if(|before| page.as_ref().is_none_or(|page| page.path != *before))
        {
            remove(&before);
        }
        let Some(page) = page else { continue };
        written = Some(page.path.clone());
        let result = threads::beside(move || put(&page.path, page.text.as_bytes())).await;
        let now = result.and_then(Result::err).map(|error| error.to_string());
        if let Some(message) = now.as_ref().filter(|message| failed.as_ref() != Some(*message)) {
            let message = format!(
                "{message}; the metrics are not written until this is mended: name a file in a \
                 directory that exists, that only root can change, and that the unit can write, \
                 such as /run/keepalive-policy/metrics.prom, and put a link to it where the \
                 exporter looks (keepalive-policy.toml(5))"
            );
            say(Weight::Warning, Kind::Failed, &message);
        }
        failed = now;
        sleep(SPACING).await;
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let host = Host::live();
    match host.read(path)? {
        Node::File(file) => host.replace(path, Expect::Content(&file.bytes), bytes),
        _ => host.replace(path, Expect::Absent { mode: 0o644 }, bytes),
    }
}

fn remove(path: &Path) {
    let host = Host::live();
    if let Ok(Node::File(file)) = host.read(path) {
        // What stays tells of its age by its time of change.
        let _ = host.remove(path, &file.bytes);
    }
}
