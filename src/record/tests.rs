use super::*;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Sample {
    seconds: u64,
    name: String,
    #[serde(flatten)]
    rest: Rest,
}

impl Record for Sample {
    const VERSION: u64 = 2;
    const MAX_SIZE: u64 = 1000;
    const MODE: u32 = 0o600;

    fn check(&self) -> Result<(), String> {
        if self.seconds > 100 {
            return Err(format!("seconds is {}, above 100", self.seconds));
        }
        Ok(())
    }
}

struct Place {
    _directory: tempfile::TempDir,
    host: Host,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::at(directory.path());
        let path = host.state_dir().join("sample.json");
        host.make_directory(host.state_dir(), 0o755).unwrap();
        Self { _directory: directory, host, path }
    }

    fn with(content: &str) -> Self {
        let place = Self::new();
        std::fs::write(place.host.locate(&place.path), content).unwrap();
        place
    }

    fn read(&self) -> Found<Sample> {
        read(&self.host, &self.path).unwrap()
    }

    fn why(&self) -> String {
        match self.read() {
            Found::Unusable(unusable) => unusable.to_string(),
            other => panic!("{other:?}"),
        }
    }

    fn content(&self, path: &Path) -> String {
        std::fs::read_to_string(self.host.locate(path)).unwrap()
    }
}

#[test]
fn a_record_survives_a_round_trip() {
    let place = Place::new();
    assert_eq!(place.read(), Found::Absent);
    let sample = Sample { seconds: 7, name: "a".into(), ..Sample::default() };
    assert_eq!(write(&place.host, &place.path, &sample).unwrap(), None);
    assert_eq!(place.read(), Found::Known(sample));
    assert!(place.content(&place.path).contains("\"version\": 2"));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(place.host.locate(&place.path)).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(remove::<Sample>(&place.host, &place.path).unwrap(), None);
    assert_eq!(place.read(), Found::Absent);
}

#[test]
fn a_file_without_a_version_is_of_the_first_one() {
    let place = Place::with(r#"{"seconds": 7}"#);
    let Found::Known(found) = place.read() else { panic!("{:?}", place.read()) };
    assert_eq!(found.seconds, 7);
}

#[test]
fn fields_of_a_later_release_survive_a_write_of_ours() {
    let place =
        Place::with(r#"{"version": 2, "seconds": 7, "color": {"is": ["red", null]}, "n": 1.5}"#);
    update::<Sample>(&place.host, &place.path, "sample", |sample, _| sample.seconds = 8).unwrap();
    let written: Value = serde_json::from_str(&place.content(&place.path)).unwrap();
    let wanted = serde_json::json!({
        "version": 2, "seconds": 8, "name": "", "color": {"is": ["red", null]}, "n": 1.5
    });
    assert_eq!(written, wanted);
}

#[test]
fn what_cannot_be_used_is_said_with_the_reason() {
    for (content, reason) in [
        ("", "damaged: EOF while parsing a value at line 1 column 0"),
        ("{", "damaged: EOF while parsing an object at line 1 column 1"),
        ("[]", "damaged: an array where an object is wanted"),
        ("null", "damaged: null where an object is wanted"),
        (r#"{"version": 3}"#, "of version 3, and this release knows versions up to 2"),
        (r#"{"version": 0}"#, "damaged: \"version\" is not a number from 1 up"),
        (r#"{"version": "1"}"#, "damaged: \"version\" is not a number from 1 up"),
        (r#"{"version": 1e99}"#, "damaged: \"version\" is not a number from 1 up"),
        (r#"{"name": "a", "seconds": 101}"#, "damaged: seconds is 101, above 100"),
        (
            r#"{"name": "a", "seconds": -5}"#,
            "damaged: \"seconds\": invalid value: integer `-5`, expected u64",
        ),
    ] {
        let place = Place::with(content);
        let path = place.path.display();
        assert_eq!(place.why(), format!("{path}: {reason}"), "{content}");
        assert_eq!(place.content(&place.path), content, "reading changes nothing");
    }
    let large = Place::with(&format!("{{\"name\": \"{}\"}}", "x".repeat(1000)));
    assert!(large.why().ends_with("larger than 1000 bytes, which none of ours is"));
    let deep = Place::with(&format!("{{\"x\": {}", "[".repeat(900)));
    assert!(deep.why().contains("recursion limit"), "{}", deep.why());
}

#[test]
fn what_is_no_regular_file_is_kept_aside_by_its_own_name() {
    let directory = Place::new();
    std::fs::create_dir(directory.host.locate(&directory.path)).unwrap();
    let link = Place::new();
    std::os::unix::fs::symlink("/nowhere", link.host.locate(&link.path)).unwrap();
    for place in [directory, link] {
        assert!(place.why().ends_with("not a regular file"));
        let kept = write(&place.host, &place.path, &Sample::default()).unwrap().unwrap();
        assert_eq!(place.read(), Found::Known(Sample::default()));
        assert!(place.host.locate(&kept.path).symlink_metadata().is_ok());
    }
}

#[test]
fn an_unusable_file_is_kept_aside_before_a_write() {
    let place = Place::with("[1]");
    let kept = write(&place.host, &place.path, &Sample::default()).unwrap().unwrap();
    assert_eq!(place.content(&kept.path), "[1]");
    assert_eq!(place.read(), Found::Known(Sample::default()));
    assert!(kept.to_string().contains("an array where an object is wanted; kept as /var/lib"));

    std::fs::write(place.host.locate(&place.path), "[2]").unwrap();
    let again = remove::<Sample>(&place.host, &place.path).unwrap().unwrap();
    assert_eq!(place.content(&again.path), "[2]");
    assert_eq!(place.content(&kept.path), "[1]", "the first one stays as it was");
    assert_eq!(super::kept(&place.host, &place.path).unwrap().len(), 2);
}

#[test]
fn a_change_is_told_that_the_file_before_could_not_be_used() {
    let place = Place::with("damaged");
    let kept = update::<Sample>(&place.host, &place.path, "sample", |sample, kept| {
        sample.name = kept.unwrap().path.display().to_string();
    })
    .unwrap()
    .unwrap();
    let Found::Known(found) = place.read() else { panic!("{:?}", place.read()) };
    assert_eq!(found.name, kept.path.display().to_string());
}

#[test]
fn no_more_than_a_few_are_kept_and_none_is_removed() {
    let place = Place::new();
    for number in 0..MOST_KEPT {
        std::fs::write(place.host.locate(&place.path), format!("damaged {number}")).unwrap();
        assert!(write(&place.host, &place.path, &Sample::default()).unwrap().is_some());
    }
    std::fs::write(place.host.locate(&place.path), "damaged again").unwrap();
    let error = write(&place.host, &place.path, &Sample::default()).unwrap_err().to_string();
    assert!(error.contains("8 files sample.json.unusable-* are kept already"), "{error}");
    assert_eq!(place.content(&place.path), "damaged again");
    assert_eq!(super::kept(&place.host, &place.path).unwrap().len(), MOST_KEPT);
}
