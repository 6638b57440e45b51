//! `validate`: the policy file alone, judged by what the daemon itself uses.

use serde_json::json;

use super::{BAD_POLICY, Format, Invocation, complain};
use crate::policy;

pub(super) fn run(invocation: &Invocation) -> u8 {
    match policy::load(&invocation.policy) {
        Ok(policy) => {
            let data =
                json!({ "version": 1, "valid": true, "findings": [], "notices": policy.notices });
            invocation.print(&data, || {
                let mut text = format!("{}: valid\n", invocation.policy.display());
                for notice in &policy.notices {
                    text.push_str(&format!("note: {notice}\n"));
                }
                text
            });
            0
        }
        Err(rejection) => {
            if invocation.format == Format::Json {
                let findings = &rejection.diagnostics;
                let data =
                    json!({ "version": 1, "valid": false, "findings": findings, "notices": [] });
                invocation.print(&data, String::new);
            } else {
                complain(&rejection);
            }
            BAD_POLICY
        }
    }
}
