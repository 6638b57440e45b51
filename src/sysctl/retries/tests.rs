use super::*;

#[test]
fn as_the_kernel_models_it() {
    for (retries, millis) in [
        (0, 200),
        (1, 600),
        (2, 1_400),
        (3, 3_000),
        (5, 12_600),
        (8, 102_200),
        (9, 204_600),
        (10, 324_600),
        // Documentation/networking/ip-sysctl.rst: "15 yields a hypothetical timeout of 924.6 seconds".
        (15, 924_600),
        (255, 29_724_600),
    ] {
        assert_eq!(gives_up_after(retries), Duration::from_millis(millis), "{retries}");
    }
}
