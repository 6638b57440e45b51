//! `validate`: the policy file alone, judged by what the daemon itself uses.

use serde_json::json;

use super::{BAD_POLICY, Format, Invocation, refuse};
use crate::escape;
use crate::policy;

pub(super) fn run(invocation: &Invocation) -> u8 {
    match policy::load(&invocation.policy) {
        Ok(policy) => {
            let data =
                json!({ "version": 1, "valid": true, "findings": [], "notices": policy.notices });
            invocation.print(&data, || {
                let mut text = format!("{}: valid\n", escape::path(&invocation.policy));
                for notice in &policy.notices {
                    text.push_str(&format!("note: {}\n", escape::message(notice)));
                }
                text
            });
            0
        }
        Err(rejection) => {
            if invocation.format == Format::Json {
                let findings = &rejection.findings;
                let data =
                    json!({ "version": 1, "valid": false, "findings": findings, "notices": [] });
                invocation.print(&data, String::new);
            } else {
                refuse(&rejection);
            }
            BAD_POLICY
        }
    }
}
