//! How long the middleboxes between a client and a server forgive silence.
//!
//! Defaults as their vendors ship them, and how sure that is. Data only: what follows for a policy
//! is computed elsewhere.

#[cfg(test)]
mod tests;

/// A kind of middlebox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// What a policy calls it: `aws-nlb`.
    pub id: &'static str,
    /// What people call it.
    pub name: &'static str,
    /// Seconds of silence after which it forgets a connection, unless configured otherwise; where
    /// these differ from device to device, the shortest one.
    pub idle: u32,
    /// Whether its owner can change that: `yes`, `no`, or the range in seconds.
    pub configurable: &'static str,
    /// Whether a bare kernel keepalive probe restarts its clock. Where it does not, only messages
    /// inside SSH do: `ClientAlive`, `ServerAlive`, a client's NO-OP.
    pub tcp_keepalive: Counts,
    /// What it does with the connection then: forget it silently, close it, answer the next packet
    /// with a reset.
    pub on_expiry: &'static str,
    /// How sure these values are.
    pub certainty: Certainty,
    /// The document that says so; empty where it is the vendor's page on the product, or unknown.
    pub source: &'static str,
}

/// Whether a kernel keepalive probe counts as traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// It does.
    Yes,
    /// It does not: the hop terminates TCP, or looks at payload.
    No,
    /// Nobody says: to be on the safe side, it does not.
    Unsure,
}

/// How sure a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The vendor's own page or source code.
    Vendor,
    /// Quoted by others.
    SecondHand,
    /// General knowledge: to be shown as such.
    Hearsay,
}

/// The row with this id.
#[must_use]
pub fn by_id(id: &str) -> Option<&'static Hop> {
    TABLE.iter().find(|hop| hop.id == id)
}

use Certainty::{Hearsay as C, SecondHand as B, Vendor as A};
use Counts::{No, Unsure, Yes};

/// Every known kind.
#[rustfmt::skip]
pub static TABLE: [Hop; 35] = [
    hop("aws-nlb", "AWS Network Load Balancer, TCP listener", 350, "60 to 6000", Yes, "silent, RST on the next packet", (A, "AWS docs \"update idle timeout\"")),
    hop("aws-nlb-tls", "AWS Network Load Balancer, TLS listener", 350, "no", Unsure, "RST", (A, "")),
    hop("aws-gwlb", "AWS Gateway Load Balancer", 350, "60 to 6000", Yes, "not known", (A, "")),
    hop("aws-network-firewall", "AWS Network Firewall", 350, "60 to 6000", Yes, "drops", (A, "API_FlowTimeouts")),
    hop("aws-nat-gateway", "AWS NAT Gateway", 350, "no", Yes, "RST on the next packet", (B, "")),
    hop("aws-clb", "AWS Classic Load Balancer", 60, "1 to 3600", No, "closes", (A, "")),
    hop("aws-sg-conntrack", "EC2 security group tracking, Nitro v5 and older", 432_000, "60 to 432000", Yes, "drops", (A, "API_ConnectionTrackingConfiguration")),
    hop("aws-sg-conntrack-nitro6", "EC2 security group tracking, Nitro v6", 350, "60 to 432000", Yes, "drops", (A, "")),
    hop("azure-lb", "Azure Load Balancer (rules, inbound NAT, outbound)", 240, "240 to 6000", Yes, "drops silently by default", (A, "")),
    hop("azure-nat-gateway", "Azure NAT Gateway", 240, "240 to 7200", Yes, "drops silently", (A, "")),
    hop("azure-public-ip", "Azure instance-level public IP", 240, "240 to 1800", Yes, "not known", (B, "")),
    hop("azure-firewall", "Azure Firewall", 240, "on request", Yes, "not known", (C, "")),
    hop("gcp-vpc", "Google VPC firewall connection tracking", 600, "no", Yes, "drops silently", (A, "")),
    hop("gcp-cloud-nat", "Google Cloud NAT, established", 1200, "yes", Yes, "drops", (A, "")),
    hop("gcp-iap", "Google IAP TCP forwarding", 3600, "no", No, "closes", (C, "")),
    hop("ibm-vpc-gateway", "IBM Cloud VPC public gateway", 240, "no", Unsure, "not known", (A, "")),
    hop("cloudflare-zero-trust", "Cloudflare Zero Trust TCP (terminates TCP)", 270, "no", No, "closes", (A, "")),
    hop("linux-conntrack", "netfilter connection tracking, established", 432_000, "yes", Yes, "by rules", (A, "kernel nf_conntrack-sysctl, nf_conntrack_tcp_timeout_established")),
    hop("openwrt", "OpenWrt's conntrack default", 7440, "yes", Yes, "not known", (B, "")),
    hop("ipvs", "kube-proxy IPVS", 900, "yes", Yes, "RST", (B, "")),
    hop("rfc5382", "the floor RFC 5382 REQ-5 asks of a NAT", 7440, "not known", Yes, "not known", (A, "RFC 5382")),
    hop("home-router", "home gateway (34 tested in 2010: 239 s and up, about half under an hour)", 239, "rarely", Yes, "not known", (C, "")),
    hop("fortigate", "FortiGate session-ttl", 3600, "300 to 604800", Yes, "drops", (A, "")),
    hop("cisco-asa", "Cisco ASA/FTD timeout conn", 3600, "300 and up", Yes, "drops", (A, "")),
    hop("palo-alto", "Palo Alto TCP session", 3600, "yes", Yes, "drops", (A, "")),
    hop("check-point", "Check Point TCP session", 3600, "yes", Yes, "drops", (C, "")),
    hop("juniper-srx", "Juniper SRX TCP", 1800, "yes", Yes, "drops", (C, "")),
    hop("huawei-usg", "Huawei USG TCP", 1200, "yes", Yes, "drops", (B, "")),
    hop("vmware-nsx", "VMware NSX gateway firewall", 7200, "120 to 4320000", Yes, "drops", (A, "")),
    hop("pf", "pf, pfSense, OPNsense tcp.established", 86_400, "yes", Yes, "drops", (C, "")),
    hop("mikrotik", "RouterOS established", 86_400, "yes", Yes, "drops", (B, "")),
    hop("envoy-tcp", "Envoy tcp_proxy idle_timeout", 3600, "yes", No, "closes", (B, "")),
    hop("nginx-stream", "nginx stream proxy_timeout", 600, "yes", No, "closes", (B, "")),
    hop("haproxy", "HAProxy client/server/tunnel timeouts, as most samples set them", 60, "yes", No, "closes", (C, "")),
    hop("cgnat", "carrier-grade NAT, mobile (300 to 3600 s)", 300, "no", Yes, "drops silently", (C, "")),
];

const fn hop(
    id: &'static str,
    name: &'static str,
    idle: u32,
    configurable: &'static str,
    tcp_keepalive: Counts,
    on_expiry: &'static str,
    (certainty, source): (Certainty, &'static str),
) -> Hop {
    Hop { id, name, idle, configurable, tcp_keepalive, on_expiry, certainty, source }
}
