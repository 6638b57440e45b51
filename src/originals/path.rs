//! Paths in the record: text where they are UTF-8, else bytes, because a name can be any bytes and
//! must not keep the rest from being recorded.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Bytes;

pub fn serialize<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    Bytes::from(path.as_os_str().as_bytes()).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    Bytes::deserialize(deserializer).map(|bytes| to_path(&bytes))
}

fn to_path(bytes: &Bytes) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.as_ref().to_vec()))
}

/// A path that need not be there.
pub mod optional {
    use super::{
        Bytes, Deserialize, Deserializer, OsStrExt, PathBuf, Serialize, Serializer, to_path,
    };

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub fn serialize<S: Serializer>(
        path: &Option<PathBuf>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        path.as_ref().map(|path| Bytes::from(path.as_os_str().as_bytes())).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<PathBuf>, D::Error> {
        Ok(Option::<Bytes>::deserialize(deserializer)?.map(|bytes| to_path(&bytes)))
    }
}
