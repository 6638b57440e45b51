//! OpenSSH, which takes the policy as it is.

use super::{Certainty, Notes, Settings};

const WIRE: &str = "a request that wants a reply: keeps a NAT or firewall open, and finds a dead \
                    server after interval * (count + 1) seconds";

/// Lines for `~/.ssh/config`.
pub(super) fn lines(settings: &Settings) -> String {
    let notes = Notes {
        title: "Keepalive settings for OpenSSH",
        place: "at the end of ~/.ssh/config; the first value wins, so what stands above for single \
                hosts still holds",
        wire: WIRE,
        certainty: Certainty::Documented,
        more: &["`keepalive-policy client apply` does this on Linux"],
    };
    format!("{}Host *\n{}", notes.comment("#"), settings.lines("    "))
}

/// A snippet that appends the block to the user's file on Windows, once.
pub(super) fn powershell(settings: &Settings) -> String {
    let notes = Notes {
        title: "Keepalive settings for OpenSSH on Windows",
        place: "paste it into PowerShell; it appends to %USERPROFILE%\\.ssh\\config, which is read \
                before %ProgramData%\\ssh\\ssh_config",
        wire: WIRE,
        certainty: Certainty::Documented,
        more: &[
            "The file is written as ASCII: ssh refuses a file that begins with a byte order mark",
        ],
    };
    let text = format!(
        r#"{comment}$file = Join-Path $env:USERPROFILE '.ssh\config'
$mark = '# BEGIN keepalive-policy'
$block = @'
# BEGIN keepalive-policy
Host *
{lines}# END keepalive-policy
'@
New-Item -ItemType Directory -Force -Path (Split-Path $file) | Out-Null
if ((Test-Path $file) -and (Select-String -Quiet -SimpleMatch -Path $file -Pattern $mark)) {{
    Write-Warning "$file has such a block already; remove it first"
}} else {{
    [IO.File]::AppendAllText($file, "`n" + $block + "`n", [Text.Encoding]::ASCII)
}}
"#,
        comment = notes.comment("#"),
        lines = settings.lines("    "),
    );
    text.replace('\n', "\r\n")
}
