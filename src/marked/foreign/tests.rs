use super::*;

const ANSIBLE: &str = "# BEGIN ANSIBLE MANAGED BLOCK\nCiphers a\n# END ANSIBLE MANAGED BLOCK\n";
const AGENT: &str = "#### Google OS Login control. Do not edit this section. ####\nUsePAM yes\n\
                     #### End Google OS Login control section. ####\n";

#[test]
fn blocks_of_other_tools_are_known_by_their_pair_of_markers() {
    for (file, expected) in [
        (ANSIBLE.to_owned(), vec![ANSIBLE]),
        (format!("a\n{AGENT}b\n"), vec![AGENT]),
        (format!("{ANSIBLE}{AGENT}"), vec![ANSIBLE, AGENT]),
        (
            "## start of mine\nx\n## stop of mine\n".to_owned(),
            vec!["## start of mine\nx\n## stop of mine\n"],
        ),
        ("  # Begin x\r\ny\r\n# END x\r\n".to_owned(), vec!["  # Begin x\r\ny\r\n# END x\r\n"]),
        // No counterpart, another one's, or the wrong way round.
        ("# BEGIN a\nx\n# END b\n".to_owned(), vec![]),
        ("# END a\nx\n# BEGIN a\n".to_owned(), vec![]),
        ("# beginning a\nx\n# ending a\n".to_owned(), vec![]),
        ("# BEGIN keepalive-policy: x\ny\n# END keepalive-policy\n".to_owned(), vec![]),
    ] {
        let found: Vec<&str> =
            blocks(file.as_bytes()).into_iter().map(|span| &file[span]).collect();
        assert_eq!(found, expected, "{file}");
    }
}

#[test]
fn a_place_outside_is_above_the_block_and_above_the_comment() {
    for (above, below) in [
        ("", "Port 22\n"),
        ("", "# why\nPort 22\n"),
        ("# header\n\n", "# why\n# more\nPort 22\n"),
        ("", ANSIBLE),
        ("Port 22\n\n", ANSIBLE),
        // The comment belongs to the block, for all that we know.
        ("", "# by the web team\n# BEGIN x\nCiphers a\n# END x\n"),
    ] {
        let file = format!("{above}{below}");
        for word in ["Port 22", "Ciphers"] {
            if let Some(at) = file.rfind(word).filter(|at| *at >= above.len()) {
                assert_eq!(outside(file.as_bytes(), at), above.len(), "{file}");
            }
        }
    }
    // Right behind a block is outside, though its last line is a comment.
    let file = format!("{ANSIBLE}Port 22\n");
    assert_eq!(outside(file.as_bytes(), ANSIBLE.len()), ANSIBLE.len());
    let file = format!("{ANSIBLE}# why\nPort 22\n");
    assert_eq!(outside(file.as_bytes(), file.find("Port").unwrap()), ANSIBLE.len());
    // Nothing below that a comment could be about.
    for file in ["# only\n# comments\n", "# one\n# without an end"] {
        assert_eq!(outside(file.as_bytes(), file.len()), file.len(), "{file}");
    }
}

#[test]
fn ten_thousand_comments_take_no_time() {
    let file = "# BEGIN x\n".repeat(10_000) + &"# why\n".repeat(10_000) + "Port 22\n";
    let at = file.find("Port").unwrap();
    assert_eq!(outside(file.as_bytes(), at), 0);
}
