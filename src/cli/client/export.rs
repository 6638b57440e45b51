//! `client export`: the policy for another client.

use std::path::Path;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde_json::json;

use super::Mine;
use crate::cli::{Format, complain};
use crate::client::export::{Settings, Target, render};
use crate::client::securecrt;
use crate::escape;
use crate::host::HostError;
use crate::host::files::Node;
use crate::host::replace::Expect;

pub(super) fn run(mine: &Mine<'_>, target: Target, into: Option<&Path>) -> u8 {
    let policy = match mine.load() {
        Ok(policy) => policy,
        Err(code) => return code,
    };
    if let Some(file) = into {
        if target != Target::SecureCrt {
            return complain(&"--into is for SecureCRT's session files only");
        }
        let settings = match Settings::of(&policy) {
            Ok(settings) => settings,
            Err(missing) => return complain(&missing),
        };
        let file = crate::cli::absolute(file.to_owned());
        return match patch(mine, &file, settings.interval) {
            Ok(message) => {
                // Not the path itself: one that is not UTF-8 is no JSON, and json! would panic.
                let data = json!({ "version": 1, "file": file.to_string_lossy() });
                mine.invocation.print(&data, || message);
                0
            }
            Err(error) => complain(&error),
        };
    }
    match render(target, &policy) {
        Ok(bytes) => {
            match mine.invocation.format {
                // Byte for byte what the client reads, so that it can go into a file.
                Format::Text => mine.invocation.write(&bytes),
                Format::Json => {
                    let name = target.to_possible_value();
                    let client = name.as_ref().map(PossibleValue::get_name);
                    let data = json!({ "version": 1, "client": client, "text": text(&bytes) });
                    mine.invocation.print(&data, String::new)
                }
            };
            0
        }
        Err(missing) => complain(&missing),
    }
}

/// The settings as text: registry files are UTF-16.
fn text(bytes: &[u8]) -> String {
    let Some(words) = bytes.strip_prefix(b"\xff\xfe") else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let words: Vec<u16> =
        words.as_chunks::<2>().0.iter().map(|word| u16::from_le_bytes(*word)).collect();
    String::from_utf16_lossy(&words)
}

fn patch(mine: &Mine<'_>, path: &Path, interval: u32) -> Result<String, HostError> {
    let refused = |source: std::io::Error| HostError {
        path: path.to_owned(),
        action: "left as it is",
        source,
    };
    let file = match mine.host.read(path)? {
        Node::File(file) => file,
        Node::Missing | Node::Dangling => {
            return Err(refused(std::io::Error::other("no such file")));
        }
        _ => return Err(refused(std::io::Error::other("not a regular file"))),
    };
    let after = securecrt::patch(&file.bytes, interval)
        .map_err(|error| refused(std::io::Error::other(error)))?;
    if after == file.bytes {
        return Ok(format!("{}: nothing to change\n", escape::path(path)));
    }
    mine.host.replace(path, Expect::Content(&file.bytes), &after)?;
    Ok(format!("{}: NO-OP every {interval} s\n", escape::path(path)))
}
