use std::collections::BTreeSet;

use super::*;

#[test]
fn ids_are_unique_and_plain() {
    let ids: BTreeSet<&str> = TABLE.iter().map(|hop| hop.id).collect();
    assert_eq!(ids.len(), TABLE.len());
    for id in ids {
        assert!(
            id.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'),
            "{id}"
        );
    }
}

#[test]
fn rows_are_found_by_id() {
    assert_eq!(by_id("aws-nlb").map(|hop| (hop.idle, hop.tcp_keepalive)), Some((350, Counts::Yes)));
    assert_eq!(by_id("aws-clb").map(|hop| (hop.idle, hop.tcp_keepalive)), Some((60, Counts::No)));
    assert_eq!(by_id("AWS-NLB"), None);
}

#[test]
fn every_row_can_be_explained() {
    for hop in &TABLE {
        assert!(hop.idle > 0 && !hop.name.is_empty() && !hop.on_expiry.is_empty(), "{hop:?}");
        let ranged = hop.configurable.starts_with(|c: char| c.is_ascii_digit());
        let worded = ["yes", "no", "rarely", "on request", "not known"].contains(&hop.configurable);
        assert!(ranged || worded, "{hop:?}");
    }
}
