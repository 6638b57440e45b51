use std::io::Write as _;
use std::path::Path;

/// Makes a file of a test's tree.
pub fn write(path: &Path, content: &[u8]) {
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(content).unwrap();
}
